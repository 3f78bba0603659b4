//! The loop of an executor: lines in, handlers at work, lines out.

use std::any::Any;
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::{env, thread};

use rrq_protocol::{
    ExecutionOutcome, ExecutionRequest, Hello, Incoming, MAX_MESSAGE_BYTES, UNKNOWN_JOB, decode,
    encode,
};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet, spawn_blocking};

use crate::lines::{Line, read_lines, take_stdio, write_lines};
use crate::{Job, Registry};

const QUEUED_LINES: usize = 1024;

/// How an executor serves.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// How many jobs are carried out at once; others wait.
    pub max_in_flight: usize,
    /// The longest line, in and out.
    pub max_message_bytes: usize,
    /// What the worker understands beyond version 1: `hello`, `cancel`, `progress`.
    pub features: Vec<String>,
}

impl ServeOptions {
    /// The features that `RRQ_PROTOCOL_FEATURES` names, and the defaults.
    pub fn from_env() -> Self {
        let features = env::var("RRQ_PROTOCOL_FEATURES").unwrap_or_default();
        Self {
            features: features.split(',').map(|name| name.trim().to_owned()).collect(),
            ..Self::default()
        }
    }

    fn knows(&self, feature: &str) -> bool {
        self.features.iter().any(|name| name == feature)
    }
}

impl Default for ServeOptions {
    /// 32 jobs at once, lines of 16 MiB, no features: a plain executor of version 1.
    fn default() -> Self {
        Self { max_in_flight: 32, max_message_bytes: MAX_MESSAGE_BYTES, features: Vec::new() }
    }
}

/// Serve the worker that started this process, until stdin ends and what runs is done.
///
/// Stdin and stdout are the protocol's from then on: what is printed goes to stderr.
///
/// # Errors
///
/// Stdout cannot be written: the worker is gone.
pub async fn serve_stdio(registry: Registry, options: ServeOptions) -> io::Result<()> {
    let (input, output) = take_stdio()?;
    serve(registry, options, input, output).await
}

/// Serve whoever writes to `input`, until it ends and what runs is done.
///
/// # Errors
///
/// The output cannot be written.
pub async fn serve(
    registry: Registry,
    options: ServeOptions,
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
) -> io::Result<()> {
    let (read, mut lines) = mpsc::channel(QUEUED_LINES);
    let (written, to_write) = mpsc::channel(QUEUED_LINES);
    let max_bytes = options.max_message_bytes;
    thread::spawn(move || {
        if let Err(error) = read_lines(input, max_bytes, &read) {
            eprintln!("rrq-executor: stdin cannot be read: {error}");
        }
    });
    let writer = spawn_blocking(move || write_lines(output, to_write));
    let mut server = Server::new(registry, options, written);
    server.greet().await;
    let mut goes_on = true;
    // Once nobody takes lines any more, the rest is in vain.
    while (goes_on || !server.tasks.is_empty()) && !server.written.is_closed() {
        tokio::select! {
            line = lines.recv(), if goes_on => match line {
                Some(line) => server.take(line).await,
                None => goes_on = false,
            },
            Some(ended) = server.tasks.join_next_with_id() => server.settle(ended).await,
        }
    }
    drop(server);
    writer.await?
}

struct Server {
    registry: Registry,
    options: ServeOptions,
    written: mpsc::Sender<Vec<u8>>,
    room: Arc<Semaphore>,
    tasks: JoinSet<Vec<u8>>,
    job_ids: HashMap<Id, String>,
    running: HashMap<String, AbortHandle>,
}

impl Server {
    fn new(registry: Registry, options: ServeOptions, written: mpsc::Sender<Vec<u8>>) -> Self {
        Self {
            registry,
            written,
            room: Arc::new(Semaphore::new(options.max_in_flight)),
            options,
            tasks: JoinSet::new(),
            job_ids: HashMap::new(),
            running: HashMap::new(),
        }
    }

    async fn greet(&self) {
        if self.options.knows("hello") {
            self.send(encode(&Hello {
                features: vec!["cancel".to_owned(), "progress".to_owned()],
                max_in_flight: Some(self.options.max_in_flight),
                functions: Some(self.registry.functions().map(str::to_owned).collect()),
                runtime: Some(concat!("rust, rrq-executor ", env!("CARGO_PKG_VERSION")).to_owned()),
                ..Hello::default()
            }))
            .await;
        }
    }

    async fn take(&mut self, line: Line) {
        let text = match line {
            Line::Text(text) if text.trim_ascii().is_empty() => return,
            Line::Text(text) => text,
            Line::TooLong => {
                let most = self.options.max_message_bytes;
                let message = format!("The line is longer than {most} bytes");
                self.send(encode(&ExecutionOutcome::error(UNKNOWN_JOB, message))).await;
                return;
            }
        };
        match decode(&text) {
            Ok(Incoming::Request(request)) => self.begin(*request),
            // Nothing is done about one that has ended: its answer is on its way.
            Ok(Incoming::Cancel(cancel)) => {
                self.running.get(&cancel.job_id).inspect(|task| task.abort());
            }
            Err(bad) => self.send(encode(&bad.outcome())).await,
        }
    }

    fn begin(&mut self, request: ExecutionRequest) {
        let job_id = request.job_id.clone();
        let reports = self.options.knows("progress").then(|| self.written.clone());
        let job = Job::new(request, reports);
        let (registry, room) = (self.registry.clone(), Arc::clone(&self.room));
        let max_bytes = self.options.max_message_bytes;
        let task = self.tasks.spawn(async move {
            let _place = room.acquire_owned().await;
            bounded(&registry.execute(job).await, max_bytes)
        });
        self.job_ids.insert(task.id(), job_id.clone());
        self.running.insert(job_id, task);
    }

    async fn settle(&mut self, ended: Result<(Id, Vec<u8>), JoinError>) {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let Some(job_id) = self.job_ids.remove(&id) else { return };
        // Another run of the same job may have begun.
        if self.running.get(&job_id).is_some_and(|task| task.id() == id) {
            self.running.remove(&job_id);
        }
        let line = match ended {
            Ok((_, line)) => line,
            Err(error) => encode(&unfinished(job_id, error)),
        };
        self.send(line).await;
    }

    async fn send(&self, line: Vec<u8>) {
        // If nobody takes it, the loop ends.
        _ = self.written.send(line).await;
    }
}

/// The outcome of a handler that was stopped, or stopped itself.
fn unfinished(job_id: String, error: JoinError) -> ExecutionOutcome {
    match error.try_into_panic() {
        Ok(panic) => ExecutionOutcome::error(job_id, panic_text(&*panic)).with_type("Panic"),
        Err(_) => ExecutionOutcome::error(job_id, "The job was cancelled.").with_type("Cancelled"),
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("The handler panicked")
}

/// An outcome's line; if that is too long, one that says so.
fn bounded(outcome: &ExecutionOutcome, max_bytes: usize) -> Vec<u8> {
    let line = encode(outcome);
    if line.len() <= max_bytes {
        return line;
    }
    let message = format!("The outcome has {} bytes, the most is {max_bytes}", line.len());
    encode(&ExecutionOutcome::error(&outcome.job_id, message).with_type("ResultError"))
}
