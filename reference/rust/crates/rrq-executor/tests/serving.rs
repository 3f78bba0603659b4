//! Serving: what the worker writes is answered line by line, whatever handlers do.

#[path = "../../rrq-protocol/tests/support/mod.rs"]
mod support;

use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Read, Write, pipe};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rrq_executor::{HandlerError, Job, Registry, ServeOptions, serve};
use serde_json::{Value, json};
use support::{cases, line, same};

#[test]
fn values_come_back_as_they_were_sent() {
    let mut executor = Executor::start(ServeOptions::default());

    for (name, case) in cases("values") {
        let value = support::text(&case["json"]);
        executor.write(request("echo", &format!("[{value}]"), "{}").as_bytes());
        let answer = executor.read();
        assert!(same(&answer["result"][0], &support::json(&case["json"])), "{name}");
    }
}

#[test]
fn lines_that_are_no_request_are_answered_and_do_no_harm() {
    let mut executor = Executor::start(ServeOptions::default());

    for (name, case) in cases("bad_requests").into_iter().chain(cases("doubtful_requests")) {
        executor.write(&line(&case));
        let answer = executor.read();
        assert!(["j1", "unknown"].contains(&answer["job_id"].as_str().unwrap()), "{name}");
        executor.write(request("echo", "[]", "{}").as_bytes());
        assert_eq!(executor.read()["status"], "success", "{name}");
    }
}

#[test]
fn it_says_hello_only_to_a_worker_that_knows_what_that_is() {
    let mut plain = Executor::start(ServeOptions::default());
    plain.write(request("echo", "[1]", "{}").as_bytes());
    assert_eq!(plain.read()["status"], "success");

    let mut other = Executor::start(knowing(&["hello"]));
    let hello = other.read();

    assert_eq!(hello["type"], "hello");
    assert_eq!(hello["max_in_flight"], json!(32));
    assert!(hello["functions"].as_array().unwrap().contains(&json!("echo")));
}

