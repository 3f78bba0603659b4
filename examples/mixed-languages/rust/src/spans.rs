//! Where spans go.

use std::env;
use std::time::Duration;

use opentelemetry::global;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter};
use opentelemetry_sdk::trace::SdkTracerProvider;

/// Sends what is held when it is dropped.
pub struct Exporting(SdkTracerProvider);

/// Send all spans to `OTEL_EXPORTER_OTLP_ENDPOINT`, if that is set.
pub fn exported() -> Result<Option<Exporting>, ExporterBuildError> {
    if env::var_os("OTEL_EXPORTER_OTLP_ENDPOINT").is_none() {
        return Ok(None);
    }
    let exporter = SpanExporter::builder().with_http().build()?;
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .build();
    global::set_tracer_provider(provider.clone());
    Ok(Some(Exporting(provider)))
}

impl Drop for Exporting {
    fn drop(&mut self) {
        // A collector that is down must not hold up the worker's end.
        if let Err(error) = self.0.shutdown_with_timeout(Duration::from_secs(2)) {
            eprintln!("the last spans were not sent: {error}");
        }
    }
}
