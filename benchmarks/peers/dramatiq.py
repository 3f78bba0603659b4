"""Dramatiq with the Redis broker and results in Redis: plain functions in threads."""

from __future__ import annotations

from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from peers import work

TUNED: dict[str, Any] = {
    "heartbeat_timeout": work.TUNED_SECONDS * 1000,
    "maintenance_chance": 100_000,
}
broker = RedisBroker(url=f"{work.REDIS}/0", **(TUNED if work.IS_TUNED else {}))
broker.add_middleware(Results(backend=RedisBackend(url=f"{work.REDIS}/1"), store_results=True))
dramatiq.set_broker(broker)

noop = dramatiq.actor(work.noop, actor_name="noop")
stamp = dramatiq.actor(work.stamp, actor_name="stamp")
sleep = dramatiq.actor(work.sleep_in_thread, actor_name="sleep")
mark = dramatiq.actor(work.mark_in_thread, actor_name="mark")

HANDLERS = {"noop": noop, "stamp": stamp, "sleep": sleep, "mark": mark}


def commands(needs: work.Needs) -> list[list[str]]:
    return [
        work.program(
            "dramatiq",
            *("peers.dramatiq:broker", "--processes", str(needs.processes)),
            *("--threads", str(needs.in_flight or 8)),
        )
    ]


def put(handler: str, *arguments: Any) -> None:
    HANDLERS[handler].send(*arguments)


PEER = work.Peer(
    title="Dramatiq",
    packages=("dramatiq", "redis", "hiredis"),
    settings="`RedisBroker`, `Results` with `RedisBackend`, 8 threads, the default; a message is "
    "acknowledged after its result is stored",
    reliability="Messages of a process that gave no sign of life for `heartbeat_timeout` (60 s) go "
    "back to the queue when one in a thousand calls of the broker cleans up. Tuned: 10 s, and one "
    "call in ten.",
    results="return redis.call('dbsize')",
    results_database=1,
    commands=commands,
    producer=lambda: work.constant(work.Producer(put)),
)
