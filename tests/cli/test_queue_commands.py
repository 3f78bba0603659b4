"""`rrq queue inspect`, `pause` and `resume`, the latter two with a worker that serves the queue."""

from __future__ import annotations

import json
from datetime import datetime

from redis.asyncio import Redis

from rrq.client import RRQClient
from rrq.job import JobStatus
from tests.support.commands import rows
from tests.support.places import Place
from tests.support.waiting import eventually

HANDLERS = """
    import asyncio
    from pathlib import Path

    from rrq import JobRegistry, PythonExecutorSettings

    async def echo(ctx, word):
        return word

    async def pass_gate(ctx):
        Path("inside").touch()
        while not Path("gate").exists():
            await asyncio.sleep(0.01)
        return "passed"

    registry = JobRegistry()
    registry.register("echo", echo)
    registry.register("pass_gate", pass_gate)
    settings = PythonExecutorSettings(job_registry=registry)
"""


# -- rrq queue inspect ------------------------------------------------------------------


async def test_the_jobs_of_a_queue_are_listed_by_due_time(shop: Place, client: RRQClient) -> None:
    await client.enqueue("echo", _job_id="later", _queue_name="mail", _defer_by=7_290)
    await client.enqueue("echo", _job_id="now", _queue_name="rrq:queue:mail")

    ended = shop.run("rrq", "queue", "inspect", "mail")

    assert ended.stdout.splitlines()[0] == "number\tid\tfunction\tstatus\tscheduled\tretries"
    (first, second) = rows(ended.stdout)
    assert [*first[:4], first[5]] == ["1", "now", "echo", "PENDING", "0"]
    assert [*second[:4], second[5]] == ["2", "later", "echo", "PENDING", "0"]
    waited = datetime.fromisoformat(second[4]) - datetime.fromisoformat(first[4])
    assert abs(waited.total_seconds() - 7_290) < 30
    assert ended.stderr == "Showing 1-2 of 2.\n"


async def test_a_page_of_a_queue_is_numbered_by_the_place_in_it(
    shop: Place, client: RRQClient
) -> None:
    for number in range(5):
        await client.enqueue("echo", _job_id=f"job-{number}", _queue_name="mail")

    ended = shop.run("rrq", "queue", "inspect", "rrq:queue:mail", "--limit", "2", "--offset", "1")

    assert [row[:2] for row in rows(ended.stdout)] == [["2", "job-1"], ["3", "job-2"]]
    assert ended.stderr == "Showing 2-3 of 5.\n"


async def test_as_json_the_jobs_of_a_queue_have_numbers_and_times(
    shop: Place, client: RRQClient
) -> None:
    job = await client.enqueue("echo", _queue_name="mail", _defer_by=60)
    assert job is not None

    ended = shop.run("rrq", "queue", "inspect", "mail", "--json")

    (shown,) = json.loads(ended.stdout)
    assert (shown["number"], shown["id"], shown["retries"]) == (1, job.id, 0)
    assert datetime.fromisoformat(shown["scheduled"]) == job.next_scheduled_run_time
    assert ended.stderr == ""


async def test_an_id_in_a_queue_that_is_no_job_is_listed_as_such(
    shop: Place, client: RRQClient, redis: Redis
) -> None:
    await redis.zadd("rrq:queue:mail", {"nothing": 1, "broken": 2})
    await redis.hset("rrq:job:broken", mapping={"function_name": "f", "job_args": "{"})

    listed = rows(shop.run("rrq", "queue", "inspect", "mail").stdout)

    assert [row[1] for row in listed] == ["nothing", "broken"]
    assert listed[0][2] == "(it has no hash)"
    assert "`job_args` cannot be read" in listed[1][2]


async def test_a_queue_that_is_not_there_is_an_error_with_the_nearest_name(
    shop: Place, client: RRQClient
) -> None:
    await client.enqueue("echo", _queue_name="mail")

    ended = shop.run("rrq", "queue", "inspect", "mial", code=1)

    assert (ended.stdout, ended.stderr) == (
        "",
        'error: There is no queue mial. Did you mean "mail"?\n',
    )


async def test_a_queue_whose_jobs_are_all_done_is_empty_and_no_error(
    shop: Place, client: RRQClient
) -> None:
    job = await client.enqueue("echo", _queue_name="mail")
    assert job is not None
    await client.cancel(job)

    assert shop.run("rrq", "queue", "inspect", "mail").stderr == "No job waits in mail.\n"


# -- rrq queue pause, resume ------------------------------------------------------------


