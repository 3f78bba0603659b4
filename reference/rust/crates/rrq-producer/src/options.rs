//! What can be said of a job.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::EnqueueError;

/// What can be said of a job beyond its function and arguments. What is `None` is left to the
/// worker.
#[derive(Debug, Clone, Default)]
pub struct EnqueueOptions {
    /// Its queue, bare (`urgent`) or as the full key.
    pub queue_name: Option<String>,
    /// Its id. A waiting job of this id gets the new definition; an ended one runs anew.
    pub job_id: Option<String>,
    /// While another job with this key waits or runs, [`on_conflict`](Self::on_conflict) applies.
    pub unique_key: Option<String>,
    /// How long the key is held beyond the due time, if the job does not end before; 6 hours if
    /// nothing else is said.
    pub unique_ttl: Option<Duration>,
    /// What happens if another job holds the unique key.
    pub on_conflict: OnConflict,
    /// How often it is tried in all, from 1.
    pub max_retries: Option<i64>,
    /// The longest an attempt may take, from 1.
    pub job_timeout_seconds: Option<i64>,
    /// How long its result is kept; 0 is for ever.
    pub result_ttl_seconds: Option<i64>,
    /// Not before so long from now, by the clock of Redis.
    pub defer_by: Option<Duration>,
    /// Not before then. It goes before [`defer_by`](Self::defer_by).
    pub scheduled_time: Option<DateTime<Utc>>,
    /// When it is due if nothing else is said. The hash always has the time of Redis instead.
    pub enqueue_time: Option<DateTime<Utc>>,
    /// Propagation headers, such as `traceparent`: the trace that the job is to be part of.
    pub trace_context: Option<HashMap<String, String>>,
    /// The dead letter queue that takes it if it fails for good.
    pub dlq_name: Option<String>,
}

/// What happens to a new job if another one holds its unique key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnConflict {
    /// There is no new job; [`submit`](crate::Producer::submit) says which one holds the key.
    #[default]
    Skip,
    /// There is no new job; [`EnqueueError::DuplicateJob`] says which one holds the key.
    Raise,
    /// The new job waits until the key is free.
    Defer,
    /// The waiting job gets the new definition and due time: the newest runs, once. Behind a
    /// running one, the new job waits.
    Replace,
}

impl OnConflict {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Raise => "raise",
            Self::Defer => "defer",
            Self::Replace => "replace",
        }
    }
}

impl EnqueueOptions {
    /// Refuse what no worker can keep to.
    pub(crate) fn check(&self) -> Result<(), EnqueueError> {
        let limits = [
            ("max_retries", self.max_retries, 1),
            ("job_timeout_seconds", self.job_timeout_seconds, 1),
            ("result_ttl_seconds", self.result_ttl_seconds, 0),
        ];
        for (name, value, least) in limits {
            if let Some(value) = value.filter(|value| *value < least) {
                let why = format!("{name} is {value}: it must be at least {least}");
                return Err(EnqueueError::InvalidOption(why));
            }
        }
        Ok(())
    }

    /// How the due time is told to the step: from now, or absolutely, in milliseconds.
    pub(crate) fn due(&self) -> (&'static str, String) {
        let at = match self.defer_by {
            Some(_) => self.scheduled_time,
            None => self.scheduled_time.or(self.enqueue_time),
        };
        match at {
            Some(time) => ("at", milliseconds(time.timestamp_micros())),
            None => {
                let micros = self.defer_by.unwrap_or_default().as_micros();
                ("in", milliseconds(micros.try_into().unwrap_or(i64::MAX)))
            }
        }
    }
}

/// Microseconds as milliseconds, with all their digits: a double would round some.
pub(crate) fn milliseconds(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let micros = micros.unsigned_abs();
    format!("{sign}{}.{:03}", micros / 1000, micros % 1000)
}
