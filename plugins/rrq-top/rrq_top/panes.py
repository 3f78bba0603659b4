"""The four panes, as grids: queues, workers, running jobs and failures of a `Snapshot`."""

from __future__ import annotations

from datetime import datetime

from rrq.store.active import ActiveJob
from rrq.store.serving import ExecutorState
from rrq_top.failures import failures_pane
from rrq_top.figures import percentile
from rrq_top.grid import Cell, Column, Grid, Row, Sorting, Tone
from rrq_top.snapshot import QueueNow, Snapshot, WorkerNow
from rrq_top.wording import (
    NOTHING,
    age,
    bar,
    count,
    counted,
    one_line,
    rate,
    share_done,
    short_worker,
    since,
    times,
    told_progress,
)

OVERDUE_SECONDS = 10.0
"""A job that is due for longer than this is late: somebody should look."""

LONG_OVERDUE_SECONDS = 60.0

LATE_HEARTBEAT_SECONDS = 10.0
"""A heartbeat is late by this when its health would be gone a moment later."""


def panes(snapshot: Snapshot) -> tuple[Grid, Grid, Grid, Grid]:
    """Queues, workers, running jobs, failures."""
    return (
        queues_pane(snapshot),
        workers_pane(snapshot),
        running_pane(snapshot),
        failures_pane(snapshot),
    )


# -- queues -----------------------------------------------------------------------------

QUEUE_COLUMNS = (
    Column("queue", "QUEUE", least=10, most=40),
    Column("waiting", "WAITING", is_number=True),
    Column("due", "DUE", is_number=True),
    Column("oldest", "OLDEST", is_number=True),
    Column("running", "RUNNING", is_number=True, leaves=1),
    Column("rate", "DONE/S", is_number=True),
    Column("failed", "FAIL/M", is_number=True),
    Column("wait", "WAIT95", is_number=True, leaves=2),
    Column("run", "RUN95", is_number=True, leaves=3),
    Column("state", "STATE", least=6),
)


def queues_pane(snapshot: Snapshot) -> Grid:
    """The queues, by the number of jobs that wait."""
    paused = sum(queue.size.is_paused for queue in snapshot.queues)
    parts = [counted(snapshot.known_queues, "queue")]
    if snapshot.known_queues > len(snapshot.queues):
        parts.append(f"the {len(snapshot.queues)} active last")
    if paused:
        parts.append(f"{paused} paused")
    return Grid(
        title="Queues",
        columns=QUEUE_COLUMNS,
        rows=tuple(_queue_row(queue, snapshot) for queue in snapshot.queues),
        summary=", ".join(parts),
        empty="No job was ever in a queue.",
        sorting=Sorting("waiting", is_descending=True),
    )


def _queue_row(queue: QueueNow, snapshot: Snapshot) -> Row:
    size, minute = queue.size, queue.minute
    oldest = since(size.first_due_at, snapshot.at) if size.due else None
    failed = minute.events["failed"]
    per_second = minute.per_second("completed")
    return Row(
        key=size.name,
        words=size.name,
        cells=(
            Cell(one_line(size.name), "strong", size.name),
            _number(size.waiting),
            _number(size.due),
            Cell(age(oldest), _lateness(oldest, size.is_paused), oldest),
            _number(queue.running),
            Cell(rate(per_second), "plain" if per_second else "dim", per_second),
            Cell(times(failed), "bad" if failed else "dim", failed),
            percentile(queue.minutes.wait, 95),
            percentile(queue.minutes.run, 95),
            Cell("paused", "warning", "paused")
            if size.is_paused
            else Cell(NOTHING, "dim", "running"),
        ),
    )


def _lateness(seconds: float | None, is_paused: bool) -> Tone:
    if seconds is None or is_paused or seconds < OVERDUE_SECONDS:
        return "dim" if seconds is None else "plain"
    return "bad" if seconds >= LONG_OVERDUE_SECONDS else "warning"


def _number(number: int) -> Cell:
    return Cell(count(number), "plain" if number else "dim", number)


# -- workers ----------------------------------------------------------------------------

WORKER_COLUMNS = (
    Column("worker", "WORKER", least=12),
    Column("status", "STATUS", least=7, most=40),
    Column("jobs", "JOBS", is_number=True),
    Column("executors", "EXECUTORS", least=12, most=60, leaves=1),
    Column("queues", "QUEUES", least=8, most=30, leaves=3),
    Column("beat", "BEAT", is_number=True),
    Column("place", "HOST:PID", least=8, most=40),
    Column("up", "UP", is_number=True, leaves=2),
)


def workers_pane(snapshot: Snapshot) -> Grid:
    """The workers, the busiest first."""
    in_flight = sum(worker.in_flight for worker in snapshot.workers)
    capacity = sum(worker.capacity for worker in snapshot.workers)
    parts = [counted(snapshot.known_workers, "worker")]
    if snapshot.known_workers > len(snapshot.workers):
        parts.append(f"{len(snapshot.workers)} shown")
    if capacity:
        parts.append(f"{count(in_flight)} of {count(capacity)} places taken")
    return Grid(
        title="Workers",
        columns=WORKER_COLUMNS,
        rows=tuple(_worker_row(worker, snapshot.at) for worker in snapshot.workers),
        summary=", ".join(parts),
        empty="No worker is alive: start one with `rrq worker run`.",
        sorting=Sorting("jobs", is_descending=True),
    )


