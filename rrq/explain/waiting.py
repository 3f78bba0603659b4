"""A job that waits, or should: what is broken, what it waits for, and who serves its queue."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from rrq.cli.render import duration
from rrq.explain.ended import again
from rrq.explain.evidence import Evidence, HolderFacts, JobFacts
from rrq.explain.executors import CHECK
from rrq.explain.reason import Reason, Remedy
from rrq.explain.timing import is_due
from rrq.explain.wording import clock, first_line, named, since, until
from rrq.wording import counted, sentence

CLOCK_SLACK = timedelta(seconds=1)
"""Clocks that differ by less explain nothing."""

MACHINE_SLACK = timedelta(seconds=5)

LONGEST_LOST_WINDOW = timedelta(seconds=10)
"""A job that was lost is due by then (`_end.lua`)."""

LONG_OVERDUE = timedelta(seconds=10)
"""A job that nothing holds starts sooner."""


def broken(evidence: Evidence) -> Iterator[Reason]:
    """Data that no worker can do anything with."""
    job, place = evidence.job, evidence.places[0] if evidence.places else None
    if evidence.kind == "none":
        yield _no_hash(evidence)
    elif evidence.kind == "other":
        yield Reason(
            "malformed",
            "What stands under its key is no hash, and so no job: a worker that finds the id "
            "drops it.",
            Remedy("To see what waits there:", ("queue", "inspect", evidence.queue.name)),
        )
    elif place is None:
        new = " Its producer may be between two writes." if _is_new(evidence) else ""
        yield Reason(
            "in_no_queue",
            f"It is {job.status or 'without a status'}, but it waits in no queue that is known, "
            f"and nobody has a lease of it.{new}",
            again(evidence),
        )
    elif job.unreadable:
        yield Reason(
            "malformed",
            f"Of its hash, {named([f'`{name}`' for name in job.unreadable])} cannot be read: the "
            "worker that claims it sends it to the dead letter queue.",
            Remedy("To see its hash:", ("job", "show", evidence.job_id, "--raw")),
        )


def not_yet(evidence: Evidence) -> Iterator[Reason]:
    """What it waits for, whoever serves its queue."""
    if not evidence.places or evidence.kind != "hash":
        return
    job, now, due_at = evidence.job, evidence.now, evidence.places[0].due_at
    if evidence.holder:
        yield _held_back(evidence, evidence.holder)
        return
    if is_due(evidence):
        return
    yield from _clock(evidence)
    when = f"in {until(due_at, now)} ({clock(due_at)})"
    if job.status == "RETRYING":
        error = sentence(first_line(job.told_error) or "no error is known")
        yield Reason(
            "retrying",
            f"Attempt {job.failed_attempts} of {job.max_attempts} failed: {error} The next one is "
            f"due {when}.",
            _history(evidence),
        )
    elif job.lost_count > 1 and due_at - now <= LONGEST_LOST_WINDOW:
        yield Reason("due_later", _lost(job, when), _history(evidence))
    else:
        yield Reason(
            "due_later",
            f"It is due {when}.",
            Remedy("Wait, or run a copy of it now:", ("job", "replay", evidence.job_id)),
        )


def unserved(evidence: Evidence) -> Iterator[Reason]:
    """Nobody takes jobs from its queue."""
    name = evidence.queue.name
    start = Remedy("Start one:", ("worker", "run", "--queue", name))
    if evidence.queue.is_paused:
        text = f"Queue {name} is paused: no job of it starts."
        yield Reason("paused", text, Remedy("To let its jobs start:", ("queue", "resume", name)))
    if not evidence.workers_alive:
        yield Reason("no_worker", "No worker is alive.", start)
        return
    serving = evidence.serving()
    if not serving:
        served = sorted({queue for worker in evidence.workers for queue in worker.queues})
        alive = counted(evidence.workers_alive, "worker")
        looked = "" if evidence.sees_all_workers else f" ({len(evidence.workers):,} looked at)"
        queues = "queue" if len(served) == 1 else "queues"
        serve = f"{queues} {named(served)}" if served else "no queue"
        text = f"No worker serves queue {name}. Alive: {alive}{looked}, on {serve}."
        yield Reason("queue_unserved", text, start)
    elif all(worker.is_stuck for worker in serving):
        states = named(sorted({worker.status for worker in serving}))
        text = f"{counted(len(serving), 'worker')} of queue {name} cannot claim: {states}."
        yield Reason("worker_stuck", text, CHECK)


def starting(evidence: Evidence) -> Iterator[Reason]:
    """Nothing is in its way."""
    due_at, now = evidence.places[0].due_at, evidence.now
    overdue = since(due_at, now)
    if now - due_at > LONG_OVERDUE:
        text = (
            f"It has been due for {overdue}, and nothing that is known holds it: its workers may "
            "hang, or be busy with other queues. See their logs."
        )
        yield Reason("starting", text, CHECK)
        return
    idle = evidence.queue.parked_workers
    who = f"one of {idle} idle workers" if idle > 1 else "a worker"
    yield Reason(
        "starting",
        f"It has been due for {overdue}, and nothing is in its way: {who} is about to take it.",
        Remedy("Ask again in a moment:", ("job", "explain", evidence.job_id)),
    )


def _no_hash(evidence: Evidence) -> Reason:
    if not evidence.places:
        return Reason(
            "no_hash",
            f"Its hash is gone; only its id is left in the dead letter queue {evidence.dlq}.",
            Remedy(
                "It cannot run again. To remove the id:",
                ("dlq", "delete", "--dlq-name", evidence.dlq, "--job-id", evidence.job_id),
            ),
        )
    name = evidence.places[0].queue
    seen = ""
    if evidence.unborn_since:
        seen = f" One found it {since(evidence.unborn_since, evidence.now)} ago."
    return Reason(
        "no_hash",
        f"Its id waits in queue {name}, but it has no hash: its producer has not written it yet, "
        f"or it was deleted. A worker drops the id five seconds after it found it.{seen}",
        Remedy("Enqueue it again; what waits there:", ("queue", "inspect", name)),
    )


def _held_back(evidence: Evidence, holder: HolderFacts) -> Reason:
    key = evidence.job.unique_key
    if holder.runs:
        state = f"which runs on worker {holder.worker_id}"
    elif holder.due_at is not None:
        queue, due_at = holder.queue, holder.due_at
        late = due_at <= evidence.now
        when = "is due" if late else f"is due in {until(due_at, evidence.now)}"
        state = f"which waits in queue {queue} and {when}"
    elif holder.status:
        state = f"which is {holder.status}"
    else:
        state = "of which nothing else is known any more"
    limit = ""
    if holder.key_seconds is not None:
        limit = f", at the latest in {duration(holder.key_seconds)}"
    text = (
        f"Job {holder.job_id}, {state}, holds its unique key {key!r}. It starts when that job ends"
        f"{limit}."
    )
    if not holder.status:
        return Reason("held_back", text, again(evidence))
    command = ("job", "explain", holder.job_id)
    return Reason("held_back", text, Remedy("To see what the other one is at:", command))


def _history(evidence: Evidence) -> Remedy:
    return Remedy("Wait; what happened until now:", ("job", "trace", evidence.job_id))


def _lost(job: JobFacts, when: str) -> str:
    text = (
        f"It was lost {job.lost_count} times while it ran, and is due {when}: jobs that were lost "
        "together come back one by one, so that one which kills its process meets the others no "
        "more."
    )
    if job.runs_alone:
        text += " It runs alone in a process, as soon as one can be had: lost again, it is dead."
    return text


def _clock(evidence: Evidence) -> Iterator[Reason]:
    job, now = evidence.job, evidence.now
    ahead = evidence.local_now - now
    if job.enqueued_at and job.enqueued_at - now > CLOCK_SLACK:
        text = (
            f"It says that it was enqueued {until(job.enqueued_at, now)} from now: the clock of "
            "its producer is ahead of Redis', by which jobs become due, or Redis' was set back."
        )
    elif abs(ahead) > MACHINE_SLACK:
        where = "ahead of" if ahead > timedelta(0) else "behind"
        seconds = duration(abs(ahead.total_seconds()))
        text = f"This machine's clock is {seconds} {where} Redis', by which jobs become due."
    else:
        return
    yield Reason("clock", text, Remedy("To compare the clocks:", ("check",)))


def _is_new(evidence: Evidence) -> bool:
    at = evidence.job.enqueued_at
    return at is not None and abs(evidence.now - at) < timedelta(seconds=5)
