"""`Rig`: real workers on a real server, to be killed, frozen and cut off, and a witness of it all.

Everything that it starts has its folder in its environment, and ends with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from rrq.client import RRQClient
from rrq.embedded import EmbeddedRedis
from rrq.job import Job
from rrq.job_request import JobRequest
from rrq.settings import RRQSettings
from tests.faults.journal import SERVER_OPTIONS, Journal
from tests.faults.ledger import LEDGER_VARIABLE, Ledger
from tests.support.preloaded import Forked, fork, may_be_preloaded
from tests.support.processes import command_lines
from tests.support.waiting import eventually

T = TypeVar("T")

REPOSITORY = Path(__file__).parents[2]
TERMINAL = {"COMPLETED", "FAILED", "CANCELLED"}
STARTUP_SECONDS = 20.0

PYTHON_EXECUTOR: dict[str, Any] = {
    "type": "python",
    "settings": "tests.faults.handlers:settings",
    "pool_size": 2,
    "max_in_flight": 8,
}


def fault_server(options: Sequence[str] = ()) -> EmbeddedRedis:
    """A server that keeps what it acknowledged, and a journal of it."""
    return EmbeddedRedis(options=[*SERVER_OPTIONS, *options], start_timeout_seconds=30)


class WorkerProcess:
    """One `rrq worker run`.

    Attributes:
        log: the file with all that it printed.
    """

    def __init__(self, options: list[str], environment: dict[str, str], log: Path) -> None:
        self.log = log
        words = ["worker", "run", *options]
        self.process: Forked | subprocess.Popen[bytes]
        with log.open("wb") as output:
            if may_be_preloaded(environment):
                self.process = fork(
                    "rrq",
                    words,
                    REPOSITORY,
                    environment,
                    stdout=output.fileno(),
                    stderr=output.fileno(),
                    new_session=True,
                )
            else:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "rrq", *words],
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=REPOSITORY,
                    start_new_session=True,
                )
        self.pid = self.process.pid

    @property
    def worker_id(self) -> str:
        """What it calls itself; empty before it said so."""
        found = re.search(r"Worker (rrq_worker_\w+):", self._text())
        return found[1] if found else ""

    def lines(self, containing: str = "") -> list[str]:
        """The lines of its log with this text."""
        return [line for line in self._text().splitlines() if containing in line]

    def _text(self) -> str:
        # A device such as /dev/full would be read for ever.
        return self.log.read_text(errors="replace") if self.log.is_file() else ""

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait for its end."""
        self.send(signal.SIGKILL)
        self.process.wait()

    async def stop(self, within_seconds: float = 20.0) -> int:
        """SIGTERM; its exit code."""
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        await eventually(
            lambda: self.process.poll() is not None,
            within_seconds,
            f"the end of the worker, whose log ends with {self.lines()[-5:]}",
        )
        return self.process.returncode


