//! Which handler carries out which function.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use rrq_protocol::ExecutionOutcome;
use tokio::time::timeout;

use crate::{Handler, Job, NoTelemetry, Telemetry};

/// The handlers of an executor, by the functions that they carry out.
#[derive(Clone)]
pub struct Registry {
    handlers: BTreeMap<String, Arc<dyn Handler>>,
    telemetry: Arc<dyn Telemetry>,
}

impl Registry {
    /// One without handlers.
    pub fn new() -> Self {
        Self { handlers: BTreeMap::new(), telemetry: Arc::new(NoTelemetry) }
    }

    /// Have a function carried out by this handler from now on.
    pub fn register(
        &mut self,
        name: impl Into<String>,
        handler: impl Handler + 'static,
    ) -> &mut Self {
        self.handlers.insert(name.into(), Arc::new(handler));
        self
    }

    /// Have every execution observed.
    #[must_use]
    pub fn with_telemetry(mut self, telemetry: impl Telemetry + 'static) -> Self {
        self.telemetry = Arc::new(telemetry);
        self
    }

    /// A function's handler.
    pub fn get(&self, name: &str) -> Option<Arc<dyn Handler>> {
        self.handlers.get(name).cloned()
    }

    /// The functions that there are handlers for.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.handlers.keys().map(String::as_str)
    }

    /// Carry out one job, until its deadline at the latest.
    pub async fn execute(&self, job: impl Into<Job>) -> ExecutionOutcome {
        let job = job.into();
        let Some(handler) = self.get(&job.function_name) else {
            return ExecutionOutcome::handler_not_found(&job.job_id, &job.function_name);
        };
        let request = Arc::clone(&job.request);
        let execution = self.telemetry.instrument(
            &request,
            Box::pin(async move {
                let (job_id, time_left) = (job.job_id.clone(), job.time_left());
                let execution = handler.handle(job);
                match time_left {
                    None => execution.await,
                    Some(left) => timeout(left, execution).await.unwrap_or_else(|_| {
                        ExecutionOutcome::timeout(job_id, "Job timed out.").with_type("Timeout")
                    }),
                }
            }),
        );
        // The handler's alone, so that it can take the arguments without copying them.
        drop(request);
        execution.await
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.functions()).finish()
    }
}
