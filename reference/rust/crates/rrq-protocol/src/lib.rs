//! The messages between an RRQ worker and its executors, version 1.
//!
//! An executor reads [`Incoming`] lines from its stdin, each with [`decode`], and writes
//! [`ExecutionOutcome`], [`Hello`] and [`Progress`] to its stdout, each with [`encode`]. What they
//! mean is said in `docs/reference/protocol.md`.
//!
//! ```
//! use rrq_protocol::{ExecutionOutcome, Incoming, decode, encode};
//!
//! let line = br#"{"protocol_version":"1","job_id":"j1","function_name":"echo","args":[7],
//!     "kwargs":{},"context":{"job_id":"j1","attempt":1,"queue_name":"default",
//!     "enqueue_time":"2026-01-01T12:00:00Z"}}"#;
//! let Ok(Incoming::Request(request)) = decode(line) else { panic!() };
//! let outcome = ExecutionOutcome::success(&request.job_id, request.args.into());
//! assert_eq!(encode(&outcome), b"{\"job_id\":\"j1\",\"status\":\"success\",\"result\":[7]}\n");
//! ```

mod incoming;
mod outcome;

pub use incoming::{BadLine, Cancel, ExecutionContext, ExecutionRequest, Incoming, decode};
pub use outcome::{ExecutionOutcome, Hello, OutcomeStatus, Progress, encode};

/// The only version there is.
pub const PROTOCOL_VERSION: &str = "1";

/// The `error_type` that sends a job straight to the dead letter queue.
pub const HANDLER_NOT_FOUND: &str = "handler_not_found";

/// The `job_id` of the answer to a line that does not tell whose it is.
pub const UNKNOWN_JOB: &str = "unknown";

/// The longest line that either side takes, unless it is configured otherwise.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;
