//! A span around each handler, as OpenTelemetry's: the feature `otel`.
//!
//! The span `rrq.executor` is a child of the trace that the job carries, and current while the
//! handler runs. The application configures the SDK and where spans go; nothing global is changed.
//!
//! ```
//! use rrq_executor::Registry;
//! use rrq_executor::otel::OtelTelemetry;
//!
//! let registry = Registry::new().with_telemetry(OtelTelemetry::new());
//! ```

use std::collections::HashMap;

use opentelemetry::context::FutureExt;
use opentelemetry::global::{self, BoxedTracer};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use rrq_protocol::{ExecutionOutcome, ExecutionRequest, OutcomeStatus};

use crate::{Execution, Telemetry};

/// Puts the span `rrq.executor` around every execution.
#[derive(Debug)]
pub struct OtelTelemetry<T = BoxedTracer> {
    tracer: T,
}

impl OtelTelemetry {
    /// One whose spans go where the global tracer provider sends them, as it is configured now.
    pub fn new() -> Self {
        Self::with_tracer(global::tracer("rrq-executor"))
    }
}

impl Default for OtelTelemetry {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> OtelTelemetry<T> {
    /// One whose spans are made by this tracer.
    pub fn with_tracer(tracer: T) -> Self {
        Self { tracer }
    }
}

impl<T> Telemetry for OtelTelemetry<T>
where
    T: Tracer + Send + Sync,
    T::Span: Send + Sync + 'static,
{
    fn instrument(&self, request: &ExecutionRequest, execution: Execution) -> Execution {
        let parent = parent(request.context.trace_context.as_ref());
        let builder = self
            .tracer
            .span_builder("rrq.executor")
            .with_kind(SpanKind::Internal)
            .with_attributes(attributes(request));
        let span = self.tracer.build_with_context(builder, &parent);
        let context = parent.with_span(span);
        let running = RunningSpan { context: context.clone(), told: false };
        Box::pin(async move {
            let outcome = execution.with_context(context).await;
            running.end(&outcome);
            outcome
        })
    }
}

/// What the job carries, by the global propagator; by W3C's headers if that finds nothing, as
/// when none is configured.
fn parent(headers: Option<&HashMap<String, String>>) -> Context {
    let root = Context::new();
    let Some(headers) = headers else { return root };
    let found =
        global::get_text_map_propagator(|global| global.extract_with_context(&root, headers));
    if found.span().span_context().is_valid() {
        return found;
    }
    TraceContextPropagator::new().extract_with_context(&found, headers)
}

fn attributes(request: &ExecutionRequest) -> Vec<KeyValue> {
    let queue = request.context.queue_name.clone();
    let mut attributes = vec![
        KeyValue::new("messaging.system", "redis"),
        KeyValue::new("messaging.destination.name", queue.clone()),
        KeyValue::new("messaging.destination_kind", "queue"),
        KeyValue::new("messaging.operation", "process"),
        KeyValue::new("messaging.operation.type", "process"),
        KeyValue::new("messaging.operation.name", "run"),
        KeyValue::new("messaging.message.id", request.job_id.clone()),
        KeyValue::new("rrq.job_id", request.job_id.clone()),
        KeyValue::new("rrq.function", request.function_name.clone()),
        KeyValue::new("rrq.queue", queue),
        KeyValue::new("rrq.attempt", i64::from(request.context.attempt)),
        KeyValue::new("span.kind", "internal"),
    ];
    if let Some(worker_id) = &request.context.worker_id {
        attributes.push(KeyValue::new("rrq.worker_id", worker_id.clone()));
    }
    attributes
}

const PANICKED: &str = "The handler panicked";

/// What OpenTelemetry's conventions say of an error.
fn exception(error_type: impl Into<Value>, message: impl Into<Value>) -> Vec<KeyValue> {
    vec![KeyValue::new("exception.type", error_type), KeyValue::new("exception.message", message)]
}

/// A span that ends with its execution, also with one that is dropped.
struct RunningSpan {
    context: Context,
    told: bool,
}

impl RunningSpan {
    fn end(mut self, outcome: &ExecutionOutcome) {
        let message = outcome.error_message.clone().unwrap_or_default();
        let span = self.context.span();
        match outcome.status {
            OutcomeStatus::Success => {}
            OutcomeStatus::Retry => {
                span.add_event("rrq.retry", vec![KeyValue::new("rrq.reason", message)]);
            }
            OutcomeStatus::Timeout | OutcomeStatus::Error => {
                let error_type = outcome.error_type.as_deref().unwrap_or("Error").to_owned();
                span.set_attribute(KeyValue::new("error.type", error_type.clone()));
                span.add_event("exception", exception(error_type, message.clone()));
                span.set_status(Status::error(message));
            }
        }
        self.tell(match outcome.status {
            OutcomeStatus::Success => "success",
            OutcomeStatus::Retry => "retry",
            OutcomeStatus::Timeout => "timeout",
            OutcomeStatus::Error => "error",
        });
    }

    fn tell(&mut self, outcome: &'static str) {
        self.told = true;
        let span = self.context.span();
        span.set_attribute(KeyValue::new("rrq.outcome", outcome));
        span.end();
    }
}

impl Drop for RunningSpan {
    fn drop(&mut self) {
        if self.told {
            return;
        }
        if std::thread::panicking() {
            let span = self.context.span();
            span.set_attribute(KeyValue::new("error.type", "Panic"));
            span.add_event("exception", exception("Panic", PANICKED));
            span.set_status(Status::error(PANICKED));
            self.tell("error");
        } else {
            self.context.span().add_event("rrq.cancel", Vec::new());
            self.tell("cancelled");
        }
    }
}
