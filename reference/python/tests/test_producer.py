"""`producer.py`: its jobs are RRQ's own jobs, whatever happens on the way."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from rrq.client import RRQClient
from rrq.settings import RRQSettings

FOLDER = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def module() -> ModuleType:
    """The file as a module, without its folder on the path."""
    spec = importlib.util.spec_from_file_location("reference_producer", FOLDER / "producer.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def producer(module: ModuleType, redis_dsn: str) -> Any:
    """A producer on the shared server, emptied for this test."""
    import redis

    return module.Producer(redis.Redis.from_url(redis_dsn))


async def test_its_job_is_read_by_rrqs_client(producer: Any, settings: RRQSettings) -> None:
    later = datetime(2035, 6, 1, 8, 30, 0, 123456, tzinfo=UTC)

    job_id = producer.enqueue(
        "greet", ["wörld"], {"loud": True}, queue_name="rrq:queue:urgent", defer_until=later,
        max_retries=3, trace_context={"traceparent": "00-1-2-01"},
    )  # fmt: skip

    async with RRQClient(settings) as client:
        job = await client.get_job(job_id)
    assert job is not None
    assert (job.job_args, job.job_kwargs) == (["wörld"], {"loud": True})
    assert (job.queue_name, job.max_retries, job.job_timeout_seconds) == (
        "rrq:queue:urgent",
        3,
        None,
    )
    assert job.next_scheduled_run_time == later
    assert job.trace_context == {"traceparent": "00-1-2-01"}


def test_a_unique_key_that_is_held_is_skipped_or_refused(producer: Any, module: Any) -> None:
    first = producer.enqueue("greet", unique_key="daily")

    assert producer.enqueue("greet", unique_key="daily") is None
    with pytest.raises(module.DuplicateJob, match=first):
        producer.enqueue("greet", unique_key="daily", on_conflict="raise")


@pytest.mark.parametrize(
    "options", [{"max_retries": 0}, {"job_timeout_seconds": 0}, {"result_ttl_seconds": -1}]
)
def test_an_option_that_no_worker_can_keep_to_is_refused_by_name(
    producer: Any, options: dict[str, int]
) -> None:
    [(name, value)] = options.items()

    with pytest.raises(ValueError, match=f"{name} is {value}: "):
        producer.enqueue("greet", **options)


def test_it_sends_the_script_again_when_redis_has_forgotten_it(producer: Any) -> None:
    producer.enqueue("greet")
    producer._redis.script_flush()

    assert producer.enqueue("greet") is not None


def test_a_call_whose_answer_was_lost_is_sent_again_and_makes_one_job(producer: Any) -> None:
    import redis

    carried_out, calls = producer._redis.evalsha, []
    producer.enqueue("greet")

    def lose_the_first_answer(*arguments: Any) -> Any:
        calls.append(carried_out(*arguments))
        if len(calls) == 1:
            raise redis.ConnectionError("the answer was lost")
        return calls[-1]

    producer._redis.evalsha = lose_the_first_answer
    job_id = producer.enqueue("greet", job_id="mine")

    assert [call[1][0] for call in calls] == [b"queued", b"repeated"]
    assert job_id == "mine"
    assert producer._redis.zcard("rrq:queue:default") == 2


def test_a_jobs_way_from_this_producer_through_a_worker_to_this_executor(
    producer: Any, redis_dsn: str, tmp_path: Path
) -> None:
    command = [sys.executable, str(FOLDER / "stdio_executor.py")]
    (tmp_path / "rrq.toml").write_text(
        f'[rrq]\nredis_dsn = {json.dumps(redis_dsn)}\ndefault_executor_name = "reference"\n'
        f"[rrq.executors.reference]\npool_size = 1\ncmd = {json.dumps(command)}\n"
    )
    ids = [producer.enqueue("echo", [number]) for number in range(20)]

    worker = [sys.executable, "-m", "rrq", "worker", "run", "--burst"]
    ran = subprocess.run(worker, cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert ran.returncode == 0, ran.stderr
    results = [json.loads(producer._redis.hget(f"rrq:job:{one}", "result")) for one in ids]
    assert results == [{"args": [number], "kwargs": {}} for number in range(20)]
