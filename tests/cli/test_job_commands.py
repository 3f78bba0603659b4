"""`rrq job trace`, `cancel` and `replay`, with a worker where it takes one."""

from __future__ import annotations

import json

import pytest
from redis.asyncio import Redis

from rrq.client import RRQClient
from rrq.job import JobStatus
from tests.support.commands import rows
from tests.support.places import Place, Running
from tests.support.waiting import eventually

HANDLERS = """
    import asyncio
    from pathlib import Path

    from rrq import JobRegistry, PythonExecutorSettings
    from rrq.exc import RetryJob

    async def fail_once(ctx):
        first = Path("failed")
        if not first.exists():
            first.touch()
            raise RetryJob("busy\\nin line 2", defer_seconds=0.05)

    async def pass_gate(ctx):
        Path("inside").touch()
        while not Path("gate").exists():
            await asyncio.sleep(0.01)
        return "passed"

    registry = JobRegistry()
    registry.register("fail_once", fail_once)
    registry.register("pass_gate", pass_gate)
    settings = PythonExecutorSettings(job_registry=registry)
"""


async def at_the_gate(shop: Place, client: RRQClient) -> Running:
    """A worker that runs the job `slow`, which ends when there is a file `gate`."""
    worker = shop.start("rrq", "worker", "run")
    await client.enqueue("pass_gate", _job_id="slow")
    await eventually((shop.directory / "inside").exists, 20, "a job at the gate")
    return worker


# -- rrq job trace ----------------------------------------------------------------------


async def test_the_trace_shows_each_attempt_with_where_it_ran_and_how_it_ended(
    shop: Place, client: RRQClient
) -> None:
    await client.enqueue("fail_once", _job_id="job-1")
    worker = shop.start("rrq", "worker", "run")
    await client.wait("job-1", timeout=20)
    worker_id = worker.stderr.split("Worker ")[1].split(":")[0]
    worker.stop()

    ended = shop.run("rrq", "job", "trace", "job-1")

    heading = "time\tevent\tduration\tattempt\tworker\texecutor\terror"
    assert ended.stdout.splitlines()[0] == heading
    told = rows(ended.stdout)
    assert [(row[1], row[3]) for row in told if row[1] not in ("enqueued", "due")] == [
        ("started", "1"),
        ("retry", "1"),
        ("started", "2"),
        ("completed", "2"),
    ]
    assert [row[0] for row in told] == sorted(row[0] for row in told)
    [retry] = [row for row in told if row[1] == "retry"]
    assert retry[2].endswith(" ms")
    assert retry[4:] == [worker_id, "python", "busy"]
    assert ended.stderr.startswith("Total: ")


async def test_as_json_a_trace_has_the_whole_error_and_numbers(
    shop: Place, client: RRQClient
) -> None:
    await client.enqueue("fail_once", _job_id="job-1")
    worker = shop.start("rrq", "worker", "run")
    await client.wait("job-1", timeout=20)
    worker.stop()

    traced = json.loads(shop.run("rrq", "job", "trace", "job-1", "--json").stdout)

    assert (traced["id"], traced["status"]) == ("job-1", "COMPLETED")
    [retry] = [event for event in traced["events"] if event["name"] == "retry"]
    assert (retry["error"], retry["attempt"]) == ("busy\nin line 2", 1)
    assert 0 < retry["duration_seconds"] < traced["total_seconds"]


async def test_the_trace_of_a_job_that_has_not_ended_says_so(
    shop: Place, client: RRQClient
) -> None:
    await client.enqueue("fail_once", _job_id="job-1", _defer_by=60)

    ended = shop.run("rrq", "job", "trace", "job-1")

    assert [row[1] for row in rows(ended.stdout)] == ["enqueued", "due"]
    assert ended.stderr.startswith("PENDING, enqueued ")


# -- rrq job cancel ---------------------------------------------------------------------


async def test_a_waiting_job_is_cancelled_at_once(shop: Place, client: RRQClient) -> None:
    await client.enqueue("fail_once", _job_id="job-1")

    ended = shop.run("rrq", "job", "cancel", "job-1")

    assert (ended.stdout, ended.stderr) == ("Cancelled job job-1.\n", "")
    job = await client.get_job("job-1")
    assert job is not None
    assert job.status is JobStatus.CANCELLED


