"""`rrq queue stats` and `rrq job list`, against jobs that steps have really carried out."""

from __future__ import annotations

import asyncio
import json

import pytest
from redis.asyncio import Redis

from rrq.settings import RRQSettings
from tests.store.driving import Driver, verdict
from tests.support.commands import Rrq


@pytest.fixture
async def driver(settings: RRQSettings, redis: Redis) -> Driver:
    return Driver(settings)


async def told(rrq: Rrq, *words: str) -> tuple[int, str, str]:
    """A command in a thread: it has an event loop of its own."""
    return await asyncio.to_thread(rrq, *words)


async def finish(driver: Driver, *job_ids: str, kind: str = "complete", **options: object) -> None:
    for job_id in job_ids:
        claim = await driver.running(job_id, **options)
        one = verdict(claim, kind, "ValueError: bad\nline 2")  # type: ignore[arg-type]
        one.run_ms = 250
        await driver.store.leases.settle([one])


async def test_queues_are_shown_as_they_are_and_as_they_were(driver: Driver, rrq: Rrq) -> None:
    await finish(driver, "a", "b", queue="mail")
    await finish(driver, "c", kind="fail", queue="mail")
    await driver.running("d", queue="mail")
    await driver.enqueue("e", queue="mail")

    code, output, notes = await told(rrq, "queue", "stats", "--queue", "mail", "--window", "5")

    now, last = output.split("\n\n")
    assert (code, notes) == (0, "")
    name, waiting, due, _, active, dead, paused = now.splitlines()[1].split("\t")
    assert (name, waiting, due, active, dead, paused) == ("mail", "1", "1", "1", "1", "no")
    cells = last.splitlines()[1].split("\t")
    assert cells[:2] == ["mail", "5 min"]
    assert cells[3:7] == ["2", "1", "0", "0"]
    assert cells[8].startswith("250 ms / ")


async def test_as_json_every_window_has_its_events_and_times(driver: Driver, rrq: Rrq) -> None:
    await finish(driver, "a", "b")

    stats = json.loads((await told(rrq, "queue", "stats", "--json"))[1])

    (queue,) = stats["queues"]
    assert queue["totals"]["completed"] == 2
    assert [window["minutes"] for window in queue["windows"]] == [1, 5, 15, 60]
    hour = queue["windows"][-1]
    assert (hour["events"]["completed"], hour["run"]["average_ms"]) == (2, 250)
    assert hour["run"]["p50_ms"] == pytest.approx(250, rel=0.2)
    assert stats["scanned"] == {
        "active": {"seen": 0, "total": 0},
        "dead_letters": {"seen": 0, "total": 0},
    }


async def test_what_was_not_looked_at_is_said(driver: Driver, rrq: Rrq) -> None:
    await finish(driver, *"abc", kind="fail")

    _, output, notes = await told(rrq, "queue", "stats", "--max-scan", "2")

    assert output.splitlines()[1].split("\t")[5] == "2"
    assert "Looked at 2 of 3 dead letters; --max-scan 0 looks at all." in notes
    assert (await told(rrq, "queue", "stats", "--max-scan", "0"))[2] == ""


async def test_functions_are_shown_by_name(driver: Driver, rrq: Rrq) -> None:
    await finish(driver, "a", function_name="one")
    await finish(driver, "b", function_name="two", kind="fail")

    _, output, _ = await told(rrq, "queue", "stats", "--functions", "--window", "60")
    functions = json.loads((await told(rrq, "queue", "stats", "--functions", "--json"))[1])

    assert {line.split("\t")[0] for line in output.splitlines()[1:]} == {"one", "two"}
    assert {one["function"]: one["totals"]["failed"] for one in functions} == {"one": 0, "two": 1}


async def test_a_queue_that_is_not_there_is_an_error_with_a_guess(driver: Driver, rrq: Rrq) -> None:
    await driver.enqueue("a", queue="mail")

    code, output, notes = await told(rrq, "queue", "stats", "--queue", "mial")

    assert (code, output) == (1, "")
    assert 'There is no queue mial. Did you mean "mail"?' in notes


async def test_jobs_are_listed_by_what_is_known_of_them(driver: Driver, rrq: Rrq) -> None:
    await finish(driver, "a", "b", function_name="send_email")
    await finish(driver, "c", kind="fail", function_name="send_email", queue="mail")
    await driver.enqueue("d")

    async def listed(*words: str) -> list[str]:
        code, output, _ = await told(rrq, "job", "list", *words)
        assert code == 0
        return [line.split("\t")[0] for line in output.splitlines()[1:]]

    assert await listed() == ["d", "c", "b", "a"]
    assert await listed("--status", "failed", "--since", "1h", "--function", "send_email") == ["c"]
    assert await listed("--status", "completed", "--status", "PENDING") == ["d", "b", "a"]
    assert await listed("--queue", "rrq:queue:mail") == ["c"]
    assert await listed("--error", "valueerror") == ["c"]
    assert await listed("--limit", "2", "--offset", "1") == ["c", "b"]
    assert await listed("--until", "1h") == []


async def test_as_json_a_job_has_times_and_its_whole_error(driver: Driver, rrq: Rrq) -> None:
    await finish(driver, "c", kind="fail")

    (job,) = json.loads((await told(rrq, "job", "list", "--json"))[1])

    assert (job["id"], job["status"], job["error"]) == ("c", "FAILED", "ValueError: bad\nline 2")
    assert job["enqueued"] <= job["started"] <= job["ended"]


async def test_the_next_page_is_named(driver: Driver, rrq: Rrq) -> None:
    await finish(driver, *"abc")

    assert "--offset 2 goes on" in (await told(rrq, "job", "list", "--limit", "2"))[2]
    assert (await told(rrq, "job", "list"))[2] == ""


async def test_a_status_that_is_none_is_refused_with_those_that_are(rrq: Rrq) -> None:
    code, _, notes = await told(rrq, "job", "list", "--status", "faild")

    assert code == 2
    assert "'faild' is no status" in notes
    assert "failed" in notes
