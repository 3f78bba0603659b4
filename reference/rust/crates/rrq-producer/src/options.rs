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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_due_time_keeps_its_microseconds() {
        let scheduled_time = Some("2035-06-01T08:30:00.123456Z".parse().unwrap());
        let at = EnqueueOptions { scheduled_time, ..EnqueueOptions::default() };
        let defer_by = Some(Duration::from_micros(90_250_001));
        let later = EnqueueOptions { defer_by, ..EnqueueOptions::default() };

        assert_eq!(at.due(), ("at", "2064299400123.456".to_owned()));
        assert_eq!(later.due(), ("in", "90250.001".to_owned()));
        assert_eq!(milliseconds(-1_500), "-1.500");
    }

    #[test]
    fn a_scheduled_time_goes_before_a_delay_and_a_delay_before_the_enqueue_time() {
        let enqueue_time = Some("2035-06-01T00:00:00Z".parse().unwrap());
        let early = EnqueueOptions { enqueue_time, ..EnqueueOptions::default() };
        let delayed = EnqueueOptions { defer_by: Some(Duration::from_secs(1)), ..early.clone() };
        let scheduled_time = Some("2036-06-01T00:00:00Z".parse().unwrap());
        let scheduled = EnqueueOptions { scheduled_time, ..delayed.clone() };

        assert_eq!(early.due().0, "at");
        assert_eq!(delayed.due(), ("in", "1000.000".to_owned()));
        assert_eq!(scheduled.due().1, "2095891200000.000");
    }

    #[test]
    fn what_no_worker_can_keep_to_is_refused_by_name() {
        let refused = [
            EnqueueOptions { max_retries: Some(0), ..EnqueueOptions::default() },
            EnqueueOptions { job_timeout_seconds: Some(0), ..EnqueueOptions::default() },
            EnqueueOptions { result_ttl_seconds: Some(-1), ..EnqueueOptions::default() },
        ];

        let told: Vec<_> =
            refused.iter().map(|options| options.check().unwrap_err().to_string()).collect();

        assert_eq!(told[0], "max_retries is 0: it must be at least 1");
        assert_eq!(told[1], "job_timeout_seconds is 0: it must be at least 1");
        assert_eq!(told[2], "result_ttl_seconds is -1: it must be at least 0");
        let for_ever = EnqueueOptions { result_ttl_seconds: Some(0), ..EnqueueOptions::default() };
        assert!(for_ever.check().is_ok());
    }
}
