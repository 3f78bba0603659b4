"""What Datadog's agent gets of a producer, a worker and an executor process."""

from __future__ import annotations

import json

import pytest

from tests.support.traced_shop import FUNCTIONS, TracedShop

from .agent import TestAgent


def test_all_spans_of_producer_worker_and_executor_are_in_one_trace_of_128_bits(
    shop: TracedShop, agent: TestAgent
) -> None:
    request = agent.named("GET /buy")
    for function in FUNCTIONS:
        job_id = shop.jobs[function]
        enqueue = agent.span("rrq.enqueue", job_id)
        job = agent.span("rrq.job", job_id, attempt=1)

        assert enqueue["parent_id"] == request["span_id"]
        assert job["parent_id"] == enqueue["span_id"]
        assert job["trace_id"] == enqueue["trace_id"] == request["trace_id"]
        assert job["meta"]["_dd.p.tid"] == request["meta"]["_dd.p.tid"] != ""
        if function != "nobody":
            execution = agent.span("rrq.executor", job_id, attempt=1)
            assert execution["parent_id"] == job["span_id"]
            assert execution["trace_id"] == request["trace_id"]
            assert execution["meta"]["_dd.p.tid"] == request["meta"]["_dd.p.tid"]
            assert execution["metrics"]["process_id"] != job["metrics"]["process_id"]


def test_the_spans_of_a_handler_are_below_its_execution(shop: TracedShop, agent: TestAgent) -> None:
    execution = agent.span("rrq.executor", shop.jobs["buy"])

    (child,) = [span for span in agent.spans() if span["parent_id"] == execution["span_id"]]

    assert child["name"] == "charge card"
    assert child["trace_id"] == execution["trace_id"]


@pytest.mark.parametrize(
    ("name", "kind", "operation"),
    [
        ("rrq.enqueue", "producer", "publish"),
        ("rrq.job", "consumer", "process"),
        ("rrq.executor", "internal", "process"),
    ],
)
def test_every_span_says_what_it_is_about(
    shop: TracedShop, agent: TestAgent, name: str, kind: str, operation: str
) -> None:
    job_id = shop.jobs["buy"]

    span = agent.span(name, job_id)

    assert (span["service"], span["resource"], span["type"]) == ("shop", "buy", "worker")
    expected = {
        "service.name": "shop",
        "env": "staging",
        "version": "4.2",
        "component": "rrq",
        "span.kind": kind,
        "messaging.system": "redis",
        "messaging.destination.name": "default",
        "messaging.destination_kind": "queue",
        "messaging.operation": operation,
        "messaging.message.id": job_id,
        "rrq.job_id": job_id,
        "rrq.function": "buy",
        "rrq.queue": "default",
        "tenant": "acme",
    }
    assert span["meta"] | expected == span["meta"]
    assert span["metrics"]["order"] == 7
    assert "error.message" not in span["meta"]


def test_a_job_tells_its_worker_its_times_and_its_outcome_and_is_measured(
    shop: TracedShop, agent: TestAgent
) -> None:
    job = agent.span("rrq.job", shop.jobs["buy"])

    execution = agent.span("rrq.executor", shop.jobs["buy"])

    assert job["meta"]["rrq.worker_id"].startswith("rrq_worker_")
    assert execution["meta"]["rrq.worker_id"] == job["meta"]["rrq.worker_id"]
    assert job["meta"]["rrq.executor"] == "python"
    assert job["metrics"]["rrq.timeout_seconds"] == 300
    assert job["metrics"]["rrq.queue_delay_ms"] >= 0
    assert job["metrics"]["rrq.duration_ms"] == pytest.approx(job["duration"] / 1e6, abs=0.01)
    assert job["start"] <= execution["start"]
    assert execution["start"] + execution["duration"] <= job["start"] + job["duration"]
    assert job["metrics"]["_dd.measured"] == 1
    assert job["metrics"]["_sampling_priority_v1"] == 1


