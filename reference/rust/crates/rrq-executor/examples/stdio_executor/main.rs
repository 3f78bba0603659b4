//! An executor with the handlers that `rrq executor check` asks for by their usual names.
//!
//! `RRQ_RUST_MAX_IN_FLIGHT` says how many jobs it carries out at once. With the feature `otel` it
//! writes spans to stderr.

#[cfg(feature = "otel")]
mod spans;

use std::time::Duration;

use rrq_executor::{HandlerError, Job, Registry, ServeOptions, serve_stdio};
use serde_json::{Value, json};

/// Succeeds with its arguments.
async fn echo(job: Job) -> Result<Value, HandlerError> {
    let request = job.into_request();
    Ok(json!({"args": request.args, "kwargs": request.kwargs}))
}

/// Succeeds so many seconds later, unless it is stopped.
async fn sleep(job: Job) -> Result<(), HandlerError> {
    tokio::time::sleep(Duration::try_from_secs_f64(job.arg(0)?)?).await;
    Ok(())
}

/// Fails with its message.
async fn fail(job: Job) -> Result<(), HandlerError> {
    Err(HandlerError::new(job.arg::<String>(0)?))
}

/// Asks to be run again after so many seconds.
async fn retry(job: Job) -> Result<(), HandlerError> {
    let delay = Duration::try_from_secs_f64(job.arg(0)?)?;
    Err(HandlerError::retry("not yet").after(delay))
}

/// Asks to be run again at once, until this attempt; then says which it is.
async fn succeed_at(job: Job) -> Result<u32, HandlerError> {
    if job.context.attempt < job.arg(0)? {
        return Err(HandlerError::retry("not yet").after(Duration::ZERO));
    }
    Ok(job.context.attempt)
}

/// Reports this progress, and succeeds.
async fn report(job: Job) -> Result<(), HandlerError> {
    job.progress(job.arg::<f64>(0)?, job.arg::<f64>(1)?, job.arg::<String>(2)?.as_str());
    Ok(())
}

/// Prints its text.
async fn print(job: Job) -> Result<(), HandlerError> {
    println!("{}", job.arg::<String>(0)?);
    Ok(())
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let mut registry = Registry::new();
    registry
        .register("echo", echo)
        .register("sleep", sleep)
        .register("fail", fail)
        .register("retry", retry)
        .register("succeed_at", succeed_at)
        .register("report", report)
        .register("print", print);
    #[cfg(feature = "otel")]
    let registry = spans::observed(registry);
    let mut options = ServeOptions::from_env();
    if let Ok(count) = std::env::var("RRQ_RUST_MAX_IN_FLIGHT") {
        options.max_in_flight = count.parse().map_err(std::io::Error::other)?;
    }
    serve_stdio(registry, options).await
}
