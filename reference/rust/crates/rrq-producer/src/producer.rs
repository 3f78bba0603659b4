//! Enqueues jobs.

use std::time::Duration;

use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisError, Script};
use serde_json::{Map, Value};
use tokio::time::sleep;
use uuid::Uuid;

use crate::options::milliseconds;
use crate::step::ENQUEUE;
use crate::{EnqueueError, EnqueueOptions};

const UNIQUE_TTL: Duration = Duration::from_secs(21_600);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(200)];

/// Enqueues jobs through one connection, which any number of tasks may share.
#[derive(Clone)]
pub struct Producer<C = ConnectionManager> {
    connection: C,
    script: Script,
    prefix: String,
    default_queue: String,
    default_dlq: String,
}

/// What became of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submission {
    /// It waits in its queue.
    Queued {
        /// Its id; with [`OnConflict::Replace`](crate::OnConflict::Replace) that of the waiting job which it replaced.
        job_id: String,
    },
    /// There is none: another job holds the unique key.
    Duplicate {
        /// The id of that other job.
        holder: String,
    },
}

impl Producer {
    /// One with a connection of its own, which comes back by itself when it is lost.
    ///
    /// # Errors
    ///
    /// The address is none, or nobody answers there.
    pub async fn new(dsn: &str) -> Result<Self, EnqueueError> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECTION_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_number_of_retries(2);
        let client = Client::open(dsn)?;
        Ok(Self::with_connection(ConnectionManager::new_with_config(client, config).await?))
    }
}

impl<C: ConnectionLike + Clone> Producer<C> {
    /// One that uses this connection.
    pub fn with_connection(connection: C) -> Self {
        Self {
            connection,
            script: Script::new(ENQUEUE),
            prefix: "rrq".to_owned(),
            default_queue: "default".to_owned(),
            default_dlq: "default".to_owned(),
        }
    }

    /// Use another prefix of all keys than `rrq`: the setting `key_prefix`.
    #[must_use]
    pub fn with_key_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Use another queue for jobs that name none: the setting `default_queue_name`.
    #[must_use]
    pub fn with_default_queue(mut self, name: impl Into<String>) -> Self {
        self.default_queue = name.into();
        self
    }

    /// Say which dead letter queue the workers use: the setting `default_dlq_name`.
    #[must_use]
    pub fn with_default_dlq(mut self, name: impl Into<String>) -> Self {
        self.default_dlq = name.into();
        self
    }

    /// Enqueue a job; returns its id.
    ///
    /// # Errors
    ///
    /// [`EnqueueError`]; [`DuplicateJob`](EnqueueError::DuplicateJob) also with
    /// [`OnConflict::Skip`](crate::OnConflict::Skip), for there is no id then.
    pub async fn enqueue(
        &self,
        function_name: &str,
        args: Vec<Value>,
        kwargs: Map<String, Value>,
        options: EnqueueOptions,
    ) -> Result<String, EnqueueError> {
        match self.submit(function_name, args, kwargs, options).await? {
            Submission::Queued { job_id } => Ok(job_id),
            Submission::Duplicate { holder } => Err(EnqueueError::DuplicateJob { holder }),
        }
    }

    /// Enqueue a job that may be one too many: with [`OnConflict::Skip`](crate::OnConflict::Skip) that is no error.
    ///
    /// # Errors
    ///
    /// [`EnqueueError`].
    pub async fn submit(
        &self,
        function_name: &str,
        args: Vec<Value>,
        kwargs: Map<String, Value>,
        options: EnqueueOptions,
    ) -> Result<Submission, EnqueueError> {
        options.check()?;
        let call = self.call(function_name, args, kwargs, &options);
        let (_, answer): (String, Vec<String>) = self.carry_out(&call).await?;
        let word = |index: usize| answer.get(index).cloned().unwrap_or_default();
        match (word(0).as_str(), word(2).as_str()) {
            ("queued" | "repeated", _) => Ok(Submission::Queued { job_id: word(1) }),
            ("duplicate", _) => Ok(Submission::Duplicate { holder: word(1) }),
            (_, "running") => Err(EnqueueError::JobAlreadyRunning { job_id: word(3) }),
            _ => Err(EnqueueError::DuplicateJob { holder: word(3) }),
        }
    }

    /// The step's arguments, as the schema's page lists them.
    fn call(
        &self,
        function_name: &str,
        args: Vec<Value>,
        kwargs: Map<String, Value>,
        options: &EnqueueOptions,
    ) -> Vec<String> {
        let queue = options.queue_name.as_ref().unwrap_or(&self.default_queue);
        let bare = queue.strip_prefix(&format!("{}:queue:", self.prefix)).unwrap_or(queue);
        let integer = |value: Option<i64>| value.map(|value| value.to_string());
        let trace_context = options.trace_context.as_ref().filter(|headers| !headers.is_empty());
        let fields: Vec<(&str, String)> = [
            ("function_name", Some(function_name.to_owned())),
            ("job_args", Some(Value::from(args).to_string())),
            ("job_kwargs", Some(Value::from(kwargs).to_string())),
            ("queue_name", Some(queue.clone())),
            ("max_retries", integer(options.max_retries)),
            ("job_timeout_seconds", integer(options.job_timeout_seconds)),
            ("result_ttl_seconds", integer(options.result_ttl_seconds)),
            ("trace_context", trace_context.map(|headers| serde_json::json!(headers).to_string())),
            ("dlq_name", options.dlq_name.clone()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
        let (timing, timing_ms) = options.due();
        let unique_ttl = options.unique_ttl.unwrap_or(UNIQUE_TTL);
        let mut call = vec![
            self.default_dlq.clone(),
            "1".to_owned(),
            options.job_id.clone().unwrap_or_else(new_id),
            bare.to_owned(),
            timing.to_owned(),
            timing_ms,
            options.unique_key.clone().unwrap_or_default(),
            milliseconds(unique_ttl.as_micros().try_into().unwrap_or(i64::MAX)),
            options.on_conflict.name().to_owned(),
            // The same when the call is sent again, so that it is carried out once.
            options.job_id.as_ref().map_or_else(String::new, |_| new_id()),
            fields.len().to_string(),
        ];
        call.extend(fields.into_iter().flat_map(|(name, value)| [name.to_owned(), value]));
        call
    }

    /// Send the step; after a dropped connection, again with the same arguments.
    async fn carry_out<T: redis::FromRedisValue>(&self, call: &[String]) -> Result<T, RedisError> {
        let mut connection = self.connection.clone();
        let root = format!("{}:", self.prefix);
        let mut pauses = PAUSES.into_iter();
        loop {
            let mut invocation = self.script.key(&root);
            invocation.arg(call);
            match (invocation.invoke_async(&mut connection).await, pauses.next()) {
                (Err(error), Some(pause)) if is_lost(&error) => sleep(pause).await,
                (answer, _) => return answer,
            }
        }
    }
}

fn is_lost(error: &RedisError) -> bool {
    error.is_io_error() || error.is_timeout() || error.is_connection_dropped()
}

fn new_id() -> String {
    Uuid::new_v4().to_string()
}