def _worker_row(worker: WorkerNow, now: datetime) -> Row:
    serving = worker.serving
    up = since(worker.started_at, now)
    queues = ",".join(serving.queues)
    place = f"{serving.host or NOTHING}:{serving.pid or NOTHING}"
    executors = " ".join(executor_told(one) for one in serving.executors.values())
    is_full = worker.capacity > 0 and worker.in_flight >= worker.capacity
    beat = worker.heartbeat_age_seconds
    return Row(
        key=worker.worker_id,
        words=" ".join([worker.worker_id, serving.status, place, queues, *serving.executors]),
        cells=(
            Cell(short_worker(worker.worker_id), "strong", worker.worker_id),
            Cell(one_line(serving.status), _worker_tone(worker), serving.status),
            Cell(
                f"{count(worker.in_flight)}/{count(worker.capacity)}",
                "warning" if is_full else "plain",
                worker.in_flight,
            ),
            Cell(one_line(executors), _executors_tone(worker), executors),
            Cell(one_line(queues), order=queues),
            Cell(age(beat), "warning" if is_late(worker) else "plain", beat),
            Cell(one_line(place), order=place),
            Cell(age(up), order=up),
        ),
    )


def is_late(worker: WorkerNow) -> bool:
    """Whether the heartbeat of a worker is about to expire."""
    age_seconds, whole = worker.heartbeat_age_seconds, worker.serving.ttl_seconds
    if age_seconds is None:
        return True
    return whole is not None and age_seconds > whole - LATE_HEARTBEAT_SECONDS / 2


def executor_told(state: ExecutorState) -> str:
    """As in `python 3/32 x2`: jobs of places, and processes."""
    places = f"{_known(state.in_flight)}/{_known(state.capacity)}"
    processes = "" if state.processes is None else f" x{state.processes}"
    restarts = f" restarted {state.restarts}" if state.restarts else ""
    return f"{state.name} {places}{processes}{restarts}"


def _known(number: int | None) -> str:
    return "?" if number is None else count(number)


def _worker_tone(worker: WorkerNow) -> Tone:
    status = worker.serving.status
    if worker.serving.is_stuck or not status:
        return "bad"
    if worker.serving.is_stopping or status == "initializing":
        return "warning"
    return "dim" if status == "idle (no jobs)" else "good"


def _executors_tone(worker: WorkerNow) -> Tone:
    states = worker.serving.executors.values()
    return "warning" if any(one.processes == 0 for one in states) else "plain"


# -- running jobs -----------------------------------------------------------------------

RUNNING_COLUMNS = (
    Column("job", "JOB", least=8, most=36),
    Column("function", "FUNCTION", least=10, most=40),
    Column("queue", "QUEUE", least=6, most=24, leaves=1),
    Column("worker", "WORKER", least=6, most=12, leaves=3),
    Column("executor", "EXECUTOR", least=6, most=16, leaves=4),
    Column("age", "AGE", is_number=True),
    Column("attempt", "TRY", is_number=True, leaves=2),
    Column("left", "LEFT", is_number=True),
    Column("progress", "PROGRESS", least=10, most=40),
)


def running_pane(snapshot: Snapshot) -> Grid:
    """The jobs that run, the longest running first."""
    parts = [f"{count(snapshot.running_total)} running"]
    if snapshot.running_seen < snapshot.running_total:
        parts.append(f"looked at {count(snapshot.running_seen)}")
    return Grid(
        title="Running jobs",
        columns=RUNNING_COLUMNS,
        rows=tuple(running_row(job, snapshot.at) for job in snapshot.running),
        summary=", ".join(parts),
        empty="No job is running.",
        sorting=Sorting("age", is_descending=True),
    )


def running_row(job: ActiveJob, now: datetime) -> Row:
    """A running job."""
    running_seconds = since(job.started_at, now)
    left = None if job.deadline_at is None else (job.deadline_at - now).total_seconds()
    attempts = f"{job.attempt or NOTHING}/{job.max_attempts or NOTHING}"
    is_retry = job.attempt is not None and job.attempt > 1
    words = (job.job_id, job.function_name, job.queue, job.worker_id, job.executor)
    return Row(
        key=job.job_id,
        words=" ".join([*filter(None, words), told_progress(job.progress)]),
        cells=(
            Cell(one_line(job.job_id), "strong", job.job_id),
            Cell(one_line(job.function_name), order=job.function_name),
            Cell(one_line(job.queue), order=job.queue),
            Cell(short_worker(job.worker_id), order=job.worker_id),
            Cell(one_line(job.executor), order=job.executor),
            Cell(age(running_seconds), order=running_seconds),
            Cell(attempts, "warning" if is_retry else "plain", job.attempt),
            Cell(age(left), _urgency(left, running_seconds), left),
            _progress(job, now),
        ),
    )


def _urgency(left: float | None, running_seconds: float | None) -> Tone:
    if left is None:
        return "dim"
    if left <= 0:
        return "bad"
    return "warning" if left < (running_seconds or 0) / 9 else "plain"


def _progress(job: ActiveJob, now: datetime) -> Cell:
    share = share_done(job.progress)
    if job.lease_until < now:
        return Cell("lease ran out", "bad", share)
    if job.cancel_requested_at is not None:
        return Cell("cancel requested", "warning", share)
    told = told_progress(job.progress)
    if share is None:
        return Cell(told, "dim" if told == NOTHING else "plain")
    return Cell(f"{bar(share)} {share:.0%} {told}", "good", share)
