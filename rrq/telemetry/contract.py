"""`Telemetry`: what a tracing or metrics backend implements, and what it is told."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from msgspec import Struct, field

if TYPE_CHECKING:
    from rrq.telemetry.correlation import Correlation

Role = Literal["producer", "orchestrator", "executor"]
"""What a process is. Any process may enqueue: one with another role is a producer besides."""

Outcome = Literal["success", "retry", "dlq", "timeout", "error", "cancelled", "lost", "released"]
"""What became of an attempt. `lost`: its process died, or its lease was another's in the end.
`released`: its worker stopped, and it goes on elsewhere without penalty. `error` is for the
executor's side, which does not know what the orchestrator makes of it."""

StopReason = Literal["cancel", "deadline"]

Scalar = str | int | float | bool


class Telemetry:
    """A backend. Every method does nothing unless overridden.

    Where each is called:

    | method | process | thread |
    | --- | --- | --- |
    | `enqueue` | any that enqueues | the caller's event loop |
    | `carry` | worker | its event loop: no input or output, no locks, microseconds |
    | `attempt` | worker | the backend's own, or as `carry` if `records_at_once` |
    | `worker_started`, `heartbeat`, `worker_stopped` | worker | the backend's own |
    | `execution` | Python executor | its event loop |
    | `flush` | worker, Python executor | a thread that is not waited for beyond the timeout |

    A backend whose call in an event loop takes longer than a second is passed over in that
    process for a minute. The others may take their time: beyond `relay.MOST_WAITING` attempts
    that wait for a backend, the newest are dropped and counted.

    Attributes:
        name: the plugin's name, for messages and for the order of the backends. A plugin's
            backend that has none gets the plugin's.
        w3c_is_native: whether `traceparent`, `tracestate` and `baggage` are this backend's own
            way to propagate. Where several backends write them, one that says so comes first.
        wants_queues: whether `heartbeat` is to measure the queues too, which asks Redis.
        correlation: which arguments of jobs become attributes; None if none do.
        records_at_once: whether `attempt` only computes, for microseconds, and keeps what it made
            for a thread that sends it. Then the worker's event loop calls it, which spares what
            it costs to hand every attempt to another thread; it is never dropped before.
        is_idle: whether there is nothing to do, as while the application has not configured its
            SDK; asked before each `enqueue` and `execution`, until it is not so for once, so that
            the caller need not do anything either.
    """

    name: str = ""
    w3c_is_native: bool = False
    wants_queues: bool = False
    correlation: Correlation | None = None
    records_at_once: bool = False

    @property
    def is_idle(self) -> bool:
        return False

    def enqueue(self, job: EnqueuedJob) -> AbstractContextManager[None]:
        """A producer span around the write to Redis. What shall reach the worker goes into
        `job.trace_context` before the block is entered or while entering.

        The span must not become the current one: a bulk has one open for each of its jobs.
        """
        return nullcontext()

    def carry(self, job: StartedJob) -> Mapping[str, str]:
        """The headers that make the executor's span a child of this attempt's span.

        The span itself is made later, in `attempt`: here its id is chosen, best by
        `identity.span_id`, which is pure. What `job.trace_context` has and is not answered
        here travels on as it is.
        """
        return {}

    def attempt(self, attempt: Attempt) -> None:
        """An attempt has ended: make its span, child of the producer's, and count it."""

    def execution(self, job: RunningJob) -> AbstractContextManager[None]:
        """A span around the handler, current while it runs, so that the user's own spans nest
        under it. What the handler raises comes through the block: `RetryJob` is no error."""
        return nullcontext()

    def worker_started(self, worker_id: str, queues: tuple[str, ...]) -> None:
        """A worker has its executors up."""

    def heartbeat(self, gauges: WorkerGauges) -> None:
        """A worker measured itself; every few seconds."""

    def worker_stopped(self, worker_id: str) -> None:
        """A worker has settled its last job."""

    def log_fields(self, job: StartedJob, carried: Mapping[str, str]) -> Mapping[str, str]:
        """Ids for a line of the worker's log about this attempt, as in
        `{"trace_id": "…", "span_id": "…"}`. Called in the worker's event loop for each such
        line; `carried` is what `carry` answered."""
        return {}

    def flush(self, timeout_seconds: float) -> None:
        """Send what is held, within the timeout: the process is about to end."""


class EnqueuedJob(Struct, kw_only=True, gc=False):
    """A job on its way into Redis.

    Attributes:
        queue_name: bare.
        trace_context: the backend's own mapping, to write its headers into. It begins with what
            the caller of `enqueue_many` gave, which counts as the parent where there is no
            current span.
        attributes: the arguments that the backend's `correlation` names.
    """

    job_id: str
    function_name: str
    queue_name: str
    trace_context: dict[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Scalar] = field(default_factory=dict)


