"""One trace from a producer in Python through a worker into executors in every language.

All of them send OTLP to one receiver: the producer with OpenTelemetry's SDK, the worker and the
executor in Python with rrq-otel, the other executors with the SDKs of their languages.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any

import pytest

from rrq.embedded import EmbeddedRedis
from tests.support.places import Place

from .mixed_languages import EXAMPLE, LANGUAGES, build, place_of, worker_command

Span = Any
"""A `SeenSpan` of the receiver."""

ERROR_TYPES = {
    "Python": "ValueError",
    "Rust": "Refusal",
    "Go": "errors.errorString",
    "TypeScript": "RangeError",
}

WORKERS_OWN = {
    "rrq.executor",
    "rrq.timeout_seconds",
    "rrq.queue_delay_ms",
    "rrq.duration_ms",
    "rrq.reason",
}

CLOCKS_DIFFER_NS = 2_000_000
"""Node's spans begin at a whole millisecond, rounded down."""

each_language = pytest.mark.parametrize("language", LANGUAGES)

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def seen(
    rrq_redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Span]]:
    """Every span that arrived of one run of the example with tracing."""
    rrq_redis_server.flush()
    with http_receiver() as collector:
        for mixed in place_of(tmp_path_factory.mktemp("mixed")):
            run(mixed, rrq_redis_server.dsn, collector)
            yield collector.spans


def http_receiver() -> AbstractContextManager[Any]:
    """The receiver of rrq-otel's tests; what it imports is too much for who leaves these out."""
    receiver: Any = import_module("plugins.rrq-otel.tests.receiver")
    opened: AbstractContextManager[Any] = receiver.http_receiver()
    return opened


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


@each_language
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
        for outer, inner in ((job, execution), (execution, own)):
            assert outer.start_ns - CLOCKS_DIFFER_NS <= inner.start_ns <= inner.end_ns
        assert own.end_ns <= execution.end_ns + CLOCKS_DIFFER_NS


@each_language
def test_the_executors_span_says_what_the_workers_says(seen: list[Span], language: str) -> None:
    for job in job_spans(seen, language, "greet"):
        execution = only(children(seen, job))
        assert (execution.kind, execution.status, execution.events) == ("INTERNAL", "UNSET", [])
        # The executor is told the handler's name alone, and not what only the worker knows.
        told = {name: job.attributes[name] for name in job.attributes if name not in WORKERS_OWN}
        assert execution.attributes == {
            **told,
            "rrq.function": "greet",
            "rrq.outcome": "success",
            "span.kind": "internal",
        }


@each_language
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


REQUEST = {
    "protocol_version": "1",
    "job_id": "j1",
    "function_name": "greet",
    "args": ["Ann"],
    "kwargs": {},
    "context": {
        "job_id": "j1",
        "attempt": 1,
        "enqueue_time": "2026-01-01T12:00:00Z",
        "queue_name": "default",
        "deadline": None,
    },
}


class Executor:
    """An executor of the example without a worker, which has carried out a job."""

    def __init__(self, name: str, endpoint: str) -> None:
        build()
        table = tomllib.loads((EXAMPLE / "rrq.toml").read_text())["rrq"]["executors"][name]
        self.process = subprocess.Popen(
            table["cmd"],
            cwd=EXAMPLE,
            env={
                **os.environ,
                "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
                "OTEL_BSP_SCHEDULE_DELAY": "600000",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.send(json.dumps(REQUEST).encode() + b"\n")
        assert self.process.stdout is not None
        assert json.loads(self.process.stdout.readline())["status"] == "success"

    def send(self, line: bytes) -> None:
        """Write to its stdin; nothing at all closes that."""
        assert self.process.stdin is not None
        self.process.stdin.write(line)
        self.process.stdin.flush()
        if not line:
            self.process.stdin.close()

    def ended(self) -> int:
        """Its exit code; it has to end by itself, soon."""
        with self.process:
            try:
                return self.process.wait(8)
            finally:
                self.process.kill()


@pytest.mark.parametrize("name", ["rust", "go", "typescript"])
def test_an_executor_that_gets_a_signal_sends_the_spans_that_it_holds(name: str) -> None:
    with http_receiver() as collector:
        executor = Executor(name, collector.endpoint)
        assert collector.spans == []

        executor.process.terminate()

        assert executor.ended() == 0
        names = {span.name for span in collector.spans}
    assert names == {"rrq.executor", "compose greeting"}


def test_a_collector_that_takes_nothing_does_not_hold_up_the_end_of_an_executor() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        executors = [Executor(name, endpoint) for name in ("rust", "go", "typescript")]

        for executor in executors:
            executor.send(b"")

        assert [executor.ended() for executor in executors] == [0, 0, 0]