#[test]
fn a_cancelled_handler_is_dropped_and_its_neighbour_goes_on() {
    let mut executor = Executor::start(knowing(&["cancel"]));
    executor.write(named("j1", "for_ever").as_bytes());
    executor.write(named("j2", "echo").as_bytes());
    assert_eq!(executor.read()["job_id"], "j2");

    executor.write(br#"{"type":"cancel","job_id":"j1"}"#);
    executor.write(br#"{"type":"cancel","job_id":"j2"}"#);

    let answer = executor.read();
    assert_eq!((&answer["job_id"], &answer["error_type"]), (&json!("j1"), &json!("Cancelled")));
    assert!(executor.end().is_empty());
}

#[test]
fn a_job_that_waits_for_room_can_be_cancelled() {
    let mut executor = Executor::start(ServeOptions { max_in_flight: 1, ..knowing(&["cancel"]) });
    executor.write(named("j1", "for_ever").as_bytes());
    executor.write(named("j2", "echo").as_bytes());

    executor.write(br#"{"type":"cancel","job_id":"j2"}"#);
    assert_eq!(executor.read()["job_id"], "j2");
    executor.write(br#"{"type":"cancel","job_id":"j1"}"#);
    assert_eq!(executor.read()["job_id"], "j1");
}

#[test]
fn a_deadline_is_kept() {
    let mut executor = Executor::start(ServeOptions::default());
    let late = named("j1", "for_ever")
        .replace(r#""attempt":1"#, r#""attempt":1,"deadline":"2001-01-01T00:00:00Z""#);

    executor.write(late.as_bytes());

    assert_eq!(executor.read()["status"], "timeout");
}

#[test]
fn a_panic_is_an_error_with_its_text() {
    let mut executor = Executor::start(ServeOptions::default());

    executor.write(request("panic", r#"["no luck"]"#, "{}").as_bytes());

    let answer = executor.read();
    assert_eq!((&answer["status"], &answer["error_type"]), (&json!("error"), &json!("Panic")));
    assert_eq!(answer["error_message"], "no luck");
}

#[test]
fn errors_and_arguments_that_do_not_fit_are_told_by_their_type() {
    let mut executor = Executor::start(ServeOptions::default());

    executor.write(request("number", r#"["seven"]"#, "{}").as_bytes());
    let answer = executor.read();
    assert_eq!(answer["error_type"], "ParseIntError");
    assert_eq!(answer["error_message"], "invalid digit found in string");
    executor.write(request("number", "[]", "{}").as_bytes());
    assert_eq!(executor.read()["error_message"], "argument 0 of number: is missing");
}

#[test]
fn a_retry_tells_its_delay_and_progress_comes_before_its_outcome() {
    let mut executor = Executor::start(knowing(&["progress"]));

    executor.write(request("retry", "[]", "{}").as_bytes());

    let progress = executor.read();
    assert_eq!(progress["type"], "progress");
    assert!(same(&progress["current"], &json!(1)));
    let answer = executor.read();
    assert_eq!(answer["status"], "retry");
    assert!(same(&answer["retry_after_seconds"], &json!(2.5)));
}

#[test]
fn lines_that_are_too_long_are_refused_in_and_out() {
    let options = ServeOptions { max_message_bytes: 400, ..ServeOptions::default() };
    let mut executor = Executor::start(options);

    executor.write(request("echo", &format!("[\"{}\"]", "x".repeat(400)), "{}").as_bytes());
    assert_eq!(executor.read()["error_message"], "The line is longer than 400 bytes");
    executor.write(request("long", "[]", "{}").as_bytes());
    let answer = executor.read();
    assert_eq!(answer["error_type"], "ResultError");
    assert!(answer["error_message"].as_str().unwrap().contains("the most is 400"));
}

#[test]
fn it_finishes_what_runs_when_its_input_ends() {
    let mut executor = Executor::start(ServeOptions::default());
    executor.write(named("j1", "a_moment").as_bytes());

    let rest = executor.end();

    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0]["status"], "success");
}

/// An executor that serves this test over pipes.
struct Executor {
    input: Option<PipeWriter>,
    output: BufReader<PipeReader>,
    served: Option<JoinHandle<std::io::Result<()>>>,
}

impl Executor {
    fn start(options: ServeOptions) -> Self {
        let (to_read, input) = pipe().unwrap();
        let (output, to_write) = pipe().unwrap();
        let served = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
            runtime.block_on(serve(handlers(), options, to_read, to_write))
        });
        Self { input: Some(input), output: BufReader::new(output), served: Some(served) }
    }

    fn write(&mut self, line: &[u8]) {
        let mut line = line.to_vec();
        line.push(b'\n');
        self.input.as_mut().unwrap().write_all(&line).unwrap();
    }

    fn read(&mut self) -> Value {
        let mut line = Vec::new();
        self.output.read_until(b'\n', &mut line).unwrap();
        serde_json::from_slice(&line).unwrap()
    }

    /// End its input; returns what it still says.
    fn end(&mut self) -> Vec<Value> {
        drop(self.input.take());
        self.served.take().unwrap().join().unwrap().unwrap();
        let lines = self.output.by_ref().split(b'\n');
        lines.map(|line| serde_json::from_slice(&line.unwrap()).unwrap()).collect()
    }
}

fn handlers() -> Registry {
    let mut registry = Registry::new();
    registry
        .register("echo", async |job: Job| Ok::<_, HandlerError>(job.into_request().args))
        .register("for_ever", async |_: Job| {
            std::future::pending::<()>().await;
            Ok::<_, HandlerError>(())
        })
        .register("a_moment", async |_: Job| {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok::<_, HandlerError>(())
        })
        .register("panic", async |job: Job| -> Result<(), HandlerError> {
            panic!("{}", job.arg::<String>(0)?)
        })
        .register("number", async |job: Job| {
            Ok::<i32, HandlerError>(job.arg::<String>(0)?.parse()?)
        })
        .register("retry", async |job: Job| -> Result<(), HandlerError> {
            job.progress(1.0, None, "begun");
            Err(HandlerError::retry("not yet").after(Duration::from_millis(2500)))
        })
        .register("long", async |_: Job| Ok::<_, HandlerError>("x".repeat(400)));
    registry
}

fn knowing(features: &[&str]) -> ServeOptions {
    let features = features.iter().map(|name| (*name).to_owned()).collect();
    ServeOptions { features, ..ServeOptions::default() }
}

fn named(job_id: &str, function_name: &str) -> String {
    request(function_name, "[]", "{}").replace("\"j1\"", &json!(job_id).to_string())
}

fn request(function_name: &str, args: &str, kwargs: &str) -> String {
    format!(
        r#"{{"protocol_version":"1","job_id":"j1","function_name":"{function_name}","args":{args},"kwargs":{kwargs},"context":{{"job_id":"j1","attempt":1,"enqueue_time":"2026-01-01T12:00:00Z","queue_name":"default"}}}}"#
    )
}
