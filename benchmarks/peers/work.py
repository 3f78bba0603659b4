"""What every library is given to do, and what its module in this folder offers for that.

`python -m peers NAME VERB …` is run by the library's own Python. A module knows how to start the
library's worker, and how to put jobs in; its handlers call the functions here. This file needs
nothing but the standard library.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import inspect
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

REDIS = os.environ.get("BENCH_REDIS", "redis://127.0.0.1:6379")
"""The server, without a database: jobs go to 0; results to 1 where the library lets them apart."""

IS_TUNED = os.environ.get("BENCH_RELIABILITY") == "tuned"
"""Whether timeouts after which a dead worker's jobs run again are set to `TUNED_SECONDS`."""

TUNED_SECONDS = 10
"""RRQ's default lease; the longest job of these benchmarks takes 3 seconds."""

ARGUMENTS = {"noop": (), "stamp": ("sent",), "sleep": ("seconds",), "mark": ("number", "seconds")}
"""The handlers that every module registers, and the names of their arguments."""


# -- what handlers do -------------------------------------------------------------------


def noop() -> int:
    """Nothing. The result is no None, which some libraries do not store."""
    return 1


def stamp(sent: float) -> int:
    """Note how long ago the job was put in."""
    _note(f"stamp {time.time() - sent}")
    return 1


async def sleep(seconds: float) -> int:
    """Wait, as a handler does that calls another service."""
    await asyncio.sleep(seconds)
    return 1


async def mark(number: int, seconds: float) -> int:
    """Note start and end of a job that takes a while."""
    _note(f"start {number} {time.time()}")
    await asyncio.sleep(seconds)
    _note(f"end {number} {time.time()}")
    return 1


def sleep_in_thread(seconds: float) -> int:
    """`sleep` for libraries whose handlers are plain functions."""
    time.sleep(seconds)
    return 1


def mark_in_thread(number: int, seconds: float) -> int:
    """`mark` for libraries whose handlers are plain functions."""
    _note(f"start {number} {time.time()}")
    time.sleep(seconds)
    _note(f"end {number} {time.time()}")
    return 1