class Rig:
    """Use as an async context manager; on the way out it kills what still runs.

    Args:
        server: a running server with a journal.
        folder: an empty directory for configurations, logs and the ledger.
        settings: further keys of `[rrq]` for the workers and the client.
    """

    def __init__(self, server: EmbeddedRedis, folder: Path, **settings: Any) -> None:
        self.server = server
        self.folder = folder
        self.ledger = Ledger(folder / "ledger")
        self.settings = RRQSettings.model_validate(
            {
                "redis_dsn": server.dsn,
                "lease_seconds": 2.0,
                "base_retry_delay_seconds": 0.05,
                "worker_health_check_interval_seconds": 0.5,
                "worker_shutdown_grace_period_seconds": 5.0,
                **settings,
            }
        )
        self.client = RRQClient(self.settings)
        self.workers: list[WorkerProcess] = []
        self._given_settings = settings
        self.temporary = folder / "tmp"
        self.temporary.mkdir()

    async def __aenter__(self) -> Rig:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for worker in self.workers:
            worker.kill()
        for pid in self.leftovers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await self.client.close()

    # -- workers ------------------------------------------------------------------------

    def start_worker(
        self,
        *,
        dsn: str | None = None,
        executors: dict[str, dict[str, Any]] | None = None,
        log_level: str = "info",
        environment: dict[str, str] | None = None,
        log: Path | None = None,
        **settings: Any,
    ) -> WorkerProcess:
        """Start a worker and return at once.

        Args:
            dsn: its way to the server, if not the direct one.
            executors: tables by name; two Python processes if left out.
            environment: added to the worker's.
            log: where it prints, if not into a file of the rig's folder.
            settings: keys of `[rrq]` that overrule the rig's.
        """
        name = f"worker-{len(self.workers) + 1}"
        table = {
            **self.settings.model_dump(
                include={
                    "redis_dsn",
                    "lease_seconds",
                    "base_retry_delay_seconds",
                    "worker_health_check_interval_seconds",
                    "worker_shutdown_grace_period_seconds",
                    *self._given_settings,
                }
            ),
            **settings,
        }
        if dsn:
            table["redis_dsn"] = dsn
        config = self.folder / f"{name}.toml"
        config.write_text(_toml(table, executors or {"python": PYTHON_EXECUTOR}))
        worker = WorkerProcess(
            ["--config", str(config), "--log-level", log_level],
            {
                **os.environ,
                LEDGER_VARIABLE: str(self.ledger.path),
                "TMPDIR": str(self.temporary),
                "PYTHONDONTWRITEBYTECODE": "1",
                **(environment or {}),
            },
            log or self.folder / f"{name}.log",
        )
        self.workers.append(worker)
        return worker

    async def worker(self, **options: Any) -> WorkerProcess:
        """Start a worker, as `start_worker`, and return when it claims jobs."""
        worker = self.start_worker(**options)
        await self.ready(worker)
        return worker

    async def ready(self, worker: WorkerProcess) -> None:
        """Return when this worker has its executors and claims jobs."""

        async def reports() -> bool:
            if worker.process.poll() is not None:
                raise AssertionError(f"The worker ended: {worker.lines()[-8:]}")
            health, _ = await self.client.job_store.workers.health(worker.worker_id)
            return health is not None

        await eventually(reports, STARTUP_SECONDS, f"the first heartbeat of {worker.log.name}")

    # -- jobs ---------------------------------------------------------------------------

    async def enqueue(self, function_name: str, *args: Any, **options: Any) -> str:
        """Enqueue a job; its id."""
        job = await self.client.enqueue(function_name, *args, **options)
        assert job is not None
        return job.id

    async def enqueue_many(self, function_name: str, count: int, *args: Any) -> list[str]:
        """Enqueue the same job so many times; the ids."""
        jobs = await self.client.enqueue_many(JobRequest(function_name, args) for _ in range(count))
        return [job.id for job in jobs if job]

    async def job(self, job_id: str) -> Job:
        """The job as Redis has it."""
        job = await self.client.get_job(job_id)
        assert job is not None, f"job {job_id} is lost"
        return job

    async def field(self, job_id: str, name: str) -> str:
        """A field of a job's hash, empty if it has none."""
        return (await self.client.job_store.jobs.get_fields(job_id)).get(name, "")

    async def statuses(self, job_ids: Iterable[str]) -> dict[str, str]:
        """The status of each job, `lost` where there is no hash."""
        ids = list(job_ids)
        async with self.client.job_store.redis.pipeline(transaction=False) as pipeline:
            for job_id in ids:
                pipeline.hget(self.client.job_store.keys.job(job_id), "status")
            statuses = await pipeline.execute()
        return {
            job_id: status.decode() if status else "lost"
            for job_id, status in zip(ids, statuses, strict=True)
        }

    async def all_ended(self, job_ids: Iterable[str], within_seconds: float) -> None:
        """Return when every one of these jobs is in a terminal state."""
        ids = list(job_ids)
        waiting = ids

        async def ended() -> bool:
            nonlocal waiting
            statuses = await self.statuses(waiting)
            waiting = [job_id for job_id, status in statuses.items() if status not in TERMINAL]
            return not waiting

        try:
            await eventually(ended, within_seconds, pause_seconds=0.05)
        except AssertionError:
            statuses = await self.statuses(waiting)
            some = dict(list(statuses.items())[:5])
            how_many = f"{len(waiting)} of {len(ids)} jobs"
            raise AssertionError(
                f"{how_many} had not ended after {within_seconds:g} s: {some}"
            ) from None

    async def running(self, job_id: str, within_seconds: float = 10.0) -> None:
        """Return when a run of this job has begun."""
        await eventually(lambda: self.ledger.starts(job_id), within_seconds, f"a run of {job_id}")

    # -- witnesses ----------------------------------------------------------------------

    def journal(self) -> Journal:
        """The server's journal, replayed."""
        return Journal(self.server.directory, self.settings.key_prefix).replay()

    def leftovers(self) -> dict[int, str]:
        """Processes of this rig that run: workers, executors, and what names its folder."""
        mine = self.ledger.executor_pids() | {worker.pid for worker in self.workers}
        return {
            pid: command
            for pid, command in command_lines().items()
            if (pid in mine and ("rrq" in command))
            or (str(self.folder) in command and pid != os.getpid())
        }

    async def redis(self, *command: Any) -> Any:
        """A command to the server."""
        return await self.client.job_store.redis.execute_command(*command)

    async def eventually(
        self, condition: Callable[[], T | Awaitable[T]], within_seconds: float, what: str
    ) -> T:
        """As `tests.support.waiting.eventually`."""
        return await eventually(condition, within_seconds, what)

    async def in_thread(self, call: Callable[[], T]) -> T:
        """Carry out a blocking call while the proxy and the client go on."""
        return await asyncio.to_thread(call)


def _toml(table: dict[str, Any], executors: dict[str, dict[str, Any]]) -> str:
    lines = ["[rrq]", *(f"{key} = {_value(value)}" for key, value in table.items())]
    for name, options in executors.items():
        lines.append(f"[rrq.executors.{name}]")
        lines += [f"{key} = {_value(value)}" for key, value in options.items()]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(_value(one) for one in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_value(one)}" for key, one in value.items()) + "}"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)
