"""End to end: enqueue, run and verify thousands of jobs, with handlers in Python, in Rust, in both.

    python examples/integration_test.py                  # 1000 jobs for each scenario
    python examples/integration_test.py --count 100 --scenario python
    python examples/integration_test.py --redis-dsn redis://localhost:6379/3 --no-flush

It starts a Redis of its own unless `--redis-dsn` names one, whose database is then emptied before
each scenario unless `--no-flush` says otherwise. Of twenty jobs one fails, one asks for another
attempt, and the others give back their arguments. The result of every job is verified; it exits
with 1 if one is not as it must be.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rrq import JobRegistry, PythonExecutorSettings, RRQClient, RRQSettings
from rrq.exc import JobFailed, JobNotFound, RetryJob, RRQError
from rrq.job import Job, JobStatus
from rrq.job_request import JobRequest

HERE = Path(__file__).resolve().parent
RUST = HERE.parent / "reference" / "rust"
SCENARIOS = {"python": ("python",), "rust": ("rust",), "mixed": ("python", "rust")}
"""The executors that take turns in each scenario."""

SILENCE_SECONDS = 60
"""The test fails when a job has not ended for so long."""


# -- the handlers in Python; those in Rust are the example `stdio_executor` --------------


async def echo(ctx: dict[str, Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
    """Give the arguments back."""
    return {"args": args, "kwargs": kwargs}


async def fail(ctx: dict[str, Any], message: str) -> None:
    """Fail with this message."""
    raise ValueError(message)


async def succeed_at(ctx: dict[str, Any], attempt: int) -> int:
    """Ask to be run again at once, until this attempt."""
    if ctx["job_try"] < attempt:
        raise RetryJob("not yet", defer_seconds=0)
    return attempt


registry = JobRegistry()
for handler in (echo, fail, succeed_at):
    registry.register(handler.__name__, handler)
executor_settings = PythonExecutorSettings(job_registry=registry)


# -- the jobs, and how they must end -----------------------------------------------------


@dataclass(frozen=True)
class Expected:
    """How a job must end."""

    status: JobStatus
    result: Any
    current_retries: int
    last_error: str | None


def job_of(number: int, executor: str) -> tuple[JobRequest, Expected]:
    """The job of this number, and how it must end."""
    if number % 20 == 7:
        request = JobRequest(f"{executor}#fail", [f"as asked: {number}"], max_retries=1)
        return request, Expected(JobStatus.FAILED, None, 1, f"as asked: {number}")
    if number % 20 == 13:
        request = JobRequest(f"{executor}#succeed_at", [2], max_retries=3)
        return request, Expected(JobStatus.COMPLETED, 2, 1, None)
    args, kwargs = [number, "wörld 😀", None, 0.5], {"big": 2**53 + number, "deep": [[{"a": []}]]}
    result = {"args": args, "kwargs": kwargs}
    request = JobRequest(f"{executor}#echo", args, kwargs)
    return request, Expected(JobStatus.COMPLETED, result, 0, None)


def difference(job: Job | None, expected: Expected) -> str | None:
    """What is not as it must be."""
    if job is None:
        return "it is gone"
    for name in ("status", "result", "current_retries", "last_error"):
        found, wanted = getattr(job, name), getattr(expected, name)
        if found != wanted:
            return f"{name} is {found!r}, not {wanted!r}"
    return None


# -- one scenario ------------------------------------------------------------------------


async def run_scenario(name: str, settings: RRQSettings, options: argparse.Namespace) -> bool:
    """Enqueue its jobs, run them, verify them; returns whether all are as they must be."""
    executors = SCENARIOS[name]
    pairs = [job_of(number, executors[number % len(executors)]) for number in range(options.count)]
    async with RRQClient(settings) as client:
        if not options.no_flush:
            await client.job_store.redis.flushdb()
        began = time.monotonic()
        jobs = await client.enqueue_many([request for request, _ in pairs])
        expected = {job.id: one for job, (_, one) in zip(jobs, pairs, strict=True) if job}
        enqueued = time.monotonic()
        say(f"{name}: {len(expected)} jobs enqueued in {enqueued - began:.2f} s")
        async with worker(settings, executors, options) as process:
            wrong = await verify(name, client, expected, process, options.log_interval)
        seconds = time.monotonic() - enqueued
    tally = Counter(one.status.value for one in expected.values())
    told = ", ".join(f"{count} {status}" for status, count in sorted(tally.items()))
    for line in wrong[:10]:
        say(f"{name}: {line}")
    verdict = f"{len(wrong)} wrong" if wrong else "all as they must be"
    say(f"{name}: {told}; {seconds:.1f} s, {len(expected) / seconds:.0f} jobs/s; {verdict}")
    return not wrong and len(expected) == options.count


async def verify(
    name: str,
    client: RRQClient,
    expected: dict[str, Expected],
    process: subprocess.Popen[bytes],
    log_interval_seconds: float,
) -> list[str]:
    """Wait for the end of each job; returns what is wrong with any of them."""
    wrong, spoke = [], time.monotonic()
    for count, (job_id, one) in enumerate(expected.items()):
        if not await has_ended(client, job_id, process):
            return [*wrong, f"job {job_id} has not ended, and the rest was not looked at"]
        if why := difference(await client.get_job(job_id), one):
            wrong.append(f"job {job_id}: {why}")
        if time.monotonic() - spoke >= log_interval_seconds:
            spoke = time.monotonic()
            say(f"{name}: {count + 1} of {len(expected)} verified")
    return wrong


async def has_ended(client: RRQClient, job_id: str, process: subprocess.Popen[bytes]) -> bool:
    """Whether a job ends, while the worker lives and not everything stands still."""
    until = time.monotonic() + SILENCE_SECONDS
    while process.poll() is None and time.monotonic() < until:
        try:
            await client.wait(job_id, timeout=1)
        except TimeoutError:
            continue
        except (JobFailed, JobNotFound):
            pass
        return True
    return False


@asynccontextmanager
async def worker(
    settings: RRQSettings, executors: tuple[str, ...], options: argparse.Namespace
) -> AsyncIterator[subprocess.Popen[bytes]]:
    """`rrq worker run` with these executors, in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="rrq-integration-") as folder:
        config = Path(folder) / "rrq.toml"
        config.write_text(configuration(settings, executors, options.rust_executor_cmd))
        command = [sys.executable, "-m", "rrq", "worker", "run", "--config", str(config)]
        process = subprocess.Popen([*command, "--log-level", "ERROR"])  # noqa: ASYNC220
        try:
            yield process
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait)