class StartedJob(Struct, kw_only=True, gc=False):
    """A job that the orchestrator hands to an executor. Shared by all backends: only to be read.

    Attributes:
        function_name: as the producer gave it, with its `executor#` prefix if it has one.
        queue_name: bare.
        executor_name: empty if no executor was found for it.
        attempt: from 1. A run that follows a loss or a release has the same number again.
        lease_token: differs for every run of every job.
        previous_lease_token: of the run before, in whatever worker; None if there was none, or
            if it died with its worker. If that one never began, it has no span.
        enqueue_time: RFC 3339, as the producer wrote it.
        queue_delay_ms: from when it was due to when it was claimed, by Redis' clock.
        started_ns: nanoseconds since the epoch, by this machine's clock.
        trace_context: what the producer put there.
    """

    job_id: str
    function_name: str
    queue_name: str
    worker_id: str
    executor_name: str
    attempt: int
    max_retries: int
    timeout_seconds: float
    queue_delay_ms: float
    enqueue_time: str
    lease_token: int
    previous_lease_token: int | None
    started_ns: int
    trace_context: Mapping[str, str]


class FinishedJob(Struct, kw_only=True, gc=False):
    """What became of one attempt. Shared by all backends: only to be read.

    Attributes:
        ended_ns: nanoseconds since the epoch, by this machine's clock.
        is_dead_lettered: whether the job is in the dead letter queue now; it may be with the
            outcomes `dlq` and `timeout`.
        retry_delay_ms: with `retry`, how long until it is due again.
        reason: why the orchestrator ended it (`timeout`, `cancel`, `lease lost`), or what the
            executor answered (`success`, `retry`, `error`, `timeout`).
        error_message: what is kept as the job's `last_error`, for an attempt that failed.
        error_type: as the executor named it.
    """

    outcome: Outcome
    ended_ns: int
    duration_ms: float
    is_dead_lettered: bool = False
    retry_delay_ms: float | None = None
    reason: str | None = None
    error_message: str | None = None
    error_type: str | None = None


class Attempt(Struct, kw_only=True, gc=False):
    """One attempt from its begin to its end, as one backend gets it.

    Attributes:
        carried: what this backend's `carry` answered; empty if there was no `carry`, as for a
            job that was refused before any executor had it.
        attributes: the arguments that this backend's `correlation` names.
    """

    started: StartedJob
    finished: FinishedJob
    carried: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Scalar] = field(default_factory=dict)


class RunningJob(Struct, kw_only=True, gc=False):
    """A job in an executor process.

    Attributes:
        function_name: the handler's name.
        queue_name: bare.
        attributes: the arguments that the backend's `correlation` names.
        stopped_by: why the handler was cancelled, set before the block is left.
    """

    job_id: str
    function_name: str
    queue_name: str
    attempt: int
    worker_id: str | None
    enqueue_time: str
    trace_context: Mapping[str, str]
    attributes: Mapping[str, Scalar] = field(default_factory=dict)
    stopped_by: StopReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorGauges:
    """An executor of a worker: requests and processes."""

    in_flight: int
    capacity: int
    processes: int
    restarts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueGauges:
    """A queue of a worker, by Redis' clock.

    Attributes:
        waiting: jobs in it, due or not.
        due: those that could start now.
        oldest_due_age_seconds: for how long the first of them has been due; 0 if there is none.
    """

    waiting: int
    due: int
    oldest_due_age_seconds: float
    is_paused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerGauges:
    """What a worker measures of itself.

    Attributes:
        measured_ns: nanoseconds since the epoch.
        status: as `rrq check` shows it: `polling`, `idle (no jobs)`, `stopping`, …
        in_flight: jobs at executors.
        capacity: jobs that the executors take at once.
        executors: by name.
        queues: by bare name, the worker's own; None if not asked for, or Redis did not answer.
        counts: since the worker started, exact: `completed`, `retried`, `failed`, `cancelled`,
            `lost`, `refused`.
        lost_leases: leases of its own that went to another worker.
        reaped_jobs: jobs of dead workers that it gave back.
        is_redis_up: whether the last call succeeded.
        last_claim_age_seconds: since Redis last answered a claim, with or without jobs.
        last_settle_age_seconds: since a verdict was last settled.
    """

    worker_id: str
    measured_ns: int
    status: str
    in_flight: int
    capacity: int
    executors: Mapping[str, ExecutorGauges]
    queues: Mapping[str, QueueGauges] | None
    counts: Mapping[str, int]
    lost_leases: int
    reaped_jobs: int
    is_redis_up: bool
    last_claim_age_seconds: float
    last_settle_age_seconds: float