async def test_a_worker_starts_no_job_of_a_paused_queue_and_all_of_them_once_it_is_resumed(
    shop: Place, client: RRQClient, redis: Redis
) -> None:
    worker = shop.start("rrq", "worker", "run", "--queue", "mail", "--queue", "other")
    running = await client.enqueue("pass_gate", _queue_name="mail")
    await eventually((shop.directory / "inside").exists, 20, "a job at the gate")
    assert shop.run("rrq", "queue", "pause", "mail").stdout == "Paused mail.\n"

    held = [await client.enqueue("echo", number, _queue_name="mail") for number in range(3)]
    # The worker has looked since: another queue is served, and what runs goes on.
    passed_by = await client.enqueue("echo", "x", _queue_name="other")
    assert passed_by is not None
    assert await client.wait(passed_by, timeout=20) == "x"
    shop.write("gate", "")
    assert running is not None
    assert await client.wait(running, timeout=20) == "passed"
    assert await client.job_store.queues.sizes(["mail"]) == {"mail": 3}

    assert shop.run("rrq", "queue", "resume", "mail").stdout == "Resumed mail.\n"
    for number, job in enumerate(held):
        assert job is not None
        assert await client.wait(job, timeout=5) == number
    assert worker.stop().code == 0


async def test_a_worker_that_is_idle_over_a_paused_queue_does_not_spin(
    shop: Place, client: RRQClient, redis: Redis
) -> None:
    await client.job_store.queues.pause("mail")
    await client.enqueue("echo", "x", _queue_name="mail")
    worker = shop.start("rrq", "worker", "run", "--queue", "mail")
    await eventually(lambda: redis.zcard("rrq:idle:mail"), 20, "a parked worker")

    async def calls(command: str) -> int:
        stats = await redis.info("commandstats")
        return int(stats.get(f"cmdstat_{command}", {}).get("calls", 0))

    async def looks_reached(count: int) -> bool:
        return await calls("zrange") >= count

    # Five times a second it looks at the heads of its queues, which no claim of a paused one does.
    looks, steps = await calls("zrange"), await calls("evalsha")
    await eventually(lambda: looks_reached(looks + 10), 20, "ten looks of the idle worker")

    # A step or two is that of parking anew, or of looking for leases to reap.
    assert await calls("evalsha") - steps < 5
    assert worker.stop().code == 0
    assert await client.job_store.queues.sizes(["mail"]) == {"mail": 1}


async def test_a_burst_worker_leaves_a_paused_queue_alone_and_ends(
    shop: Place, client: RRQClient
) -> None:
    job = await client.enqueue("echo", "x", _queue_name="mail")
    assert job is not None
    await client.job_store.queues.pause("mail")

    shop.run("rrq", "worker", "run", "--burst", "--queue", "mail")

    left = await client.get_job(job.id)
    assert left is not None
    assert left.status is JobStatus.PENDING


async def test_a_paused_queue_is_shown_as_such_even_when_it_is_empty(
    shop: Place, client: RRQClient
) -> None:
    await client.job_store.queues.pause("mail")

    listed = shop.run("rrq", "queue", "list")
    inspected = shop.run("rrq", "queue", "inspect", "mail")

    assert [row[:6] for row in rows(listed.stdout)] == [["mail", "0", "0", "-", "-", "yes"]]
    assert inspected.stderr == "No job waits in mail.\nQueue mail is paused.\n"


async def test_the_check_shows_which_queues_of_a_worker_are_paused(
    shop: Place, client: RRQClient, redis: Redis
) -> None:
    await client.job_store.queues.pause("mail")
    worker = shop.start("rrq", "worker", "run", "--queue", "mail", "--queue", "other")
    await eventually(lambda: redis.zcard("rrq:workers"), 20, "a heartbeat")

    ended = shop.run("rrq", "check", "--wait", "20")

    row = ended.stdout.splitlines()[1].split("\t")
    assert (row[4], row[-1]) == ("mail, other", "mail")
    worker.stop()


async def test_pausing_and_resuming_twice_does_no_harm_and_says_so(
    shop: Place, client: RRQClient
) -> None:
    await client.enqueue("echo", _queue_name="mail")

    said = [
        shop.run("rrq", "queue", how, "rrq:queue:mail").stdout
        for how in ("pause", "pause", "resume", "resume")
    ]

    assert said == [
        "Paused mail.\n",
        "mail was paused already.\n",
        "Resumed mail.\n",
        "mail was not paused.\n",
    ]


async def test_a_queue_that_nobody_knows_is_paused_with_a_warning(
    shop: Place, client: RRQClient
) -> None:
    await client.enqueue("echo", _queue_name="mail")

    ended = shop.run("rrq", "queue", "pause", "mial", "--json")

    assert json.loads(ended.stdout) == {"queue": "mial", "paused": True, "changed": True}
    assert ended.stderr == ('warning: No job was ever in a queue mial. Did you mean "mail"?\n')
