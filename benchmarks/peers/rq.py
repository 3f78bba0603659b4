"""RQ: plain functions, one at a time in a process, by default in a fork for each job."""

from __future__ import annotations

from typing import Any

from redis import Redis
from rq import Queue, Retry

from peers import work

queue = Queue("default", connection=Redis.from_url(f"{work.REDIS}/0"))
PATHS = {
    "noop": "peers.work.noop",
    "stamp": "peers.work.stamp",
    "sleep": "peers.work.sleep_in_thread",
    "mark": "peers.work.mark_in_thread",
}
RETRY = Retry(max=3) if work.IS_TUNED else None


def commands(needs: work.Needs) -> list[list[str]]:
    # RQ advises the worker without a fork for jobs of a few milliseconds only.
    kind = "rq.SimpleWorker" if needs.are_short else "rq.Worker"
    command = work.program(
        "rq.cli",
        *("worker", "default", "--url", f"{work.REDIS}/0", "--quiet", "--worker-class", kind),
        *(("--maintenance-interval", "10") if work.IS_TUNED else ()),
    )
    return [command] * needs.processes


def put(handler: str, *arguments: Any) -> None:
    queue.enqueue(PATHS[handler], *arguments, retry=RETRY)


def put_many(handler: str, many: list[tuple[Any, ...]]) -> None:
    queue.enqueue_many(
        [Queue.prepare_data(PATHS[handler], args=arguments, retry=RETRY) for arguments in many]
    )


PEER = work.Peer(
    title="RQ",
    packages=("rq", "redis", "hiredis"),
    settings="`SimpleWorker`, which RQ advises for jobs of a few milliseconds; `Worker`, a fork "
    "for each job, in the test of recovery",
    reliability="A job whose worker gave no sign of life for 90 s or more is moved to the failed "
    "ones, or run again if it has a `Retry`, when a worker does its maintenance, every 600 s. "
    "Tuned: `Retry(max=3)`, maintenance every 10 s.",
    results="return redis.call('zcard', 'rq:finished:default')",
    commands=commands,
    producer=lambda: work.constant(work.Producer(put, put_many)),
    one_at_a_time=True,
)
