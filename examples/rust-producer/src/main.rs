//! Enqueues jobs from the command line:
//!
//! ```sh
//! rust-producer FUNCTION ['[arguments]'] ['{keyword arguments}']
//! ```
//!
//! `RRQ_REDIS_DSN` says where Redis is, `RRQ_KEY_PREFIX` what its keys begin with. What is
//! enqueued twice within a minute, with the same arguments, runs once.

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use rrq_producer::{EnqueueOptions, OnConflict, Producer, Submission};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rust-producer: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut words = env::args().skip(1);
    let function_name = words
        .next()
        .ok_or("which function? rust-producer FUNCTION [ARGS] [KWARGS]")?;
    let args = words.next().unwrap_or_else(|| "[]".to_owned());
    let kwargs = words.next().unwrap_or_else(|| "{}".to_owned());

    let dsn = env::var("RRQ_REDIS_DSN").unwrap_or_else(|_| "redis://localhost:6379/0".to_owned());
    let prefix = env::var("RRQ_KEY_PREFIX").unwrap_or_else(|_| "rrq".to_owned());
    let producer = Producer::new(&dsn).await?.with_key_prefix(prefix);

    let options = EnqueueOptions {
        unique_key: Some(format!("{function_name} {args} {kwargs}")),
        unique_ttl: Some(Duration::from_secs(60)),
        on_conflict: OnConflict::Skip,
        max_retries: Some(3),
        ..EnqueueOptions::default()
    };
    let args = serde_json::from_str(&args).map_err(|error| format!("{args}: {error}"))?;
    let kwargs = serde_json::from_str(&kwargs).map_err(|error| format!("{kwargs}: {error}"))?;
    match producer
        .submit(&function_name, args, kwargs, options)
        .await?
    {
        Submission::Queued { job_id } => println!("{job_id}"),
        Submission::Duplicate { holder } => println!("{holder} (it was already there)"),
    }
    Ok(())
}
