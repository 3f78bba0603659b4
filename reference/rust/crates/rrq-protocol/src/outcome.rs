//! What an executor writes.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{HANDLER_NOT_FOUND, PROTOCOL_VERSION};

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExecutionOutcome {
    /// Which request this answers.
    pub job_id: String,
    /// In what way.
    pub status: OutcomeStatus,
    /// Stored if the status is [`Success`](OutcomeStatus::Success).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// Kept as the job's `last_error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// The error's type; [`HANDLER_NOT_FOUND`] sends the job straight to the dead letter queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// With [`Retry`](OutcomeStatus::Retry): the delay that the handler asked for. Without it the
    /// usual backoff applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<f64>,
}

/// The ways in which a request ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeStatus {
    /// The handler gave a result.
    Success,
    /// The handler asks to be run again.
    Retry,
    /// The deadline came first.
    Timeout,
    /// The handler failed, or was stopped, or there is none.
    Error,
}

impl ExecutionOutcome {
    /// The handler gave this result.
    pub fn success(job_id: impl Into<String>, result: Value) -> Self {
        Self { result: Some(result), ..Self::of(job_id, OutcomeStatus::Success) }
    }

    /// The handler failed.
    pub fn error(job_id: impl Into<String>, message: impl Into<String>) -> Self {
        let error_message = Some(message.into());
        Self { error_message, ..Self::of(job_id, OutcomeStatus::Error) }
    }

    /// There is no such handler.
    pub fn handler_not_found(job_id: impl Into<String>, function_name: &str) -> Self {
        Self::error(job_id, format!("No handler registered for function '{function_name}'"))
            .with_type(HANDLER_NOT_FOUND)
    }

    /// The handler asks to be run again; without a delay, after the usual backoff.
    pub fn retry(
        job_id: impl Into<String>,
        message: impl Into<String>,
        after_seconds: Option<f64>,
    ) -> Self {
        Self {
            error_message: Some(message.into()),
            retry_after_seconds: after_seconds,
            ..Self::of(job_id, OutcomeStatus::Retry)
        }
    }

    /// The deadline came first.
    pub fn timeout(job_id: impl Into<String>, message: impl Into<String>) -> Self {
        let error_message = Some(message.into());
        Self { error_message, ..Self::of(job_id, OutcomeStatus::Timeout) }
    }

    /// The same with an error's type.
    #[must_use]
    pub fn with_type(mut self, error_type: impl Into<String>) -> Self {
        self.error_type = Some(error_type.into());
        self
    }

    fn of(job_id: impl Into<String>, status: OutcomeStatus) -> Self {
        Self {
            job_id: job_id.into(),
            status,
            result: None,
            error_message: None,
            error_type: None,
            retry_after_seconds: None,
        }
    }
}

/// The optional first line of an executor: it is ready, and this is what it can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "hello")]
pub struct Hello {
    /// [`PROTOCOL_VERSION`].
    pub protocol_version: String,
    /// What it can do beyond version 1: `cancel`, `progress`.
    #[serde(default)]
    pub features: Vec<String>,
    /// How many requests it wants at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<usize>,
    /// What it can run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub functions: Option<Vec<String>>,
    /// What it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
}

impl Default for Hello {
    fn default() -> Self {
        Self {
            protocol_version: PROTOCOL_VERSION.to_owned(),
            features: Vec::new(),
            max_in_flight: None,
            functions: None,
            runtime: None,
        }
    }
}

/// How far a running job is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "progress")]
pub struct Progress {
    /// Which job.
    pub job_id: String,
    /// What is done, in units of the handler's choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<f64>,
    /// What there is to do, in the same units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<f64>,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A message as a line, with its end.
///
/// # Panics
///
/// Never with the messages of this crate: every value of theirs is JSON.
pub fn encode(message: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(message).expect("messages are JSON");
    line.push(b'\n');
    line
}