async def test_the_end_of_a_running_job_can_be_waited_for(shop: Place, client: RRQClient) -> None:
    worker = await at_the_gate(shop, client)

    ended = shop.run("rrq", "job", "cancel", "slow", "--wait", "20")

    assert (ended.stdout, ended.stderr) == ("Cancelled job slow.\n", "")
    job = await client.get_job("slow")
    assert job is not None
    assert job.status is JobStatus.CANCELLED
    worker.stop()


async def test_without_waiting_the_worker_of_a_running_job_is_asked_to_stop_it(
    shop: Place, client: RRQClient
) -> None:
    worker = await at_the_gate(shop, client)

    ended = shop.run("rrq", "job", "cancel", "slow", "--json")

    assert json.loads(ended.stdout) == {"id": "slow", "cancelled": False}

    async def is_cancelled() -> bool:
        job = await client.get_job("slow")
        return job is not None and job.status is JobStatus.CANCELLED

    await eventually(is_cancelled, 20, "its end")
    worker.stop()


async def test_a_job_that_does_not_stop_in_time_is_a_failure(
    shop: Place, client: RRQClient
) -> None:
    await client.enqueue("pass_gate", _job_id="slow")
    silent = "rrq_worker_that_hears_nothing"
    assert (await client.job_store.leases.claim(silent, ["default"], 1, park_ms=1000)).claims

    ended = shop.run("rrq", "job", "cancel", "slow", "--wait", "0.2", code=1)

    assert ended.stdout == "Job slow runs: asked its worker to stop it.\n"
    assert ended.stderr == "error: Job slow still runs after 0.2 s\n"


async def test_a_job_that_has_ended_is_not_cancelled(shop: Place, client: RRQClient) -> None:
    await client.enqueue("fail_once", _job_id="job-1")
    await client.cancel("job-1")

    ended = shop.run("rrq", "job", "cancel", "job-1", code=1)

    assert (ended.stdout, ended.stderr) == (
        "",
        "error: Job job-1 has already ended CANCELLED\n",
    )


# -- rrq job replay ---------------------------------------------------------------------


async def test_a_replayed_job_is_a_new_one_whose_id_is_printed(
    shop: Place, client: RRQClient
) -> None:
    await client.enqueue("pass_gate", False, _job_id="old", _queue_name="mail", _max_retries=2)
    await client.cancel("old")

    ended = shop.run("rrq", "job", "replay", "old")

    new = await client.get_job(ended.stdout.strip())
    assert ended.stdout.count("\n") == 1
    assert ended.stderr == ""
    assert new is not None
    assert (new.function_name, new.job_args, new.queue_name, new.max_retries, new.status) == (
        "pass_gate",
        [False],
        "mail",
        2,
        JobStatus.PENDING,
    )


async def test_a_job_is_replayed_in_another_queue_and_without_a_unique_key_that_is_held(
    shop: Place, client: RRQClient
) -> None:
    await client.enqueue("fail_once", _job_id="old", _unique_key="k")

    ended = shop.run("rrq", "job", "replay", "old", "--queue", "again", "--json")

    told = json.loads(ended.stdout)
    assert (told["replayed"], told["queue"], told["unique_key"]) == ("old", "again", None)
    assert await client.job_store.queues.holds("again", told["id"])
    assert ended.stderr == "It has no unique key: job old holds that of the old one.\n"


# -- all of them ------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["trace", "cancel", "replay"])
async def test_a_job_that_is_not_there_is_an_error_of_one_line(shop: Place, command: str) -> None:
    ended = shop.run("rrq", "job", command, "job-9", code=1)

    assert (ended.stdout, ended.stderr) == (
        "",
        "error: There is no job job-9: check the id, or it has expired\n",
    )


@pytest.mark.parametrize("command", ["trace", "cancel", "replay"])
async def test_a_job_that_cannot_be_read_is_an_error_that_names_the_field(
    shop: Place, redis: Redis, command: str
) -> None:
    await redis.hset("rrq:job:bad", mapping={"function_name": "f", "job_args": "{"})

    ended = shop.run("rrq", "job", command, "bad", code=None)

    if command == "cancel":
        assert (ended.code, ended.stdout) == (0, "Cancelled job bad.\n")
    else:
        assert ended.code == 1
        assert ended.stderr.startswith("error: Job bad: the field `job_args` cannot be read")
        assert ended.stderr.count("\n") == 1
