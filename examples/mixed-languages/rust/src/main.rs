//! The executor in Rust: it greets, and refuses.

mod spans;

use std::error::Error;
use std::io;

use opentelemetry::global;
use opentelemetry::trace::Tracer;
use rrq_executor::otel::OtelTelemetry;
use rrq_executor::{HandlerError, Job, Registry, ServeOptions, serve_stdio};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

/// Greets somebody, and says in which language.
async fn greet(job: Job) -> Result<Value, HandlerError> {
    let name: String = job.arg(0)?;
    let greeting = global::tracer("greetings").in_span("compose greeting", |_| {
        json!({
            "greeting": format!("Hello {name}"),
            "language": "Rust",
        })
    });
    Ok(greeting)
}

/// Fails for this reason.
async fn refuse(job: Job) -> Result<(), HandlerError> {
    Err(HandlerError::new(job.arg::<String>(0)?).with_type("Refusal"))
}

fn main() -> Result<(), Box<dyn Error>> {
    let exporting = spans::exported()?;
    let mut registry = Registry::new().with_telemetry(OtelTelemetry::new());
    registry.register("greet", greet).register("refuse", refuse);
    let served = serve(registry);
    drop(exporting);
    Ok(served?)
}

/// Serve until the worker closes stdin, or wants the process to end.
#[tokio::main]
async fn serve(registry: Registry) -> io::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        served = serve_stdio(registry, ServeOptions::from_env()) => served,
        _ = terminated.recv() => Ok(()),
    }
}