def _note(line: str) -> None:
    # One write call each, so that lines of several processes do not mix.
    ledger = os.open(os.environ["BENCH_LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(ledger, f"{line}\n".encode())
    finally:
        os.close(ledger)


# -- what a module offers ---------------------------------------------------------------


@dataclass(frozen=True)
class Needs:
    """The worker that is wanted.

    Attributes:
        processes: worker processes (executor processes, for RRQ).
        in_flight: jobs at once in each; 0 leaves it to the module: its fastest for short jobs.
        are_short: whether all jobs are over at once; else most of their time is waiting.
    """

    processes: int
    in_flight: int
    are_short: bool


@dataclass(frozen=True)
class Producer:
    """How jobs are put in; both functions may be coroutine functions.

    Attributes:
        put: takes a handler's name and its arguments.
        put_many: takes a handler's name and a list of arguments; None: not offered.
    """

    put: Callable[..., Any]
    put_many: Callable[[str, list[tuple[Any, ...]]], Any] | None = None


@dataclass(frozen=True)
class Peer:
    """One library.

    Attributes:
        title: its name.
        packages: distributions whose versions are shown.
        settings: how it was run, in a sentence or two.
        reliability: what it promises about jobs of a dead worker, and how "tuned" was reached.
        results: Lua that returns how many results are stored; see `counts_left`.
        counts_left: `results` returns the jobs that are not done yet instead.
        commands: the worker's commands for what is needed.
        producer: an open producer.
        one_at_a_time: a process runs one job at a time, whatever it waits for.
        keeps_until_done: a job is still in Redis while it runs, or can be made to be.
    """

    title: str
    packages: Sequence[str]
    settings: str
    reliability: str
    results: str
    commands: Callable[[Needs], list[list[str]]]
    producer: Callable[[], AbstractAsyncContextManager[Producer]]
    counts_left: bool = False
    results_database: int = 0
    one_at_a_time: bool = False
    keeps_until_done: bool = True


def run(peer: Peer, verb: str, words: Sequence[str]) -> None:
    """Do what the command line says, and print what came of it as one line of JSON."""
    if verb == "worker":
        _work(peer)
        return
    if verb == "describe":
        answer: Any = _description(peer)
    else:
        answer = asyncio.run(_produce(peer, verb, [json.loads(word) for word in words]))
    print(json.dumps(answer), flush=True)


def program(module: str, *words: str) -> list[str]:
    """A command that runs a module with this environment's Python."""
    return [sys.executable, "-m", module, *words]


def constant(producer: Producer) -> AbstractAsyncContextManager[Producer]:
    """A producer that needs no opening and closing."""
    return nullcontext(producer)


def _description(peer: Peer) -> dict[str, Any]:
    return {
        "title": peer.title,
        "versions": {name: importlib.metadata.version(name) for name in peer.packages},
        "settings": peer.settings,
        "reliability": peer.reliability,
        "results": peer.results,
        "counts_left": peer.counts_left,
        "results_database": peer.results_database,
        "one_at_a_time": peer.one_at_a_time,
        "keeps_until_done": peer.keeps_until_done,
    }


def _work(peer: Peer) -> None:
    needs = Needs(
        int(os.environ["BENCH_PROCESSES"]),
        int(os.environ["BENCH_IN_FLIGHT"]),
        os.environ["BENCH_SHORT"] == "1",
    )
    first, *others = peer.commands(needs)
    # The process becomes the first worker, so that its memory is a worker's alone.
    for command in others:
        subprocess.Popen(command)
    os.execv(first[0], first)


# -- putting jobs in --------------------------------------------------------------------


async def _produce(peer: Peer, verb: str, words: list[Any]) -> Any:
    async with peer.producer() as producer:
        put, put_many = producer.put, producer.put_many
        if verb == "singles":
            return await _singles(put, *words)
        if verb == "bulk":
            return None if put_many is None else await _bulk(put_many, *words)
        if verb == "fill":
            return await _fill(producer, *words)
        if verb == "samples":
            return await _samples(put, *words)
        if verb == "trickle":
            return await _trickle(put, *words)
    raise SystemExit(f"no such verb: {verb}")


async def _singles(put: Callable[..., Any], jobs: int, seconds: float) -> dict[str, float]:
    """One after the other, until the jobs or the seconds are over."""
    await _done(put("noop"))
    is_async = inspect.iscoroutinefunction(put)
    began = time.perf_counter()
    done = 0
    while done < jobs and time.perf_counter() - began < seconds:
        if is_async:
            await put("noop")
        else:
            put("noop")
        done += 1
    return {"jobs": done, "seconds": time.perf_counter() - began}


async def _bulk(put_many: Callable[..., Any], jobs: int, seconds: float) -> dict[str, float]:
    """A thousand a call."""
    await _done(put_many("noop", [()]))
    began = time.perf_counter()
    done = 0
    while done < jobs and time.perf_counter() - began < seconds:
        await _done(put_many("noop", [()] * 1000))
        done += 1000
    return {"jobs": done, "seconds": time.perf_counter() - began}


async def _fill(
    producer: Producer, handler: str, jobs: int, seconds: float, limit_seconds: float
) -> dict[str, float]:
    """As fast as the library can; `seconds` is what each job waits, if it does."""
    values = {"number": 0, "seconds": seconds}
    names = ARGUMENTS[handler]
    all_arguments = [
        tuple({**values, "number": number}[name] for name in names) for number in range(jobs)
    ]
    began = time.perf_counter()
    done = 0
    while done < jobs and time.perf_counter() - began < limit_seconds:
        chunk = all_arguments[done : done + 500]
        if producer.put_many is not None:
            await _done(producer.put_many(handler, chunk))
        elif inspect.iscoroutinefunction(producer.put):
            await asyncio.gather(*(producer.put(handler, *one) for one in chunk))
        else:
            for one in chunk:
                producer.put(handler, *one)
        done += len(chunk)
    return {"jobs": done, "seconds": time.perf_counter() - began}


async def _samples(put: Callable[..., Any], jobs: int) -> None:
    """Jobs that note their start, apart from each other by times that follow no rhythm."""
    for _ in range(jobs):
        await _done(put("stamp", time.time()))
        await asyncio.sleep(random.uniform(0.015, 0.045))


async def _trickle(put: Callable[..., Any], seconds: float) -> None:
    """A job a second, as ordinary traffic."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        await _done(put("noop"))
        await asyncio.sleep(1)


async def _done(answer: Any) -> None:
    if inspect.isawaitable(answer):
        await answer
