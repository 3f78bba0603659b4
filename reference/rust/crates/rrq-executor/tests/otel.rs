//! The spans of handlers: part of the job's trace, and true about how it ended.

use std::sync::{Arc, Mutex};

use opentelemetry::trace::{Status, TraceContextExt, TracerProvider};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use rrq_executor::otel::OtelTelemetry;
use rrq_executor::protocol::{ExecutionRequest, Incoming, decode};
use rrq_executor::{HandlerError, Job, Registry};
use serde_json::json;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

#[tokio::test]
async fn a_handlers_span_is_a_child_of_what_the_job_carries() {
    let (registry, spans) = observed();

    let outcome = registry.execute(request("trace_id")).await;

    let span = spans.only();
    assert_eq!(outcome.result, Some(json!(TRACE)), "the span is current in the handler");
    assert_eq!(span.name, "rrq.executor");
    assert_eq!(span.span_context.trace_id().to_string(), TRACE);
    assert_eq!(span.parent_span_id.to_string(), PARENT);
    assert!(span.parent_span_is_remote);
    assert_eq!(attribute(&span, "rrq.outcome"), "success");
    assert_eq!(attribute(&span, "rrq.function"), "trace_id");
    assert_eq!(attribute(&span, "rrq.queue"), "default");
}

#[tokio::test]
async fn a_failure_is_told_with_its_message_and_type() {
    let (registry, spans) = observed();

    registry.execute(request("fail")).await;

    let span = spans.only();
    assert_eq!(span.status, Status::error("no such customer"));
    assert_eq!(attribute(&span, "error.type"), "CustomerError");
    assert_eq!(attribute(&span, "rrq.outcome"), "error");
    assert_eq!(events(&span), ["exception"]);
    assert_eq!(span.events.events[0].attributes[0].value.as_str(), "CustomerError");
}

#[tokio::test]
async fn a_handler_that_asks_for_another_attempt_is_no_error() {
    let (registry, spans) = observed();

    registry.execute(request("busy")).await;

    let span = spans.only();
    assert_eq!(span.status, Status::Unset);
    assert_eq!(attribute(&span, "rrq.outcome"), "retry");
    assert_eq!(events(&span), ["rrq.retry"]);
}

#[tokio::test]
async fn a_panic_is_told_as_an_error() {
    let (registry, spans) = observed();

    tokio::spawn(async move { registry.execute(request("panic")).await }).await.unwrap_err();

    let span = spans.only();
    assert_eq!(span.status, Status::error("The handler panicked"));
    assert_eq!(events(&span), ["exception"]);
}

#[tokio::test]
async fn an_execution_that_is_dropped_was_cancelled() {
    let (registry, spans) = observed();

    let running = tokio::spawn(async move { registry.execute(request("for_ever")).await });
    running.abort();
    _ = running.await;
    assert_eq!(spans.0.lock().unwrap().len(), 0, "one that never began has no span");

    let (registry, spans) = observed();
    tokio::select! {
        biased;
        _ = registry.execute(request("for_ever")) => unreachable!(),
        () = std::future::ready(()) => {}
    }
    let span = spans.only();
    assert_eq!(attribute(&span, "rrq.outcome"), "cancelled");
    assert_eq!(events(&span), ["rrq.cancel"]);
    assert_eq!(span.status, Status::Unset);
}

#[derive(Debug, Clone, Default)]
struct Spans(Arc<Mutex<Vec<SpanData>>>);

impl Spans {
    fn only(&self) -> SpanData {
        let mut spans = self.0.lock().unwrap();
        assert_eq!(spans.len(), 1);
        spans.remove(0)
    }
}

impl SpanExporter for Spans {
    async fn export(&self, spans: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(spans);
        Ok(())
    }
}

fn observed() -> (Registry, Spans) {
    let spans = Spans::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
    let mut registry =
        Registry::new().with_telemetry(OtelTelemetry::with_tracer(provider.tracer("test")));
    registry
        .register("trace_id", async |_: Job| {
            tokio::task::yield_now().await;
            let context = opentelemetry::Context::current();
            Ok::<_, HandlerError>(context.span().span_context().trace_id().to_string())
        })
        .register("fail", async |_: Job| {
            let error = HandlerError::new("no such customer").with_type("CustomerError");
            Err::<(), _>(error)
        })
        .register("busy", async |_: Job| Err::<(), _>(HandlerError::retry("not yet")))
        .register("panic", async |job: Job| {
            assert!(job.args.len() > 100, "at the disco");
            Ok::<_, HandlerError>(())
        })
        .register("for_ever", async |_: Job| {
            std::future::pending::<()>().await;
            Ok::<_, HandlerError>(())
        });
    (registry, spans)
}

fn events(span: &SpanData) -> Vec<&str> {
    span.events.iter().map(|event| event.name.as_ref()).collect()
}

fn attribute(span: &SpanData, name: &str) -> String {
    let found = span.attributes.iter().find(|one| one.key.as_str() == name);
    found.unwrap_or_else(|| panic!("no {name}")).value.to_string()
}

fn request(function_name: &str) -> ExecutionRequest {
    let line = json!({
        "protocol_version": "1", "job_id": "j1", "function_name": function_name,
        "args": [], "kwargs": {},
        "context": {
            "job_id": "j1", "attempt": 1, "queue_name": "default",
            "enqueue_time": "2026-01-01T12:00:00Z",
            "trace_context": {"traceparent": format!("00-{TRACE}-{PARENT}-01")},
        },
    });
    let Ok(Incoming::Request(request)) = decode(line.to_string().as_bytes()) else { panic!() };
    *request
}
