"""Which backend's headers travel, where several write the same one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from rrq.telemetry import EnqueuedJob, FanOut, Telemetry
from rrq.telemetry.headers import merged
from rrq.telemetry.identity import (
    TraceParent,
    is_sampled,
    plain_traceparent,
    span_id,
    span_id_text,
)

TRACE = {"traceparent": "00-aa", "tracestate": "a=1", "baggage": "user=7"}


class Writing(Telemetry):
    """Writes these headers into each job."""

    def __init__(self, name: str, headers: dict[str, str], *, native: bool = False) -> None:
        self.name = name
        self.w3c_is_native = native
        self._headers = headers

    @contextmanager
    def enqueue(self, job: EnqueuedJob) -> Iterator[None]:
        job.trace_context.update(self._headers)
        yield


def enqueued(fan_out: FanOut, **given: str) -> dict[str, str]:
    """The headers of a job that was enqueued with these."""
    job = EnqueuedJob(job_id="1", function_name="work", queue_name="default", trace_context=given)
    with fan_out.enqueue(job):
        return job.trace_context


# -- the rule ---------------------------------------------------------------------------


def test_w3c_headers_come_whole_from_the_first_backend_that_writes_any() -> None:
    assert merged({}, [{"x-other": "1"}, TRACE, {"traceparent": "00-bb", "tracestate": "b=2"}]) == {
        **TRACE,
        "x-other": "1",
    }
    # The owner wrote no baggage, so nobody's travels.
    assert merged({}, [{"traceparent": "00-bb"}, TRACE]) == {"traceparent": "00-bb"}


def test_of_another_header_the_first_backends_value_is_taken() -> None:
    assert merged({}, [{"x-id": "1"}, {"x-id": "2", "x-more": "3"}]) == {
        "x-id": "1",
        "x-more": "3",
    }


def test_what_a_backend_left_as_it_was_is_not_written_by_it() -> None:
    before = {**TRACE, "x-id": "1"}
    assert merged(before, [before, {**before, "traceparent": "00-bb", "x-id": "2"}]) == {
        "traceparent": "00-bb",
        "tracestate": "a=1",
        "baggage": "user=7",
        "x-id": "2",
    }


# -- the order --------------------------------------------------------------------------


def test_backends_to_which_w3c_is_native_come_first_then_those_by_name() -> None:
    backends = [
        Writing("ddtrace", {"traceparent": "00-dd", "x-datadog-trace-id": "1"}),
        Writing("otel", {"traceparent": "00-ot"}, native=True),
        Writing("logfire", {"traceparent": "00-lf", "baggage": "l=1"}, native=True),
    ]
    assert enqueued(FanOut(backends)) == {
        "traceparent": "00-lf",
        "baggage": "l=1",
        "x-datadog-trace-id": "1",
    }


def test_the_configured_owner_comes_before_all() -> None:
    backends = [
        Writing("ddtrace", {"traceparent": "00-dd"}),
        Writing("otel", {"traceparent": "00-ot", "tracestate": "o=1"}, native=True),
    ]
    assert enqueued(FanOut(backends, "ddtrace")) == {"traceparent": "00-dd"}


def test_each_backend_begins_with_what_the_caller_gave() -> None:
    seen = []

    class Looking(Telemetry):
        @contextmanager
        def enqueue(self, job: EnqueuedJob) -> Iterator[None]:
            seen.append(dict(job.trace_context))
            yield

    writing = Writing("a", {"x-given": "changed"}, native=True)
    assert enqueued(FanOut([writing, Looking()]), **{"x-given": "1"}) == {"x-given": "changed"}
    assert seen == [{"x-given": "1"}]


# -- traceparent ------------------------------------------------------------------------


def test_a_traceparent_is_read_and_written() -> None:
    text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    parent = TraceParent.parsed(text)
    assert parent == (0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, 1)
    assert str(parent) == text


def test_a_later_version_may_say_more() -> None:
    later = "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"
    assert TraceParent.parsed(later) == TraceParent.parsed(f"00{later[2:-5]}")


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "00",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319 -b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c8031_c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c+b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b71692033३1-01",
    ],
)
def test_a_traceparent_that_is_not_valid_is_none(text: str | None) -> None:
    assert TraceParent.parsed(text) is None
    assert plain_traceparent(text) is None


def test_a_plain_traceparent_has_the_form_of_the_first_version() -> None:
    text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-02"
    assert plain_traceparent(text) == text
    assert plain_traceparent(f"01{text[2:]}-more") == text
    assert not is_sampled(text)
    assert is_sampled(f"{text[:-2]}03")


def test_the_id_of_a_runs_span_is_the_same_as_a_number_and_as_text() -> None:
    number, text = span_id("otel", "j1", 7), span_id_text("otel", "j1", 7)
    assert (f"{number:016x}", len(text)) == (text, 16)
    assert span_id_text("otel", "j1", 8) != text
