//! Runs the handlers of RRQ's jobs, in a process that an RRQ worker starts.
//!
//! A [`Registry`] has a [`Handler`] for each function, which is an async function of a [`Job`];
//! [`serve_stdio`] reads requests from stdin, carries them out at once, and writes their outcomes
//! to stdout. It says hello, stops what is cancelled, keeps deadlines, and passes progress on.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use rrq_executor::{HandlerError, Job, Registry, ServeOptions, serve_stdio};
//!
//! async fn send_email(job: Job) -> Result<String, HandlerError> {
//!     let to: String = job.arg(0)?;
//!     if to.ends_with("@busy.example") {
//!         return Err(HandlerError::retry("busy").after(Duration::from_secs(30)));
//!     }
//!     job.progress(1.0, 2.0, "connected");
//!     Ok(format!("sent to {to}"))
//! }
//!
//! #[tokio::main]
//! async fn main() -> std::io::Result<()> {
//!     let mut registry = Registry::new();
//!     registry.register("send_email", send_email);
//!     serve_stdio(registry, ServeOptions::from_env()).await
//! }
//! ```
//!
//! A handler is stopped by dropping its future: at its next `.await`, its destructors run. Put
//! work that blocks into `tokio::task::spawn_blocking`; a handler that never awaits is dealt with
//! by the worker, which kills the process.
//!
//! With the feature `otel`, the [`otel`] module puts a span around each handler.

mod handler;
mod job;
mod lines;
#[cfg(feature = "otel")]
pub mod otel;
mod registry;
mod serve;
mod telemetry;

pub use handler::{Handler, HandlerError, IntoOutcome};
pub use job::Job;
pub use registry::Registry;
pub use rrq_protocol as protocol;
pub use serve::{ServeOptions, serve, serve_stdio};
pub use telemetry::{NoTelemetry, Telemetry};

use std::pin::Pin;

use rrq_protocol::ExecutionOutcome;

/// A handler at work.
pub type Execution = Pin<Box<dyn Future<Output = ExecutionOutcome> + Send>>;
