//! Writes each span as a line of JSON to stderr, where the worker logs it. An application sends
//! them to its collector instead, with `opentelemetry-otlp`.

use std::collections::BTreeMap;

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use rrq_executor::Registry;
use rrq_executor::otel::OtelTelemetry;
use serde_json::json;

/// The same handlers, with spans.
pub fn observed(registry: Registry) -> Registry {
    let provider = SdkTracerProvider::builder().with_simple_exporter(StderrSpans).build();
    registry.with_telemetry(OtelTelemetry::with_tracer(provider.tracer("stdio_executor")))
}

#[derive(Debug)]
struct StderrSpans;

impl SpanExporter for StderrSpans {
    async fn export(&self, spans: Vec<SpanData>) -> OTelSdkResult {
        for span in spans {
            let told = span.attributes.iter();
            let attributes: BTreeMap<String, String> =
                told.map(|one| (one.key.to_string(), one.value.to_string())).collect();
            let line = json!({
                "span": span.name,
                "trace_id": span.span_context.trace_id().to_string(),
                "span_id": span.span_context.span_id().to_string(),
                "parent_span_id": span.parent_span_id.to_string(),
                "attributes": attributes,
            });
            eprintln!("{line}");
        }
        Ok(())
    }
}
