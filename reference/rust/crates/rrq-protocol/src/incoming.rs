//! What an executor reads.

use std::collections::HashMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{ExecutionOutcome, PROTOCOL_VERSION, UNKNOWN_JOB};

/// A line on an executor's stdin.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// Run a handler.
    Request(Box<ExecutionRequest>),
    /// Stop running one.
    Cancel(Cancel),
}

/// One job to carry out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExecutionRequest {
    /// [`PROTOCOL_VERSION`].
    pub protocol_version: String,
    /// Which job; the outcome repeats it.
    pub job_id: String,
    /// The handler's name, without the prefix that names the executor.
    pub function_name: String,
    /// Positional arguments.
    pub args: Vec<Value>,
    /// Keyword arguments.
    pub kwargs: Map<String, Value>,
    /// What is known of the job.
    pub context: ExecutionContext,
}

/// What is known of a job that is carried out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExecutionContext {
    /// Which job.
    pub job_id: String,
    /// From 1.
    pub attempt: u32,
    /// When the job was enqueued.
    pub enqueue_time: DateTime<Utc>,
    /// Its queue, bare or full, as the producer gave it.
    pub queue_name: String,
    /// When the worker stops waiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<DateTime<Utc>>,
    /// Propagation headers, such as `traceparent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_context: Option<HashMap<String, String>>,
    /// The worker that asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<String>,
    /// Grows with every lease of the job: a service that the handler writes to can refuse smaller
    /// ones, and so the writes of an attempt that was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_token: Option<u64>,
}

/// A request is no longer wanted: stop it, and answer it with any outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancel {
    /// Which request.
    pub job_id: String,
}

/// A line that is neither a request nor a cancel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Whose request it is, if that much can be read.
    pub job_id: Option<String>,
    /// What is wrong with it.
    pub message: String,
}

impl BadLine {
    /// The answer to it.
    pub fn outcome(&self) -> ExecutionOutcome {
        ExecutionOutcome::error(self.job_id.as_deref().unwrap_or(UNKNOWN_JOB), &self.message)
    }
}

impl fmt::Display for BadLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for BadLine {}

/// Read one line, with or without its end. It must not be blank: blank lines are to be ignored.
///
/// # Errors
///
/// [`BadLine`], which has its answer.
pub fn decode(line: &[u8]) -> Result<Incoming, BadLine> {
    let why = match serde_json::from_slice::<ExecutionRequest>(line) {
        Ok(request) if request.protocol_version == PROTOCOL_VERSION => {
            return Ok(Incoming::Request(Box::new(request)));
        }
        Ok(_) => None,
        Err(error) => Some(error),
    };
    let head: Head = serde_json::from_slice(line).unwrap_or_default();
    let is_cancel = matches!(&head.kind, Some(Value::String(kind)) if kind == "cancel");
    let other_version = head.protocol_version.is_some_and(|version| version != PROTOCOL_VERSION);
    match (head.job_id, why) {
        (Some(Value::String(job_id)), Some(_)) if is_cancel => {
            Ok(Incoming::Cancel(Cancel { job_id }))
        }
        (job_id, why) => Err(BadLine {
            job_id: job_id.and_then(|id| id.as_str().map(str::to_owned)),
            message: match why {
                Some(error) if !other_version => format!("The line is not a request: {error}"),
                _ => "Unsupported protocol version".to_owned(),
            },
        }),
    }
}

/// As much of a line as it takes to answer it, whatever else is wrong with it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Head {
    #[serde(rename = "type")]
    kind: Option<Value>,
    protocol_version: Option<Value>,
    job_id: Option<Value>,
}
