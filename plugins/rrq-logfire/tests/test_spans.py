"""The backend's calls become Logfire's spans, in an instance of these tests' own.

Logfire is imported by the tests that need it, for it takes every process that collects them long.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pytest
from msgspec.structs import replace
from opentelemetry import propagate
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from rrq.telemetry import Attempt, EnqueuedJob, FinishedJob, RunningJob, StartedJob

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = PARENT[:-1] + "0"

ENQUEUED = EnqueuedJob(job_id="7", function_name="buy", queue_name="default")
STARTED = StartedJob(
    job_id="7",
    function_name="buy",
    queue_name="default",
    worker_id="rrq_worker_1",
    executor_name="python",
    attempt=1,
    max_retries=3,
    timeout_seconds=10,
    queue_delay_ms=1.5,
    enqueue_time="2026-01-01T00:00:00Z",
    lease_token=1,
    previous_lease_token=None,
    started_ns=10**18,
    trace_context={"traceparent": PARENT},
)
FINISHED = FinishedJob(outcome="success", ended_ns=10**18 + 10**6, duration_ms=1.0)
RUNNING = RunningJob(
    job_id="7",
    function_name="buy",
    queue_name="default",
    attempt=1,
    worker_id="rrq_worker_1",
    enqueue_time=STARTED.enqueue_time,
    trace_context={"traceparent": PARENT},
)


class Bench:
    """A backend, and what it exported."""

    def __init__(self) -> None:
        import logfire
        from logfire.testing import TestExporter

        from rrq_logfire.backend import LogfireTelemetry

        self.exporter = TestExporter()
        self.logfire = logfire.configure(
            local=True,
            send_to_logfire=False,
            console=False,
            metrics=False,
            additional_span_processors=[SimpleSpanProcessor(self.exporter)],
        )
        self.backend = LogfireTelemetry(self.logfire)

    @property
    def spans(self) -> list[dict[str, Any]]:
        return self.exporter.exported_spans_as_dict()

    def attempt(self, job: StartedJob, finished: FinishedJob, **attributes: str) -> dict[str, Any]:
        carried = self.backend.carry(job)
        self.backend.attempt(
            Attempt(started=job, finished=finished, carried=carried, attributes=attributes)
        )
        return self.spans[-1]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A backend of its own; what Logfire changes for the whole process is as before afterwards."""
    for owner, name in (
        (os, "_exit"),
        (ThreadPoolExecutor, "submit"),
        (ProcessPoolExecutor, "submit"),
    ):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    propagator = propagate.get_global_textmap()
    yield Bench()
    propagate.set_global_textmap(propagator)


def test_what_looks_like_a_secret_is_scrubbed_on_every_span(bench: Bench) -> None:
    private = {"note": "my password is 1234"}
    with bench.backend.enqueue(replace(ENQUEUED, trace_context={}, attributes=private)):
        pass
    with bench.backend.execution(replace(RUNNING, attributes=private)):
        pass
    failed = replace(
        FINISHED, outcome="dlq", is_dead_lettered=True, error_message="no such session: abcd"
    )
    dead = bench.attempt(STARTED, failed, **private)

    notes = [span["attributes"]["note"] for span in bench.spans if "events" not in span]
    assert {*notes, dead["attributes"]["note"]} == {"[Scrubbed due to 'password']"}
    assert dead["attributes"]["rrq.error_message"] == "[Scrubbed due to 'session']"


def test_a_job_whose_trace_is_not_sampled_is_in_none_of_its_spans(bench: Bench) -> None:
    job = replace(STARTED, trace_context={"traceparent": UNSAMPLED})

    carried = bench.backend.carry(job)
    bench.backend.attempt(Attempt(started=job, finished=FINISHED, carried=carried))
    with bench.backend.execution(replace(RUNNING, trace_context=carried)):
        pass

    assert carried["traceparent"].startswith(UNSAMPLED[:36])
    assert carried["traceparent"].endswith("-00")
    assert bench.spans == []


def test_all_runs_of_a_job_without_a_producers_trace_are_one_trace(bench: Bench) -> None:
    job = replace(STARTED, trace_context={})
    first = bench.attempt(job, replace(FINISHED, outcome="lost", reason="lease lost"))
    second = bench.attempt(replace(job, lease_token=2, previous_lease_token=1), FINISHED)

    assert (first["parent"], second["parent"]) == (None, None)
    assert second["context"]["trace_id"] == first["context"]["trace_id"]
    assert second["links"][0]["context"]["span_id"] == first["context"]["span_id"]


@pytest.mark.parametrize(("outcome", "level"), [("lost", 13), ("released", 9)])
def test_an_attempt_that_goes_on_elsewhere_is_no_error(
    bench: Bench, outcome: Any, level: int
) -> None:
    span = bench.attempt(STARTED, replace(FINISHED, outcome=outcome))

    assert span["attributes"]["logfire.level_num"] == level
    assert [event["name"] for event in span["events"]] == [
        {"lost": "rrq.lost", "released": "rrq.release"}[outcome]
    ]


def test_the_times_of_a_jobs_span_are_the_attempts(bench: Bench) -> None:
    span = bench.attempt(STARTED, FINISHED)

    assert (span["start_time"], span["end_time"]) == (STARTED.started_ns, FINISHED.ended_ns)


def test_an_attempt_is_never_told_of_as_pending(bench: Bench) -> None:
    bench.attempt(STARTED, FINISHED)

    (span,) = bench.exporter.exported_spans
    assert span.attributes is not None
    assert span.attributes["logfire.span_type"] == "span"


def test_a_job_that_was_refused_before_it_was_carried_has_the_id_that_it_would_have(
    bench: Bench,
) -> None:
    carried = bench.backend.carry(STARTED)
    bench.backend.attempt(Attempt(started=STARTED, finished=FINISHED))

    (span,) = bench.spans
    assert f"{span['context']['span_id']:016x}" == carried["traceparent"].split("-")[2]


def test_the_enqueue_span_is_not_current_and_the_callers_headers_are_its_parent(
    bench: Bench,
) -> None:
    job = replace(ENQUEUED, trace_context={"traceparent": PARENT, "x-own": "kept"})
    with bench.backend.enqueue(job), bench.logfire.span("meanwhile"):
        pass

    meanwhile, enqueue = bench.spans
    assert meanwhile["parent"] is None
    assert f"{enqueue['parent']['span_id']:016x}" == PARENT.split("-")[2]
    assert job.trace_context["traceparent"].split("-")[2] == f"{enqueue['context']['span_id']:016x}"
    assert job.trace_context["x-own"] == "kept"


def test_an_enqueue_that_fails_is_recorded_as_an_error(bench: Bench) -> None:
    with (
        pytest.raises(ConnectionError),
        bench.backend.enqueue(replace(ENQUEUED, trace_context={})),
    ):
        raise ConnectionError("Redis is away")

    (span,) = bench.spans
    assert span["attributes"]["logfire.level_num"] == 17
    assert span["attributes"]["error.type"] == "ConnectionError"
    assert span["events"][0]["attributes"]["exception.message"] == "Redis is away"


def test_baggage_of_the_producer_is_on_the_span_of_the_job(bench: Bench) -> None:
    job = replace(STARTED, trace_context={"traceparent": PARENT, "baggage": "team=blue"})

    assert bench.attempt(job, FINISHED)["attributes"]["team"] == "blue"


def test_an_application_can_suppress_the_spans_of_rrq(bench: Bench) -> None:
    bench.logfire.suppress_scopes("logfire.rrq")

    assert bench.backend.is_idle
    assert bench.backend.carry(STARTED) == {}
