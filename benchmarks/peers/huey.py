"""Huey with Redis: plain functions in processes or threads."""

from __future__ import annotations

from typing import Any

from huey import RedisHuey

from peers import work

huey = RedisHuey("bench", url=f"{work.REDIS}/0")
HANDLERS = {
    "noop": huey.task(name="noop")(work.noop),
    "stamp": huey.task(name="stamp")(work.stamp),
    "sleep": huey.task(name="sleep")(work.sleep_in_thread),
    "mark": huey.task(name="mark")(work.mark_in_thread),
}


def commands(needs: work.Needs) -> list[list[str]]:
    kind, workers = ("process", needs.processes) if needs.are_short else ("thread", needs.in_flight)
    return [
        work.program(
            "huey.bin.huey_consumer",
            *("peers.huey.huey", "-k", kind, "-w", str(workers), "-q", "-n"),
        )
    ]


def put(handler: str, *arguments: Any) -> None:
    HANDLERS[handler](*arguments)


PEER = work.Peer(
    title="Huey",
    packages=("huey", "redis", "hiredis"),
    settings="`RedisHuey` (blocking reads); workers are processes for short jobs, threads for "
    "those that wait",
    reliability="A task leaves Redis before it runs: no acknowledgement, and nothing that would "
    "bring back the tasks of a dead worker. There is nothing to tune.",
    results="return redis.call('hlen', 'huey.results.bench')",
    commands=commands,
    producer=lambda: work.constant(work.Producer(put)),
    keeps_until_done=False,
)