def configuration(settings: RRQSettings, executors: tuple[str, ...], rust_command: str) -> str:
    """The worker's file."""
    parts = {
        "python": f'type = "python"\nsettings = "integration_test.executor_settings"\n'
        f"cwd = {json.dumps(str(HERE))}\nmax_in_flight = 32\n",
        "rust": f"cmd = {json.dumps(shlex.split(rust_command))}\n",
    }
    tables = [f"[rrq.executors.{name}]\npool_size = 1\n{parts[name]}" for name in executors]
    top = {
        "redis_dsn": settings.redis_dsn,
        "default_executor_name": executors[0],
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in top.items()]
    return "\n".join(["[rrq]", *lines, *tables])


# -- the run -----------------------------------------------------------------------------


def main() -> int:
    """Parse, prepare, run every scenario, sum up."""
    options = arguments()
    names = [options.scenario] if options.scenario else list(SCENARIOS)
    if any("rust" in SCENARIOS[name] for name in names) and not options.rust_executor_cmd:
        options.rust_executor_cmd = built_executor(options.no_build_rust)
    with redis_dsn(options.redis_dsn) as dsn:
        settings = RRQSettings(redis_dsn=dsn)
        results = {name: asyncio.run(run_scenario(name, settings, options)) for name in names}
    say(
        "summary: "
        + ", ".join(f"{name} {'ok' if ok else 'FAILED'}" for name, ok in results.items())
    )
    return 0 if all(results.values()) else 1


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000, help="jobs in each scenario (1000)")
    parser.add_argument("--scenario", choices=list(SCENARIOS), help="this one alone")
    parser.add_argument("--redis-dsn", help="an own embedded Redis if it is not given")
    parser.add_argument("--no-flush", action="store_true", help="do not empty the database")
    parser.add_argument(
        "--log-interval", type=float, default=2.0, metavar="SECONDS", help="between progress lines"
    )
    parser.add_argument("--no-build-rust", action="store_true", help="take what was built before")
    parser.add_argument(
        "--rust-executor-cmd",
        default="",
        metavar="COMMAND",
        help="this executor, not the reference in Rust",
    )
    return parser.parse_args()


def built_executor(is_built: bool) -> str:
    """The command of the reference's executor, which is built unless it is.

    Raises:
        SystemExit: it cannot be built.
    """
    if not is_built:
        if shutil.which("cargo") is None:
            raise SystemExit("cargo is not installed: use --scenario python, or install Rust")
        say("rust: building the executor")
        build = ["cargo", "build", "--quiet", "--release", "--locked", "--package", "rrq-executor"]
        if subprocess.run([*build, "--example", "stdio_executor"], cwd=RUST).returncode != 0:
            raise SystemExit("the executor in Rust cannot be built; see above")
    for profile in ("release", "debug"):
        built = RUST / os.environ.get("CARGO_TARGET_DIR", "target")
        program = built / profile / "examples" / "stdio_executor"
        if program.exists():
            return str(program)
    raise SystemExit(f"there is no {program}: leave out --no-build-rust, and it is built")


@contextmanager
def redis_dsn(given: str | None) -> Iterator[str]:
    """The given server, or one that ends with this block."""
    if given is not None:
        yield given
        return
    from rrq.embedded import EmbeddedRedis

    with EmbeddedRedis() as server:
        yield server.dsn


def say(text: str) -> None:
    """A line for whoever watches."""
    print(text, flush=True)


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except RRQError as error:
        raise SystemExit(f"integration_test: {error}") from None
