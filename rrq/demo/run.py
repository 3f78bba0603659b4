"""Runs the demo: a private Redis, a worker process with Python executors, and a producer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rrq.cancelling import cancelled
from rrq.client import RRQClient
from rrq.exc import ExecutorStartError, JobFailed
from rrq.job import Job
from rrq.job_request import JobRequest
from rrq.settings import RRQSettings

Progress = Callable[[int, str], AbstractContextManager[Callable[[int], None]]]
"""`rrq.cli.render.progress`, or anything like it."""

LONGEST_STOP_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class DemoRun:
    """What the demo did.

    Attributes:
        jobs: every job as it ended.
        seconds: from the first enqueue to the last end.
        processes: how many executor processes there were.
        folder: where the modules are.
    """

    jobs: list[Job]
    seconds: float
    processes: int
    folder: Path


def standard_library() -> tuple[Path, list[Path]]:
    """The folder of the standard library, and every Python file in it."""
    folder = Path(sysconfig.get_path("stdlib"))
    files = sorted(
        path
        for path in folder.rglob("*.py")
        if not {"site-packages", "dist-packages"} & set(path.relative_to(folder).parts)
    )
    return folder, files


async def run_demo(
    dsn: str, folder: Path, files: Sequence[Path], workspace: Path, progress: Progress
) -> DemoRun:
    """Enqueue a job for each file, and return when all have ended.

    Args:
        folder: where the files are.
        workspace: a directory for the worker's configuration and log.

    Raises:
        ExecutorStartError: the worker ended before the jobs; the message is what it said.
    """
    # Two attempts, close together: a file that does not parse shows a retry, then a dead letter.
    settings = RRQSettings(redis_dsn=dsn, default_max_retries=2, base_retry_delay_seconds=0.5)
    processes = os.cpu_count() or 1
    async with _worker(settings, processes, workspace) as worker, RRQClient(settings) as client:
        watch = asyncio.create_task(worker.wait())
        work = asyncio.create_task(_work(client, files, progress))
        try:
            await asyncio.wait([watch, work], return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise ExecutorStartError(f"The demo's worker ended early:\n{_said(worker)}")
            jobs, seconds = work.result()
        finally:
            if not work.done():
                # A second Ctrl-C strikes in the midst of them: nobody wants to read where.
                asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
            # Before the client closes, or each of a thousand waits would complain.
            await cancelled([watch, work])
    return DemoRun(jobs, seconds, processes, folder)


async def _work(
    client: RRQClient, files: Sequence[Path], progress: Progress
) -> tuple[list[Job], float]:
    await _worker_is_up(client)
    with progress(len(files), "Parsing the standard library") as advance:
        began = time.monotonic()
        queued = await client.enqueue_many(
            JobRequest("measure_module", [str(path)]) for path in files
        )
        ids = [job.id for job in queued if job]

        async def ended(job_id: str) -> Job | None:
            with contextlib.suppress(JobFailed):
                await client.wait(job_id)
            advance(1)
            return await client.get_job(job_id)

        waits = [asyncio.create_task(ended(job_id)) for job_id in ids]
        try:
            await asyncio.gather(*waits)
        finally:
            await cancelled(waits)
        seconds = time.monotonic() - began
        return [job for wait in waits if (job := wait.result())], seconds


async def _worker_is_up(client: RRQClient) -> None:
    """Return when a worker is alive: the demo's figures are of jobs, not of its start-up."""
    while not await client.job_store.workers.ids():  # noqa: ASYNC110 - nobody tells us
        await asyncio.sleep(0.02)


@asynccontextmanager
async def _worker(
    settings: RRQSettings, processes: int, workspace: Path
) -> AsyncIterator[_WorkerProcess]:
    config = workspace / "rrq.toml"
    config.write_text(
        "[rrq]\n"
        f'redis_dsn = "{settings.redis_dsn}"\n'
        f"default_max_retries = {settings.default_max_retries}\n"
        f"base_retry_delay_seconds = {settings.base_retry_delay_seconds}\n"
        "[rrq.executors.python]\n"
        'type = "python"\n'
        'settings = "rrq.demo.handlers:settings"\n'
        f"pool_size = {processes}\n"
        # Parsing needs the processor: more at once in one process would only wait longer.
        "max_in_flight = 2\n"
    )
    worker = _WorkerProcess(config, workspace / "worker.log")
    try:
        yield worker
    finally:
        await worker.stop()


class _WorkerProcess:
    """`rrq worker run` in a process of its own: it hears no Ctrl-C but ours, and outlives us by no
    more than its grace period."""

    def __init__(self, config: Path, log: Path) -> None:
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "rrq.cli.tied", "worker", "run", "--config", str(config)],
                env=_environment(),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    async def wait(self) -> None:
        """Return when the process has ended."""
        while self._process.poll() is None:  # noqa: ASYNC110 - a process sets no event
            await asyncio.sleep(0.1)

    async def stop(self) -> None:
        """Ask it to end, and see that it does."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_STOP_SECONDS):
                await self.wait()
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def _environment() -> dict[str, str]:
    """Ours, in which nothing configures RRQ: no demo may run on the Redis of somebody's shop."""
    # What is set to nothing counts as not set, and is not read from `.env` either.
    return {**os.environ, **{f"RRQ_{key.upper()}": "" for key in RRQSettings.model_fields}}


def _said(worker: _WorkerProcess) -> str:
    lines = worker.log.read_text(errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-8:])