@pytest.mark.parametrize(
    ("function", "attempt", "outcome", "error", "dead_lettered"),
    [
        ("buy", 1, "success", None, False),
        ("wobble", 1, "retry", None, False),
        ("wobble", 2, "success", None, False),
        ("break", 1, "retry", ("LookupError", "out of stock"), False),
        ("break", 2, "dlq", ("LookupError", "out of stock"), True),
        ("oversleep", 1, "timeout", ("Timeout", "Job timed out after 1s."), True),
        ("linger", 1, "cancelled", None, False),
        (
            "nobody",
            1,
            "dlq",
            ("handler_not_found", "No handler registered for function 'nobody'"),
            True,
        ),
    ],
)
def test_an_attempt_is_an_error_if_it_failed_and_says_what_became_of_it(
    shop: TracedShop,
    agent: TestAgent,
    function: str,
    attempt: int,
    outcome: str,
    error: tuple[str, str] | None,
    dead_lettered: bool,
) -> None:
    job = agent.span("rrq.job", shop.jobs[function], attempt)

    meta = job["meta"]
    assert meta["rrq.outcome"] == outcome
    assert job["error"] == (error is not None)
    assert (meta.get("error.type"), meta.get("error.message")) == (error or (None, None))
    assert (meta.get("rrq.dead_lettered") == "true") is dead_lettered
    assert ("rrq.retry_delay_ms" in job["metrics"]) is (outcome == "retry")


@pytest.mark.parametrize(
    ("function", "outcome", "error", "message"),
    [
        ("wobble", "retry", 0, None),
        ("break", "error", 1, "out of stock"),
        ("oversleep", "timeout", 1, "timeout"),
        ("linger", "cancelled", 0, None),
    ],
)
def test_the_executors_span_tells_how_the_handler_ended(
    shop: TracedShop,
    agent: TestAgent,
    function: str,
    outcome: str,
    error: int,
    message: str | None,
) -> None:
    execution = agent.span("rrq.executor", shop.jobs[function], attempt=1)

    meta = execution["meta"]
    assert (meta["rrq.outcome"], execution["error"]) == (outcome, error)
    assert meta.get("error.message") == message
    assert ("in break_\n" in meta.get("error.stack", "")) is (function == "break")


@pytest.mark.parametrize("function", ["wobble", "break"])
def test_a_retry_is_in_the_same_trace_and_linked_to_the_attempt_before_it(
    shop: TracedShop, agent: TestAgent, function: str
) -> None:
    job_id = shop.jobs[function]
    first, second = (agent.span("rrq.job", job_id, attempt) for attempt in (1, 2))

    (link,) = json.loads(second["meta"]["_dd.span_links"])

    assert int(link["span_id"], 16) == first["span_id"]
    assert int(link["trace_id"][16:], 16) == first["trace_id"] == second["trace_id"]
    assert link["attributes"] == {"rrq.link": "previous_attempt"}
    assert first["parent_id"] == second["parent_id"]
    assert agent.span("rrq.executor", job_id, 2)["parent_id"] == second["span_id"]


def test_the_workers_log_has_the_ids_that_datadog_joins_it_by(
    shop: TracedShop, agent: TestAgent
) -> None:
    job = agent.span("rrq.job", shop.jobs["oversleep"])
    lines = [json.loads(line) for line in shop.worker.stderr.splitlines()]

    (line,) = [line for line in lines if line.get("job_id") == shop.jobs["oversleep"]]

    assert line["dd.span_id"] == str(job["span_id"])
    assert line["dd.trace_id"] == job["meta"]["_dd.p.tid"] + f"{job['trace_id']:016x}"
    assert (line["dd.service"], line["dd.env"], line["dd.version"]) == ("shop", "staging", "4.2")


def test_the_agent_finds_nothing_wrong_with_what_it_gets(
    shop: TracedShop, agent: TestAgent
) -> None:
    agent.span("rrq.executor", shop.jobs["buy"])

    assert agent.objections() == ""


def test_worker_and_executor_report_nothing_to_datadog_but_their_traces(
    shop: TracedShop, agent: TestAgent
) -> None:
    worker = agent.span("rrq.job", shop.jobs["buy"])["meta"]["runtime-id"]
    executor = agent.span("rrq.executor", shop.jobs["buy"])["meta"]["runtime-id"]
    producer = agent.named("GET /buy")["meta"]["runtime-id"]

    # In the application's own process ddtrace does as it likes.
    assert agent.reporting_processes() == {producer}
    assert not {worker, executor} & {producer}
    assert agent.requested() <= {"/v0.5/traces", "/telemetry/proxy/api/v2/apmtelemetry"}
