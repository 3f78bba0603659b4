//! Why nothing was enqueued.

use std::fmt;

/// Why nothing was enqueued.
#[derive(Debug)]
#[non_exhaustive]
pub enum EnqueueError {
    /// Another job holds the unique key.
    DuplicateJob {
        /// Its id.
        holder: String,
    },
    /// The job of the id that was asked for is running.
    JobAlreadyRunning {
        /// The id.
        job_id: String,
    },
    /// An option has a value that no worker can keep to.
    InvalidOption(String),
    /// Redis cannot be reached, or refuses, also after other attempts.
    Redis(redis::RedisError),
}

impl fmt::Display for EnqueueError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateJob { holder } => write!(formatter, "job {holder} holds the unique key"),
            Self::JobAlreadyRunning { job_id } => write!(formatter, "job {job_id} is running"),
            Self::InvalidOption(why) => formatter.write_str(why),
            Self::Redis(error) => write!(formatter, "nothing was enqueued: {error}"),
        }
    }
}

impl std::error::Error for EnqueueError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Redis(error) => Some(error),
            _ => None,
        }
    }
}

impl From<redis::RedisError> for EnqueueError {
    fn from(error: redis::RedisError) -> Self {
        Self::Redis(error)
    }
}
