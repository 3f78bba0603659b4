//! Puts jobs into RRQ's queues.
//!
//! [`Producer::enqueue`] sends the Lua step that RRQ's own client sends: a job is written at once
//! or not at all, a sleeping worker wakes, and unique keys are kept. What it writes is said in
//! `docs/reference/schema.md`.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use rrq_producer::{EnqueueOptions, Producer};
//! use serde_json::{Map, json};
//!
//! # async fn example() -> Result<(), rrq_producer::EnqueueError> {
//! let producer = Producer::new("redis://localhost:6379/0").await?;
//! let args = vec![json!("a@example.com")];
//! let options = EnqueueOptions {
//!     queue_name: Some("urgent".to_owned()),
//!     defer_by: Some(Duration::from_secs(60)),
//!     ..EnqueueOptions::default()
//! };
//! let job_id = producer.enqueue("send_email", args, Map::new(), options).await?;
//! # Ok(())
//! # }
//! ```
//!
//! For `rediss://`, turn on a TLS feature of the crate `redis` in your own `Cargo.toml`, such as
//! `tokio-rustls-comp`.

mod error;
mod options;
mod producer;
mod step;

pub use error::EnqueueError;
pub use options::{EnqueueOptions, OnConflict};
pub use producer::{Producer, Submission};

/// The programs in the README are compiled, so that they stay true.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
