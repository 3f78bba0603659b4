//! Enqueues the test vectors, for `rrq producer check -- enqueue_vectors`.
//!
//! `RRQ_VECTORS` is the file that has them, `RRQ_REDIS_DSN` where to. It prints each job's id.

use std::collections::HashMap;
use std::env;
use std::error::Error;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rrq_producer::{EnqueueError, EnqueueOptions, OnConflict, Producer, Submission};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    function_name: String,
    args: Text,
    kwargs: Text,
    options: Options,
}

#[derive(Deserialize)]
struct Options {
    queue_name: Option<String>,
    job_id: Option<String>,
    unique_key: Option<String>,
    on_conflict: Option<String>,
    max_retries: Option<i64>,
    job_timeout_seconds: Option<i64>,
    result_ttl_seconds: Option<i64>,
    defer_by_seconds: Option<f64>,
    defer_until: Option<DateTime<Utc>>,
    trace_context: Option<HashMap<String, String>>,
}

/// A text of the vectors: itself, or pieces that may be repeated.
#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Whole(String),
    Pieces(Vec<Piece>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Piece {
    Once(String),
    Repeated { repeat: String, times: serde_json::Number },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let vectors: Vectors = serde_json::from_slice(&std::fs::read(env::var("RRQ_VECTORS")?)?)?;
    let producer = Producer::new(&env::var("RRQ_REDIS_DSN")?).await?;
    for case in vectors.cases {
        let args = serde_json::from_str(&case.args.joined())?;
        let kwargs = serde_json::from_str(&case.kwargs.joined())?;
        let options = case.options.try_into()?;
        match producer.submit(&case.function_name, args, kwargs, options).await {
            Ok(Submission::Queued { job_id }) => println!("{job_id}"),
            Ok(Submission::Duplicate { holder }) | Err(EnqueueError::DuplicateJob { holder }) => {
                eprintln!("{}: job {holder} holds the key", case.name);
            }
            Err(error) => return Err(format!("{}: {error}", case.name).into()),
        }
    }
    Ok(())
}

impl TryFrom<Options> for EnqueueOptions {
    type Error = Box<dyn Error>;

    fn try_from(options: Options) -> Result<Self, Self::Error> {
        Ok(Self {
            queue_name: options.queue_name,
            job_id: options.job_id,
            unique_key: options.unique_key,
            on_conflict: match options.on_conflict.as_deref().unwrap_or("skip") {
                "skip" => OnConflict::Skip,
                "raise" => OnConflict::Raise,
                "defer" => OnConflict::Defer,
                "replace" => OnConflict::Replace,
                other => return Err(format!("on_conflict cannot be {other}").into()),
            },
            max_retries: options.max_retries,
            job_timeout_seconds: options.job_timeout_seconds,
            result_ttl_seconds: options.result_ttl_seconds,
            defer_by: options.defer_by_seconds.map(Duration::try_from_secs_f64).transpose()?,
            scheduled_time: options.defer_until,
            trace_context: options.trace_context,
            ..Self::default()
        })
    }
}

impl Text {
    fn joined(&self) -> String {
        match self {
            Self::Whole(text) => text.clone(),
            Self::Pieces(pieces) => pieces.iter().map(Piece::text).collect(),
        }
    }
}

impl Piece {
    fn text(&self) -> String {
        match self {
            Self::Once(text) => text.clone(),
            Self::Repeated { repeat, times } => {
                let times = times.as_u64().expect("a count of repetitions");
                repeat.repeat(times.try_into().expect("a count that memory has room for"))
            }
        }
    }
}
