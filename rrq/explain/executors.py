"""A job whose queue is served, but not by an executor that could take it now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rrq.explain.evidence import Evidence, RunningJob
from rrq.explain.reason import Reason, Remedy
from rrq.explain.timing import is_due, is_turned_away
from rrq.explain.wording import MOST_NAMED, first_line, named, since
from rrq.store.serving import ExecutorState, Serving
from rrq.suggestion import did_you_mean
from rrq.wording import counted, sentence

CHECK = Remedy("To see how the workers are:", ("check",))


def executors(evidence: Evidence) -> Iterator[Reason]:
    """What keeps the workers that serve the queue from starting the job."""
    yield from unknown_executor(evidence)
    yield from unknown_handler(evidence)
    able = _able(evidence)
    if not able:
        return
    if all(_is_down(state) for _, state in able):
        yield _down(able)
    elif is_due(evidence) and (is_turned_away(evidence) or _are_full(evidence, able)):
        yield _full(evidence, able)
    elif is_due(evidence) and (alone := _alone(evidence, able)):
        yield _beside(evidence, alone)
    if is_due(evidence) and evidence.queue.ahead:
        yield Reason(
            "jobs_ahead",
            f"{counted(evidence.queue.ahead, 'job')} of {evidence.queue.due:,} that are due in "
            f"queue {evidence.queue.name} come before it.",
            Remedy("To see them:", ("queue", "inspect", evidence.queue.name)),
        )


def unknown_executor(evidence: Evidence) -> Iterator[Reason]:
    """The job names an executor that workers of its queue do not have."""
    wanted, serving = evidence.job.executor, evidence.serving()
    told = [worker for worker in serving if worker.executors]
    lacking = [worker for worker in told if wanted not in worker.executors]
    if not wanted or not lacking:
        return
    known = sorted({name for worker in told for name in worker.executors})
    who = "No worker" if len(lacking) == len(told) else f"{len(lacking)} of {len(told)} workers"
    have = "has" if who == "No worker" else "do not have"
    yield Reason(
        "executor_unknown",
        f"{who} of queue {evidence.queue.name} {have} an executor {wanted!r}, and a worker without "
        f"it sends the job to the dead letter queue. They have {named(known)}."
        f"{did_you_mean(wanted, known)}",
        Remedy(
            "Configure it in rrq.toml, or enqueue the job with another one; the configuration:",
            ("check", "--config-only"),
        ),
    )


def unknown_handler(evidence: Evidence) -> Iterator[Reason]:
    """The executors that would get the job have no such handler, as far as they tell."""
    telling = [
        (worker, state)
        for worker, state in _able(evidence)
        if state is not None and state.functions is not None
    ]
    handler = evidence.job.handler
    lacking = [state for _, state in telling if handler not in (state.functions or ())]
    if not handler or not lacking:
        return
    known = sorted({name for state in lacking for name in state.functions or ()})
    all_lack = len(lacking) == len(_able(evidence))
    who = "No executor" if all_lack else f"{len(lacking)} of {len(_able(evidence))} executors"
    have = "has" if all_lack else "do not have"
    functions = f"They have {named(known)}." if known else "They have none."
    yield Reason(
        "handler_unknown",
        f"{who} of queue {evidence.queue.name} {have} a handler {handler!r}, and one without it "
        f"fails the job at once. {functions}{did_you_mean(handler, known)}",
        Remedy(
            "Register it and restart the workers; then, if the job has failed by then, to run it "
            "again:",
            ("dlq", "requeue", "--dlq-name", evidence.dlq, "--job-id", evidence.job_id),
        ),
    )


def _able(evidence: Evidence) -> list[tuple[Serving, ExecutorState | None]]:
    """The workers that may start the job, each with its executor; None if that is not known."""
    able: list[tuple[Serving, ExecutorState | None]] = []
    for worker in evidence.serving():
        executor = evidence.executor_of(worker)
        if executor is None or not worker.executors:
            able.append((worker, None))
        elif executor in worker.executors:
            able.append((worker, worker.executors[executor]))
    return able


def _is_down(state: ExecutorState | None) -> bool:
    return state is not None and state.processes == 0


def _down(able: Sequence[tuple[Serving, ExecutorState | None]]) -> Reason:
    state = next(state for _, state in able if state)
    why = f" The last one: {sentence(first_line(state.last_error))}" if state.last_error else ""
    workers = named([worker.worker_id for worker, _ in able])
    return Reason(
        "executor_down",
        f"Executor {state.name} has no process that is up, on {workers}; its processes were "
        f"replaced {counted(state.restarts, 'time')}.{why}",
        CHECK,
    )


def _are_full(evidence: Evidence, able: Sequence[tuple[Serving, ExecutorState | None]]) -> bool:
    claiming = [(worker, state) for worker, state in able if not worker.is_stuck]
    return bool(claiming) and all(_is_full(evidence, worker, state) for worker, state in claiming)


def _is_full(evidence: Evidence, worker: Serving, state: ExecutorState | None) -> bool:
    """By its running jobs; by its own account if not all of those were looked at."""
    if state is None:
        executors = list(worker.executors.values())
        capacity = sum(one.capacity or 0 for one in executors)
        in_flight = sum(one.in_flight or 0 for one in executors)
    else:
        capacity, in_flight = state.capacity or 0, state.in_flight or 0
    runs = len(list(evidence.running_at(worker, state.name if state else None)))
    if not evidence.sees_all_running:
        runs = max(runs, in_flight)
    return 0 < capacity <= runs


def _full(evidence: Evidence, able: Sequence[tuple[Serving, ExecutorState | None]]) -> Reason:
    jobs = [
        job
        for worker, state in able
        for job in evidence.running_at(worker, state.name if state else None)
    ]
    jobs.sort(key=lambda job: (job.started_at is None, job.started_at))
    names = sorted({state.name for _, state in able if state}) or ["of its queue"]
    shown = "; ".join(_described(evidence, job) for job in jobs[:MOST_NAMED])
    more = f"; and {counted(len(jobs) - MOST_NAMED, 'job')} more" if jobs[MOST_NAMED:] else ""
    those = f": {shown}{more}" if shown else ""
    [first, *others] = [worker.worker_id for worker, _ in able]
    where = () if others else ("--worker", first)
    return Reason(
        "executors_full",
        f"Executor {named(names)} is full on {counted(len(able), 'worker')}, with "
        f"{counted(len(jobs), 'job')}{those}.{_first_served(evidence)}",
        Remedy("Wait, start another worker, or look at what runs:", ("job", "active", *where)),
    )


def _alone(
    evidence: Evidence, able: Sequence[tuple[Serving, ExecutorState | None]]
) -> list[RunningJob]:
    """The jobs that run alone, if there is one at every worker that claims."""
    found: list[RunningJob] = []
    for worker, state in able:
        there = evidence.running_at(worker, state.name if state else None)
        alone = next((job for job in there if job.runs_alone), None)
        if alone:
            found.append(alone)
        elif not worker.is_stuck:
            return []
    return found


def _beside(evidence: Evidence, alone: Sequence[RunningJob]) -> Reason:
    jobs = named([f"{_described(evidence, job)} on worker {job.worker_id}" for job in alone])
    return Reason(
        "executors_full",
        f"What was lost too often to be trusted has a process for itself: {jobs}. Others start "
        "when it has ended, or when another process has room.",
        Remedy("Wait, start another worker, or look at what runs:", ("job", "active")),
    )


def _described(evidence: Evidence, job: RunningJob) -> str:
    queue = "" if job.queue == evidence.queue.name else f" of queue {job.queue}"
    return f"{job.job_id} ({job.function_name}{queue}, {since(job.started_at, evidence.now)})"


def _first_served(evidence: Evidence) -> str:
    """The queues whose jobs all workers of this one start first."""
    name = evidence.queue.name
    before = [set(worker.queues[: worker.queues.index(name)]) for worker in evidence.serving()]
    first = sorted(set.intersection(*before)) if before else []
    return f" Jobs of queue {named(first)} start first there." if first else ""
