"""The crates in `reference/rust`: RRQ's own checks of their programs, and jobs from end to end.

`cargo test` runs what concerns Rust alone; here the programs meet RRQ.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rrq.client import RRQClient
from rrq.job import Job, JobStatus
from rrq.settings import RRQSettings

WORKSPACE = Path(__file__).parents[1]
RRQ = [sys.executable, "-m", "rrq"]
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"

pytestmark = [pytest.mark.reference, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def programs() -> Path:
    """The folder of the example programs, built if they are not."""
    if shutil.which("cargo") is None:
        pytest.skip("the reference in Rust is not tested: `cargo` is not installed")
    build = ["cargo", "build", "--quiet", "--locked", "--workspace"]
    target = Path(os.environ.get("CARGO_TARGET_DIR", WORKSPACE / "target"))
    subprocess.run(
        [*build, "--bins", "--examples", "--features", "rrq-executor/otel"],
        cwd=WORKSPACE,
        check=True,
    )
    return target / "debug" / "examples"


@pytest.fixture
def worker(programs: Path, settings: RRQSettings, tmp_path: Path) -> Iterator[Path]:
    """A worker whose only executor is the one in Rust, and the file that has its log."""
    (tmp_path / "rrq.toml").write_text(
        f"[rrq]\nredis_dsn = {json.dumps(settings.redis_dsn)}\n"
        'default_executor_name = "rust"\nbase_retry_delay_seconds = 0.05\n'
        "[rrq.executors.rust]\npool_size = 1\n"
        f"cmd = {json.dumps([str(programs / 'stdio_executor')])}\n"
    )
    log = tmp_path / "worker.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [*RRQ, "worker", "run"], cwd=tmp_path, stdout=stderr, stderr=stderr
        )
        try:
            yield log
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0, log.read_text()
        finally:
            process.kill()
            process.wait()


def test_the_executor_passes_every_point_of_the_check(programs: Path) -> None:
    report = checked("executor", programs / "stdio_executor")

    assert [point for point in report["points"] if point["status"] != "holds"] == []


def test_the_producer_passes_every_point_of_the_check(programs: Path) -> None:
    report = checked("producer", programs / "enqueue_vectors")

    assert [point for point in report["points"] if point["status"] != "holds"] == []


async def test_jobs_go_from_this_producer_through_a_worker_to_this_executor(
    programs: Path, worker: Path, settings: RRQSettings, tmp_path: Path
) -> None:
    trace = {"traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01"}
    cases = [
        *(case("echo", [number, "wörld 😀", 2**70]) for number in range(50)),
        case("succeed_at", [3], max_retries=5),
        case("fail", ["no such customer"], max_retries=2),
        case("no_such_handler", [], max_retries=3),
        case("sleep", [600], max_retries=1, job_timeout_seconds=1),
        case("rust#echo", ["traced"], trace_context=trace),
        case("sleep", [600]),
    ]

    *ids, unwanted = enqueue(programs, settings, cases, tmp_path)

    async with RRQClient(settings) as client:
        await eventually(lambda: has_status(client, unwanted, JobStatus.ACTIVE), worker)
        await client.cancel(unwanted)
        for job_id in [*ids, unwanted]:
            await eventually(lambda one=job_id: has_ended(client, one), worker)
        jobs = [await the_job(client, job_id) for job_id in ids]
        cancelled = await the_job(client, unwanted)
    *echoed, retried, failed, missing, late, traced = jobs
    for number, job in enumerate(echoed):
        assert job.result == {"args": [number, "wörld 😀", 2**70], "kwargs": {}}
    assert ends(retried) == (JobStatus.COMPLETED, 2, None)
    assert retried.result == 3
    assert ends(failed) == (JobStatus.FAILED, 2, "no such customer")
    assert ends(missing) == (
        JobStatus.FAILED,
        1,
        "No handler registered for function 'no_such_handler'",
    )
    assert (late.status, late.current_retries) == (JobStatus.FAILED, 1)
    assert "timed out" in (late.last_error or "")
    assert cancelled.status is JobStatus.CANCELLED
    assert traced.status is JobStatus.COMPLETED
    assert f'"trace_id":"{TRACE_ID}"' in said(worker).replace("\\", "")


async def test_the_example_enqueues_what_is_asked_for_twice_once(
    programs: Path, settings: RRQSettings
) -> None:
    words = ["send_email", '["a@example.com"]', '{"subject": "Hello"}']
    program = programs.parent / "rust-producer"

    said = [run(program, words, {"RRQ_REDIS_DSN": settings.redis_dsn}) for _ in range(2)]

    job_id = said[0].strip()
    assert said[1] == f"{job_id} (it was already there)\n"
    async with RRQClient(settings) as client:
        job = await the_job(client, job_id)
        assert await client.job_store.get_queued_job_ids("default") == [job_id]
    assert (job.job_args, job.job_kwargs) == (["a@example.com"], {"subject": "Hello"})
    assert job.max_retries == 3


def test_the_integration_script_verifies_jobs_of_python_of_rust_and_of_both(
    programs: Path,
) -> None:
    script = WORKSPACE.parents[1] / "examples" / "integration_test.py"
    # Takes the executor that was built for these tests.
    words = ["--count", "100", "--no-build-rust"]

    said = run(Path(sys.executable), [str(script), *words], dict(os.environ))

    assert said.splitlines()[-1] == "summary: python ok, rust ok, mixed ok"


async def test_a_call_whose_answer_is_lost_is_sent_again_and_makes_one_job(
    programs: Path, settings: RRQSettings, tmp_path: Path
) -> None:
    cases = [case("echo", [1]), case("echo", [2], job_id="mine")]

    async with LosingProxy(settings.redis_dsn) as proxy:
        through = settings.model_copy(update={"redis_dsn": proxy.dsn})
        ids = await asyncio.to_thread(enqueue, programs, through, cases, tmp_path)

    assert proxy.lost == 2
    async with RRQClient(settings) as client:
        assert sorted(await client.job_store.get_queued_job_ids("default")) == sorted(ids)
    assert ids[1] == "mine"


class LosingProxy:
    """Stands before Redis, and hangs up instead of passing the first two answers to enqueueing on.

    Attributes:
        lost: how many answers were not passed on.
    """

    def __init__(self, redis_dsn: str) -> None:
        from redis.asyncio.connection import parse_url

        address = parse_url(redis_dsn)
        self.lost = 0
        self._path = address.get("path")
        self._host, self._port = address.get("host", "localhost"), address.get("port", 6379)
        self._database = address.get("db", 0)
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> LosingProxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.dsn = f"redis://127.0.0.1:{port}/{self._database}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._path:
            answers, questions = await asyncio.open_unix_connection(self._path)
        else:
            answers, questions = await asyncio.open_connection(self._host, self._port)

        async def pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while chunk := await source.read(65536):
                if source is answers and b"queued" in chunk and self.lost < 2:
                    self.lost += 1
                    break
                sink.write(chunk)
            writer.close()
            questions.close()

        for way in (pass_on(reader, questions), pass_on(answers, writer)):
            task = asyncio.create_task(way)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


def checked(what: str, program: Path) -> Any:
    """What RRQ's check says of a program."""
    command = [*RRQ, what, "check", "--json", "--", str(program)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return json.loads(ran.stdout)


def case(function_name: str, args: list[Any], **options: Any) -> dict[str, Any]:
    """A job as the vectors write it down."""
    return {
        "name": function_name,
        "function_name": function_name,
        "args": json.dumps(args),
        "kwargs": "{}",
        "options": options,
    }


def enqueue(
    programs: Path, settings: RRQSettings, cases: list[dict[str, Any]], folder: Path
) -> list[str]:
    """Enqueue them with the program in Rust; returns their ids."""
    vectors = folder / "jobs.json"
    vectors.write_text(json.dumps({"cases": cases}))
    environment = {"RRQ_VECTORS": str(vectors), "RRQ_REDIS_DSN": settings.redis_dsn}
    return run(programs / "enqueue_vectors", [], environment).split()


def run(program: Path, words: list[str], environment: dict[str, str]) -> str:
    """What a program prints, which has to succeed."""
    ran = subprocess.run(
        [program, *words], env=environment, capture_output=True, text=True, timeout=30
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def said(log: Path) -> str:
    """What the worker has logged so far, with what its executor did."""
    return log.read_text()


async def eventually(holds: Callable[[], Awaitable[bool]], log: Path) -> None:
    """Wait until it holds, at most half a minute."""
    deadline = time.monotonic() + 30
    while not await holds():
        assert time.monotonic() < deadline, said(log)
        await asyncio.sleep(0.02)


async def the_job(client: RRQClient, job_id: str) -> Job:
    job = await client.get_job(job_id)
    assert job is not None
    return job


async def has_status(client: RRQClient, job_id: str, status: JobStatus) -> bool:
    return (await the_job(client, job_id)).status is status


async def has_ended(client: RRQClient, job_id: str) -> bool:
    return (await the_job(client, job_id)).completion_time is not None


def ends(job: Job) -> tuple[JobStatus, int, str | None]:
    """How it ended, after how many failed attempts, and why."""
    return job.status, job.current_retries, job.last_error
