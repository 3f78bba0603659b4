//! What a handler is given.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use rrq_protocol::{ExecutionRequest, Progress, encode};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use crate::HandlerError;

/// A job that is carried out. It derefs to its [`ExecutionRequest`], with arguments and context.
#[derive(Debug, Clone)]
pub struct Job {
    pub(crate) request: Arc<ExecutionRequest>,
    reports: Option<mpsc::Sender<Vec<u8>>>,
}

impl Job {
    pub(crate) fn new(request: ExecutionRequest, reports: Option<mpsc::Sender<Vec<u8>>>) -> Self {
        Self { request: Arc::new(request), reports }
    }

    /// A positional argument, from 0.
    ///
    /// # Errors
    ///
    /// It is missing, or of another type.
    pub fn arg<T: DeserializeOwned>(&self, index: usize) -> Result<T, HandlerError> {
        let value = self.args.get(index).cloned();
        read(value, || format!("argument {index} of {}", self.function_name))
    }

    /// A keyword argument. As an `Option` it may be missing.
    ///
    /// # Errors
    ///
    /// It is missing, or of another type.
    pub fn kwarg<T: DeserializeOwned>(&self, name: &str) -> Result<T, HandlerError> {
        let value = self.kwargs.get(name).cloned();
        read(value, || format!("argument `{name}` of {}", self.function_name))
    }

    /// Tell how far the job is, if the worker wants to know. What is not known is `None`.
    ///
    /// It does not wait: a report that there is no room for is dropped.
    pub fn progress<'a>(
        &self,
        current: impl Into<Option<f64>>,
        total: impl Into<Option<f64>>,
        message: impl Into<Option<&'a str>>,
    ) {
        if let Some(reports) = &self.reports {
            let progress = Progress {
                job_id: self.job_id.clone(),
                current: current.into(),
                total: total.into(),
                message: message.into().map(str::to_owned),
            };
            _ = reports.try_send(encode(&progress));
        }
    }

    /// How long the worker still waits, if there is a limit; zero when that is over.
    pub fn time_left(&self) -> Option<Duration> {
        let left = self.context.deadline? - Utc::now();
        Some(left.to_std().unwrap_or_default())
    }

    /// The request itself, to take its arguments out of it.
    pub fn into_request(self) -> ExecutionRequest {
        Arc::unwrap_or_clone(self.request)
    }
}

impl Deref for Job {
    type Target = ExecutionRequest;

    fn deref(&self) -> &ExecutionRequest {
        &self.request
    }
}

impl From<ExecutionRequest> for Job {
    /// A job whose progress nobody wants to know.
    fn from(request: ExecutionRequest) -> Self {
        Self::new(request, None)
    }
}

fn read<T: DeserializeOwned>(
    value: Option<serde_json::Value>,
    what: impl Fn() -> String,
) -> Result<T, HandlerError> {
    let is_missing = value.is_none();
    serde_json::from_value(value.unwrap_or_default()).map_err(|error| {
        let why = if is_missing { "is missing".to_owned() } else { error.to_string() };
        HandlerError::new(format!("{}: {why}", what())).with_type("ArgumentError")
    })
}
