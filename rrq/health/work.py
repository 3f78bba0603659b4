"""`judge_work`: is there somebody for every job? Pure: facts in, findings out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from rrq.health.facts import Facts, QueueFacts, WorkerFacts
from rrq.health.finding import Finding, State, named, summed_up
from rrq.health.server import SKEW_SECONDS
from rrq.wording import counted

BareName = Callable[[str], str]
"""A queue's name without the prefix of its key: a worker may have written either."""


def judge_work(facts: Facts, bare_name: BareName) -> list[Finding]:
    """What is to be said of workers and queues, one finding for each check."""
    return [
        _workers(facts.workers),
        _executors(facts.workers),
        _worker_clocks(facts.workers),
        _unserved(facts, bare_name),
        _paused(facts),
        _abandoned(facts),
    ]


# -- workers ----------------------------------------------------------------------------


def _workers(workers: Sequence[WorkerFacts]) -> Finding:
    alive = [worker for worker in workers if worker.health]
    taking = [worker for worker in alive if worker.takes_jobs]
    parts: list[tuple[State, str]] = []
    if not alive:
        parts.append(("failed", "No worker is alive: start one with `rrq worker run`."))
    if stuck := [worker for worker in alive if worker.is_stuck]:
        told = [f"{worker.worker_id} is {_brief(worker.status)}" for worker in stuck]
        parts.append(("failed", f"{named(told)}."))
    elif alive and not taking:
        states = sorted({_brief(worker.status) or "without a status" for worker in alive})
        parts.append(
            ("failed", f"No worker takes jobs: {len(alive)} {_are(alive)} {named(states)}.")
        )
    if unreadable := [worker.worker_id for worker in workers if not worker.health]:
        parts.append(("warning", f"The health of {named(unreadable)} cannot be read."))
    return summed_up("workers", parts, f"{len(taking)} {_take(taking)} jobs.")


def _executors(workers: Sequence[WorkerFacts]) -> Finding:
    known = [(worker, *one) for worker in workers for one in worker.executors.items()]
    if not known:
        return Finding("executors", "unknown", "No worker tells of its executors.")
    parts: list[tuple[State, str]] = [
        ("warning", f"Executor {name} of {worker.worker_id} is down: {_why_down(status)}.")
        for worker, name, status in known
        if status.get("processes") == 0 and status.get("capacity") == 0
    ]
    return summed_up("executors", parts, f"{len(known)} {'is' if len(known) == 1 else 'are'} up.")


def _why_down(status: object) -> str:
    error = status.get("last_error") if isinstance(status, dict) else None
    return _brief(str(error or "")).rstrip(".") or "no process of it runs"


def _worker_clocks(workers: Sequence[WorkerFacts]) -> Finding:
    told = [worker for worker in workers if worker.skew_seconds is not None]
    parts: list[tuple[State, str]] = [
        (
            "warning",
            f"The clock of {worker.worker_id} is {abs(skew):.1f} s "
            f"{'ahead of' if skew > 0 else 'behind'} Redis': use NTP.",
        )
        for worker in told
        if (skew := worker.skew_seconds or 0.0) and abs(skew) > SKEW_SECONDS
    ]
    if not told:
        return Finding("worker clocks", "unknown", "No worker's clock can be told.")
    return summed_up("worker clocks", parts, "Workers' clocks agree with Redis'.")


# -- queues -----------------------------------------------------------------------------


def _unserved(facts: Facts, bare_name: BareName) -> Finding:
    by_queue: dict[str, list[WorkerFacts]] = {}
    for worker in facts.workers:
        for name in worker.queues:
            by_queue.setdefault(bare_name(name), []).append(worker)
    parts: list[tuple[State, str]] = []
    for queue in facts.queues:
        if not queue.is_queue:
            parts.append(("warning", f"Queue {queue.name} is no sorted set: see `rrq doctor`."))
            continue
        workers = by_queue.get(queue.name, [])
        if not queue.waiting or queue.is_paused or any(one.takes_jobs for one in workers):
            continue
        why = _why_unserved(workers)
        if queue.due:
            late = _since(queue, facts.now)
            parts.append(
                ("failed", f"Queue {queue.name} has {counted(queue.due, 'job')} due{late}; {why}.")
            )
        else:
            parts.append(
                ("warning", f"Queue {queue.name} has {counted(queue.waiting, 'job')}; {why}.")
            )
    return summed_up("queues", parts, "Every queue with jobs is served.")


def _why_unserved(workers: Sequence[WorkerFacts]) -> str:
    if not workers:
        return "no worker serves it"
    if all(worker.is_stuck for worker in workers):
        return "all its workers are stuck"
    return "none of its workers takes jobs"


def _paused(facts: Facts) -> Finding:
    paused = [queue for queue in facts.queues if queue.is_paused]
    if not paused:
        return Finding("paused queues", "ok", "No queue is paused.")
    waiting = [
        f"{queue.name} ({counted(queue.due, 'job')} due{_since(queue, facts.now)})"
        if queue.due
        else queue.name
        for queue in paused
    ]
    return Finding(
        "paused queues",
        "warning",
        f"{named(waiting)} {_are(paused)} paused: `rrq queue resume NAME` lets jobs start again.",
    )


def _abandoned(facts: Facts) -> Finding:
    if not facts.abandoned:
        return Finding("leases", "ok", "No job waits for a dead worker.")
    return Finding(
        "leases",
        "failed",
        f"{counted(facts.abandoned, 'job')} of dead workers "
        f"{'waits' if facts.abandoned == 1 else 'wait'} for a living one to take over: start one "
        "with `rrq worker run`.",
    )


def _since(queue: QueueFacts, now: datetime) -> str:
    if queue.first_due_at is None:
        return ""
    seconds = max(0.0, (now - queue.first_due_at).total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f" since {seconds / size:.0f} {unit}"
    return f" since {seconds:.0f} s"


def _are(things: Sequence[object]) -> str:
    return "is" if len(things) == 1 else "are"


def _brief(text: str) -> str:
    """The first line of what somebody wrote, bounded."""
    return text.strip().partition("\n")[0][:_LONGEST]


_LONGEST = 200


def _take(workers: Sequence[object]) -> str:
    return "worker takes" if len(workers) == 1 else "workers take"
