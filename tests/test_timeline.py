"""What a job's hash tells of its history."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from rrq.store.codec import job_from_hash
from rrq.timeline import Event, timeline, total_seconds

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def after(seconds: float) -> str:
    """A time as it stands in a hash, so long after the job was enqueued."""
    return (NOON + timedelta(seconds=seconds)).isoformat()


def attempt(number: int, outcome: str, start: float, end: float, **more: Any) -> dict[str, Any]:
    """An entry of `attempts`."""
    times = {"started_at": after(start), "ended_at": after(end)}
    return {"attempt": number, "outcome": outcome, "worker": "w1", **times, **more}


def told(**fields: Any) -> list[Event]:
    """The timeline of a job that was enqueued at noon."""
    stored = {
        "function_name": "f",
        "enqueue_time": after(0),
        "next_scheduled_run_time": after(0),
        **{
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in fields.items()
        },
    }
    raw = {name.encode(): value.encode() for name, value in stored.items()}
    return timeline(job_from_hash("job-1", raw), stored)


def brief(events: list[Event]) -> list[tuple[str, float | None]]:
    """Names, and seconds since noon."""
    return [
        (event.name, None if event.at is None else (event.at - NOON).total_seconds())
        for event in events
    ]


def test_a_waiting_job_was_enqueued_and_will_be_due() -> None:
    events = told(status="PENDING", next_scheduled_run_time=after(60))
    assert brief(events) == [("enqueued", 0), ("due", 60)]


def test_of_a_success_at_the_first_attempt_start_and_end_are_known() -> None:
    events = told(
        status="COMPLETED", start_time=after(1), completion_time=after(3.5), worker_id="w1"
    )
    assert brief(events) == [("enqueued", 0), ("due", 0), ("started", 1), ("completed", 3.5)]
    assert (events[2].attempt, events[2].worker) == (1, "w1")
    assert (events[3].duration_seconds, events[3].attempt, events[3].worker) == (2.5, 1, "w1")


def test_each_attempt_starts_and_ends_where_it_belongs_in_time() -> None:
    events = told(
        status="COMPLETED",
        next_scheduled_run_time=after(7),
        start_time=after(8),
        completion_time=after(9),
        current_retries="1",
        attempts=[
            attempt(1, "error", 1, 2, executor="python", error="no luck", error_type="ValueError"),
            attempt(2, "success", 8, 9, executor="python"),
        ],
    )
    assert brief(events) == [
        ("enqueued", 0),
        ("started", 1),
        ("error", 2),
        ("due", 7),
        ("started", 8),
        ("completed", 9),
    ]
    assert events[2] == Event(
        name="error",
        at=NOON + timedelta(seconds=2),
        duration_seconds=1,
        attempt=1,
        worker="w1",
        executor="python",
        error_type="ValueError",
        error="no luck",
    )
    assert events[1].error is None
    assert (events[5].attempt, events[5].executor, events[5].duration_seconds) == (2, "python", 1)


def test_a_failure_for_good_is_the_end_of_its_last_attempt() -> None:
    events = told(
        status="FAILED",
        start_time=after(1),
        completion_time=after(2),
        current_retries="1",
        last_error="Job timed out after 1s.",
        attempts=[attempt(1, "timeout", 1, 2, error="Job timed out after 1s.")],
    )
    assert brief(events)[2:] == [("started", 1), ("failed", 2)]
    assert (events[3].attempt, events[3].error) == (1, "Job timed out after 1s.")


def test_a_job_that_was_lost_and_runs_again_shows_both_starts() -> None:
    events = told(
        status="ACTIVE",
        start_time=after(12),
        worker_id="w2",
        lost_count="1",
        attempts=[attempt(1, "lost", 1, 11, error="the lease of worker w1 ran out")],
    )
    assert brief(events)[2:] == [("started", 1), ("lost", 11), ("started", 12)]
    assert (events[4].worker, events[4].attempt) == ("w2", 1)


def test_a_job_that_was_cancelled_between_two_attempts_ended_without_a_worker() -> None:
    events = told(
        status="CANCELLED",
        next_scheduled_run_time=after(60),
        start_time=after(1),
        completion_time=after(5),
        worker_id="w1",
        attempts=[attempt(1, "error", 1, 2, error="no luck")],
    )
    assert brief(events) == [
        ("enqueued", 0),
        ("started", 1),
        ("error", 2),
        ("cancelled", 5),
        ("due", 60),
    ]
    assert (events[3].worker, events[3].duration_seconds) == (None, None)


def test_a_wish_to_cancel_a_running_job_is_told() -> None:
    events = told(status="ACTIVE", start_time=after(1), cancel_requested=after(2))
    assert brief(events)[-2:] == [("started", 1), ("cancel requested", 2)]


def test_an_attempt_without_a_number_or_a_start_is_told_as_far_as_it_is_known() -> None:
    lost = {"outcome": "lost", "ended_at": after(4)}
    events = told(status="PENDING", attempts=[lost])
    assert brief(events)[2:] == [("lost", 4)]
    assert (events[2].attempt, events[2].worker, events[2].duration_seconds) == (None, None, None)


def test_a_history_that_cannot_be_read_hides_nothing_else() -> None:
    for attempts in ("{", "7", '["x", 7]', "[" * 100_000):
        events = told(status="PENDING", attempts=attempts, cancel_requested="yesterday")
        assert brief(events) == [("enqueued", 0), ("due", 0)]
    odd = {"outcome": ["x"], "attempt": "one", "worker": 7, "started_at": 3, "ended_at": "never"}
    [event] = told(status="PENDING", attempts=[odd])[2:]
    assert (event.name, event.at, event.attempt, event.worker) == ("['x']", None, None, "7")


def test_the_total_is_from_being_enqueued_to_the_end() -> None:
    fields = {b"function_name": b"f", b"enqueue_time": after(0).encode()}
    assert total_seconds(job_from_hash("job-1", fields)) is None
    fields[b"completion_time"] = after(3.5).encode()
    assert total_seconds(job_from_hash("job-1", fields)) == 3.5
