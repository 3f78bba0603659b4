//! How executions are observed.

use rrq_protocol::ExecutionRequest;

use crate::Execution;

/// Observes every execution, by putting something around it.
pub trait Telemetry: Send + Sync {
    /// The same execution, observed. It gives the same outcome; if it is dropped before that, the
    /// request was cancelled, or the handler panicked.
    fn instrument(&self, request: &ExecutionRequest, execution: Execution) -> Execution;
}

/// Observes nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTelemetry;

impl Telemetry for NoTelemetry {
    fn instrument(&self, _request: &ExecutionRequest, execution: Execution) -> Execution {
        execution
    }
}
