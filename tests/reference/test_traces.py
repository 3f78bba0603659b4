"""One trace from a producer in Python through a worker into executors in every language.

All of them send OTLP to one receiver: the producer with OpenTelemetry's SDK, the worker and the
executor in Python with rrq-otel, the other executors with the SDKs of their languages.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from rrq.embedded import EmbeddedRedis
from tests.support.places import Place

from .mixed_languages import LANGUAGES, place_of, worker_command

receiver: Any = import_module("plugins.rrq-otel.tests.receiver")
Span = Any
"""A `SeenSpan` of the receiver."""

ERROR_TYPES = {
    "Python": "ValueError",
    "Rust": "Refusal",
    "Go": "errors.errorString",
    "TypeScript": "RangeError",
}

pytestmark = [pytest.mark.timeout(900), pytest.mark.parametrize("language", LANGUAGES)]


@pytest.fixture(scope="module")
def seen(
    rrq_redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Span]]:
    """Every span that arrived of one run of the example with tracing."""
    rrq_redis_server.flush()
    with receiver.http_receiver() as collector:
        for mixed in place_of(tmp_path_factory.mktemp("mixed")):
            run(mixed, rrq_redis_server.dsn, collector)
            yield collector.spans


def run(mixed: Place, redis_dsn: str, collector: Any) -> None:
    """Have the jobs of the example carried out, and everything sent that was held."""
    variables = {
        "RRQ_REDIS_DSN": redis_dsn,
        "RRQ_DISABLED_PLUGINS": "ddtrace,logfire,prometheus",
        **collector.environment(OTEL_SERVICE_NAME="greetings-worker"),
        # So that what arrives has been sent at the end of each process, and not before.
        "OTEL_BSP_SCHEDULE_DELAY": "600000",
    }
    worker = mixed.start(*worker_command(), **variables)
    mixed.run("python", "producer.py", "--count", "1", **variables)
    stopped = worker.stop()
    assert stopped.code == 0, stopped.stderr


def job_spans(seen: list[Span], language: str, function: str) -> list[Span]:
    """The attempts of the jobs of this function that went to the executor in this language."""
    found = [
        span
        for span in seen
        if span.name == "rrq.job"
        and span.attributes["rrq.executor"] == language.lower()
        and span.attributes["rrq.function"].removeprefix(f"{language.lower()}#") == function
    ]
    return sorted(found, key=lambda span: span.start_ns)


def only(spans: list[Span]) -> Span:
    [span] = spans
    return span


def children(seen: list[Span], parent: Span) -> list[Span]:
    return [span for span in seen if span.parent_id == parent.span_id]


def test_every_span_of_a_job_is_in_the_trace_of_its_producer(
    seen: list[Span], language: str
) -> None:
    jobs = job_spans(seen, language, "greet")
    assert len({job.attributes["rrq.job_id"] for job in jobs}) == len(jobs) == 2
    assert len({job.trace_id for job in jobs}) == 2
    for job in jobs:
        trace = [span for span in seen if span.trace_id == job.trace_id]
        root = only([span for span in trace if not span.parent_id])
        enqueue = only(children(seen, root))
        assert only(children(seen, enqueue)) is job
        execution = only(children(seen, job))
        own = only(children(seen, execution))
        names = [span.name for span in (root, enqueue, job, execution, own)]
        assert names == [
            "ask to greet", "rrq.enqueue", "rrq.job", "rrq.executor", "compose greeting",
        ]  # fmt: skip
        assert len(trace) == len(names)
        services = [span.resource["service.name"] for span in (root, job, execution, own)]
        executor = f"greetings-{language.lower()}"
        assert services == ["greetings-producer", "greetings-worker", executor, executor]
        assert job.start_ns <= execution.start_ns <= own.start_ns <= own.end_ns <= execution.end_ns


def test_the_executors_span_says_what_the_workers_says(seen: list[Span], language: str) -> None:
    for job in job_spans(seen, language, "greet"):
        execution = only(children(seen, job))
        assert (execution.kind, execution.status, execution.events) == ("INTERNAL", "UNSET", [])
        shared = {
            name: job.attributes[name]
            for name in job.attributes
            if name.startswith("messaging.")
            or name in ("rrq.job_id", "rrq.queue", "rrq.attempt", "rrq.worker_id", "rrq.outcome")
        }
        assert len(shared) == 12
        assert shared.items() <= execution.attributes.items()
        assert execution.attributes["rrq.outcome"] == "success"
        # The executor is told the handler's name alone.
        assert execution.attributes["rrq.function"] == "greet"
        assert execution.attributes["span.kind"] == "internal"


def test_each_attempt_of_a_failed_job_has_its_own_execution_which_is_an_error(
    seen: list[Span], language: str
) -> None:
    jobs = job_spans(seen, language, "refuse")
    assert len(jobs) == 4
    traces = {job.trace_id: [one for one in jobs if one.trace_id == job.trace_id] for job in jobs}
    for first, second in traces.values():
        assert [first.attributes["rrq.outcome"], second.attributes["rrq.outcome"]] == [
            "retry", "dlq",
        ]  # fmt: skip
        assert second.links == [first.span_id]
        for attempt, job in enumerate((first, second), 1):
            execution = only(children(seen, job))
            assert execution.attributes["rrq.attempt"] == attempt
            assert execution.attributes["rrq.outcome"] == "error"
            assert execution.attributes["error.type"] == ERROR_TYPES[language]
            assert job.attributes["error.type"] == ERROR_TYPES[language]
            assert (execution.status, execution.status_text) == ("ERROR", "not Zoë 0")
            assert execution.event_names == ["exception"]
            exception = execution.events[0].attributes
            assert exception["exception.type"].endswith(ERROR_TYPES[language])
            assert exception["exception.message"] == "not Zoë 0"
