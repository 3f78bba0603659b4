//! What a handler is, and how it ends.

use std::time::Duration;

use rrq_protocol::ExecutionOutcome;
use serde::Serialize;

use crate::{Execution, Job};

/// Carries out the jobs of one function. Every async function of a [`Job`] is one, if what it
/// gives is a result that can be JSON, or a [`HandlerError`].
pub trait Handler: Send + Sync {
    /// Carry out a job.
    fn handle(&self, job: Job) -> Execution;
}

impl<F, R> Handler for F
where
    F: Fn(Job) -> R + Send + Sync,
    R: Future<Output: IntoOutcome> + Send + 'static,
{
    fn handle(&self, job: Job) -> Execution {
        let job_id = job.job_id.clone();
        let result = self(job);
        Box::pin(async move { result.await.into_outcome(job_id) })
    }
}

/// What a handler may give.
pub trait IntoOutcome {
    /// The outcome of the job that it was given for.
    fn into_outcome(self, job_id: String) -> ExecutionOutcome;
}

impl<T: Serialize> IntoOutcome for Result<T, HandlerError> {
    fn into_outcome(self, job_id: String) -> ExecutionOutcome {
        match self.map(serde_json::to_value) {
            Ok(Ok(result)) => ExecutionOutcome::success(job_id, result),
            Ok(Err(error)) => {
                ExecutionOutcome::error(job_id, format!("The result cannot be JSON: {error}"))
                    .with_type("ResultError")
            }
            Err(error) => error.into_outcome(job_id),
        }
    }
}

impl IntoOutcome for ExecutionOutcome {
    fn into_outcome(mut self, job_id: String) -> ExecutionOutcome {
        self.job_id = job_id;
        self
    }
}

/// Why a handler did not succeed. Every error is made into one by `?`.
#[derive(Debug, Clone)]
pub struct HandlerError {
    message: String,
    error_type: Option<String>,
    retry: Option<RetryAfter>,
}

#[derive(Debug, Clone, Copy)]
struct RetryAfter(Option<Duration>);

impl HandlerError {
    /// The job failed. It is tried again after the usual backoff, if it has attempts left.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), error_type: None, retry: None }
    }

    /// The job is to be run again after the usual backoff, or after what [`after`](Self::after)
    /// says, if it has attempts left.
    pub fn retry(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            error_type: Some("Retry".to_owned()),
            retry: Some(RetryAfter(None)),
        }
    }

    /// The job is to be run again after this time.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.retry = Some(RetryAfter(Some(delay)));
        self
    }

    /// The same with the name of the error's type, for people.
    #[must_use]
    pub fn with_type(mut self, error_type: impl Into<String>) -> Self {
        self.error_type = Some(error_type.into());
        self
    }
}

impl IntoOutcome for HandlerError {
    fn into_outcome(self, job_id: String) -> ExecutionOutcome {
        let outcome = match self.retry {
            Some(RetryAfter(delay)) => {
                let seconds = delay.map(|delay| delay.as_secs_f64());
                ExecutionOutcome::retry(job_id, self.message, seconds)
            }
            None => ExecutionOutcome::error(job_id, self.message),
        };
        ExecutionOutcome { error_type: self.error_type, ..outcome }
    }
}

impl<E: std::error::Error> From<E> for HandlerError {
    fn from(error: E) -> Self {
        let full_name = std::any::type_name::<E>();
        let name = full_name.split('<').next().unwrap_or(full_name);
        Self::new(error.to_string()).with_type(name.rsplit("::").next().unwrap_or(name))
    }
}
