"""`Chaos`: one fault after the other, which ones and when as its seed says."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from redis.exceptions import RedisError

from tests.faults.proxy import Proxy
from tests.faults.rig import Rig, WorkerProcess
from tests.support.processes import is_alive

LONGEST_CALM_SECONDS = 2.5


@dataclass(slots=True)
class Post:
    """A place for a worker, with its own way to the server.

    Attributes:
        is_vacant: the worker was ended, and the next one has not started.
    """

    proxy: Proxy
    worker: WorkerProcess
    is_vacant: bool = False


class Chaos:
    """Hurts the workers of a rig, its server, and what lies between.

    Attributes:
        injected: how many faults of each kind.
        posts: the workers that should run.
    """

    def __init__(self, rig: Rig, draw: random.Random) -> None:
        self._rig = rig
        self._draw = draw
        self._healing: set[asyncio.Task[None]] = set()
        self._server = asyncio.Lock()
        self.injected: Counter[str] = Counter()
        self.posts: list[Post] = []
        self._is_stopping = False

    def stop(self) -> None:
        """Inject nothing more; `run` returns when the last fault is over."""
        self._is_stopping = True

    async def run(self) -> None:
        """Inject faults until `stop`."""
        faults: list[tuple[str, float, Callable[[], Awaitable[None]]]] = [
            ("worker killed", 3, self._kill_worker),
            ("worker stopped and restarted", 1, self._restart_worker),
            ("worker frozen", 3, self._freeze_worker),
            ("executor killed", 5, self._kill_executor),
            ("connections cut", 3, self._cut),
            ("connections refused", 2, self._refuse),
            ("connections half open", 2, self._swallow),
            ("Redis killed and restarted", 2, self._restart_server),
            ("Redis frozen", 1, self._freeze_server),
            ("all clients disconnected", 1, self._disconnect),
            ("scripts flushed", 1, self._flush_scripts),
        ]
        shares = [share for _, share, _ in faults]
        while not self._is_stopping:
            await asyncio.sleep(self._draw.uniform(0.2, LONGEST_CALM_SECONDS))
            [(kind, _, inject)] = self._draw.choices(faults, shares)
            self.injected[kind] += 1
            await inject()

    async def heal(self) -> None:
        """Undo what has not been undone, so that every post has a worker that can work."""
        await asyncio.gather(*self._healing, return_exceptions=True)
        async with self._server:
            await self._rig.in_thread(self._rig.server.start)
        for post in self.posts:
            post.proxy.restore()
            post.worker.send(signal.SIGCONT)
            if post.worker.process.poll() is not None:
                self._replace(post)

    # -- workers and executors ----------------------------------------------------------

    async def _kill_worker(self) -> None:
        self._end_worker(lambda worker: worker.kill())

    async def _restart_worker(self) -> None:
        self._end_worker(lambda worker: worker.send(signal.SIGTERM))

    async def _freeze_worker(self) -> None:
        worker = self._post().worker
        worker.send(signal.SIGSTOP)
        self._later(self._draw.uniform(0.2, 5), lambda: worker.send(signal.SIGCONT))

    async def _kill_executor(self) -> None:
        alive = [pid for pid in sorted(self._rig.ledger.executor_pids())[-12:] if is_alive(pid)]
        if alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._draw.choice(alive), signal.SIGKILL)

    def _end_worker(self, end: Callable[[WorkerProcess], None]) -> None:
        post, seconds = self._post(), self._draw.uniform(0, 3)
        if post.is_vacant:
            return
        post.worker.send(signal.SIGCONT)
        end(post.worker)
        post.is_vacant = True
        self._later(seconds, lambda: self._replace(post))

    # -- the network --------------------------------------------------------------------

    async def _cut(self) -> None:
        self._post().proxy.cut()

    async def _refuse(self) -> None:
        proxy = self._post().proxy
        proxy.refuse()
        self._later(self._draw.uniform(0.2, 4), proxy.restore)

    async def _swallow(self) -> None:
        proxy = self._post().proxy
        proxy.swallow()
        self._later(self._draw.uniform(0.2, 6), proxy.restore)

    # -- the server ---------------------------------------------------------------------

    async def _restart_server(self) -> None:
        async with self._server:
            await self._rig.in_thread(self._rig.server.kill)
            await asyncio.sleep(self._draw.uniform(0.1, 3))
            await self._rig.in_thread(self._rig.server.start)

    async def _freeze_server(self) -> None:
        async with self._server:
            os.kill(self._rig.server.pid, signal.SIGSTOP)
            await asyncio.sleep(self._draw.uniform(0.1, 3))
            os.kill(self._rig.server.pid, signal.SIGCONT)

    async def _disconnect(self) -> None:
        with contextlib.suppress(RedisError, OSError):
            await self._rig.redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    async def _flush_scripts(self) -> None:
        with contextlib.suppress(RedisError, OSError):
            await self._rig.redis("SCRIPT", "FLUSH")

    # -- helpers ------------------------------------------------------------------------

    def _post(self) -> Post:
        return self._draw.choice(self.posts)

    def _replace(self, post: Post) -> None:
        # One that was told to stop may still be at it: they overlap, as in a rolling restart.
        post.is_vacant = False
        post.worker = self._rig.start_worker(dsn=post.proxy.dsn)

    def _later(self, seconds: float, mend: Callable[[], None]) -> None:
        async def wait() -> None:
            await asyncio.sleep(seconds)
            mend()

        task = asyncio.create_task(wait())
        self._healing.add(task)
        task.add_done_callback(self._healing.discard)
