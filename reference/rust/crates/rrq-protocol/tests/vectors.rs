//! The test vectors of all languages, as far as they concern who reads requests.

mod support;

use chrono::{DateTime, Utc};
use rrq_protocol::{
    ExecutionOutcome, Hello, Incoming, OutcomeStatus, Progress, UNKNOWN_JOB, decode, encode,
};
use serde_json::{Value, json};
use support::{cases, line, same, text, without_nulls};

#[test]
fn requests_are_read_as_they_are_meant() {
    for (name, case) in cases("requests") {
        let read = decode(&line(&case)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let Incoming::Request(request) = read else { panic!("{name}: no request") };
        let expected = &case["expect"];
        let context = &request.context;
        assert_eq!(expected["job_id"], *request.job_id, "{name}");
        assert_eq!(expected["function_name"], *request.function_name, "{name}");
        assert!(same(&support::json(&expected["args"]), &Value::from(request.args)), "{name}");
        assert!(same(&support::json(&expected["kwargs"]), &Value::from(request.kwargs)), "{name}");
        let told = json!({
            "attempt": context.attempt,
            "enqueue_time": moment(Some(&context.enqueue_time)),
            "queue_name": context.queue_name,
            "deadline": moment(context.deadline.as_ref()),
            "trace_context": context.trace_context,
            "worker_id": context.worker_id,
            "lease_token": context.lease_token,
        });
        assert_eq!(expected["context"], told, "{name}");
    }
}

#[test]
fn a_request_that_is_written_reads_the_same() {
    for (name, case) in cases("requests") {
        let read = decode(&line(&case)).unwrap();
        let Incoming::Request(request) = &read else { panic!("{name}: no request") };
        assert_eq!(decode(&encode(request)).unwrap(), read, "{name}");
    }
}

#[test]
fn lines_that_are_no_request_are_refused_in_the_right_words() {
    for (name, case) in cases("bad_requests") {
        let Err(bad) = decode(&line(&case)) else { panic!("{name}: it is read") };
        let (answer, expected) = (bad.outcome(), &case["answer"]);
        assert_eq!(answer.status, OutcomeStatus::Error, "{name}");
        let ids = expected["job_id"].as_array().unwrap();
        assert!(ids.contains(&json!(answer.job_id)), "{name}: {}", answer.job_id);
        if let Some(message) = expected["error_message"].as_str() {
            assert_eq!(answer.error_message.as_deref(), Some(message), "{name}");
        }
    }
}

#[test]
fn the_id_of_a_bad_request_is_used_where_it_can_be_read() {
    let bad = decode(br#"{"protocol_version":"1","job_id":"j1","function_name":7}"#).unwrap_err();

    assert_eq!(bad.outcome().job_id, "j1");
    assert_eq!(decode(b"{}").unwrap_err().outcome().job_id, UNKNOWN_JOB);
}

#[test]
fn outcomes_say_what_they_are_meant_to() {
    for (name, case) in cases("outcomes") {
        let outcome = outcome_of(&case["outcome"]);
        let wanted: Value = serde_json::from_slice(&line(&case)).unwrap();
        let written: Value = serde_json::from_slice(&encode(&outcome)).unwrap();
        let fields = without_nulls(written.clone());
        for (field, value) in fields.as_object().unwrap() {
            assert!(same(value, &wanted[field]), "{name}: {field}");
        }
        let read: ExecutionOutcome = serde_json::from_value(wanted).unwrap();
        let reread = serde_json::to_value(&read).unwrap();
        assert!(same(&without_nulls(reread), &fields), "{name}");
    }
}

#[test]
fn hello_and_progress_say_what_they_are_meant_to_and_a_cancel_is_read() {
    for (name, case) in cases("messages") {
        let message = &case["message"];
        let written = match case["type"].as_str().unwrap() {
            "hello" => encode(&serde_json::from_value::<Hello>(message.clone()).unwrap()),
            "progress" => encode(&serde_json::from_value::<Progress>(message.clone()).unwrap()),
            _ => {
                let Ok(Incoming::Cancel(cancel)) = decode(&line(&case)) else { panic!("{name}") };
                assert_eq!(message["job_id"], *cancel.job_id, "{name}");
                continue;
            }
        };
        let mut said = without_nulls(serde_json::from_slice(&written).unwrap());
        let kind = said.as_object_mut().unwrap().remove("type");
        assert_eq!(kind, Some(case["type"].clone()), "{name}");
        assert!(same(&said, message), "{name}: {said}");
    }
}

#[test]
fn times_are_the_moments_that_they_name_and_are_written_so_again() {
    for (name, case) in cases("times") {
        let read: DateTime<Utc> = serde_json::from_value(case["text"].clone()).expect(&name);
        let wanted =
            json!({"unix_seconds": case["unix_seconds"], "nanoseconds": case["nanoseconds"]});
        assert_eq!(moment(Some(&read)), wanted, "{name}");
        let written = serde_json::to_value(read).unwrap();
        assert_eq!(serde_json::from_value::<DateTime<Utc>>(written).unwrap(), read, "{name}");
    }
    for (name, case) in cases("bad_times") {
        let read = serde_json::from_value::<DateTime<Utc>>(case["text"].clone());
        assert!(read.is_err(), "{name}: {read:?}");
    }
}

#[test]
fn lines_that_are_no_outcome_are_refused() {
    for (name, case) in cases("bad_executor_lines") {
        let read = serde_json::from_slice::<ExecutionOutcome>(&line(&case));
        let kind = serde_json::from_slice::<Value>(&line(&case))
            .ok()
            .and_then(|message| message["type"].as_str().map(str::to_owned));
        if kind.is_none() {
            assert!(read.is_err(), "{name}: {read:?}");
        }
    }
}

fn outcome_of(case: &Value) -> ExecutionOutcome {
    let mut fields = case.clone();
    if let Some(result) = case.get("result") {
        fields["result"] = serde_json::from_str(&text(result)).unwrap();
    }
    serde_json::from_value(fields).unwrap()
}

fn moment(time: Option<&DateTime<Utc>>) -> Value {
    time.map_or(Value::Null, |time| {
        json!({"unix_seconds": time.timestamp(), "nanoseconds": time.timestamp_subsec_nanos()})
    })
}
