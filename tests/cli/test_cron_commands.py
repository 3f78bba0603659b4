"""`rrq cron list` and `rrq cron run`."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from rrq.client import RRQClient
from rrq.settings import RRQSettings
from tests.support.commands import rows
from tests.support.places import Place

NIGHTLY = """
[[rrq.cron_jobs]]
name = "nightly report"
function_name = "report"
schedule = "30 2 * * *"
timezone = "Europe/Berlin"
args = ["sales"]
kwargs = { full = true }
queue_name = "rrq:queue:reports"
unique = true
misfire = "run"
"""

HOURLY = """
[[rrq.cron_jobs]]
function_name = "sweep"
schedule = "0 * * * *"
"""


@pytest.fixture
def shop(place: Place, settings: RRQSettings) -> Place:
    """A place with two cron jobs."""
    return configured(place, settings, NIGHTLY, HOURLY)


def configured(place: Place, settings: RRQSettings, *cron_jobs: str) -> Place:
    """The place with these cron jobs in its configuration."""
    place.write("rrq.toml", f'[rrq]\nredis_dsn = "{settings.redis_dsn}"\n' + "".join(cron_jobs))
    return place


# -- rrq cron list ----------------------------------------------------------------------


async def test_each_cron_job_is_listed_with_all_that_is_configured(shop: Place) -> None:
    ended = shop.run("rrq", "cron", "list")

    heading = "name\tschedule\tzone\tfunction\tqueue\tlast slot\tnext slot\tunique\tmisfire"
    assert (ended.stdout.splitlines()[0], ended.stderr) == (heading, "")
    nightly, hourly = rows(ended.stdout)
    assert nightly[:6] == [
        "nightly report",
        "30 2 * * *",
        "Europe/Berlin",
        "report",
        "reports",
        "-",
    ]
    assert nightly[7:] == ["yes", "run"]
    assert hourly[:6] == ["sweep", "0 * * * *", "local", "sweep", "default", "-"]
    assert hourly[7:] == ["no", "skip"]


async def test_the_next_slot_is_the_first_after_now_and_the_last_one_that_was_dealt_with(
    shop: Place, redis: Redis
) -> None:
    before = datetime.now(UTC)
    last = before.replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
    await redis.set("rrq:cron:sweep", f"{last.timestamp() * 1000:.0f} 0 * * * * local")

    listed = json.loads(shop.run("rrq", "cron", "list", "--json").stdout)

    [sweep] = [one for one in listed if one["name"] == "sweep"]
    next_slot = datetime.fromisoformat(sweep["next_slot"])
    assert before < next_slot <= datetime.now(UTC) + timedelta(hours=1)
    assert (next_slot.minute, next_slot.second) == (0, 0)
    assert datetime.fromisoformat(sweep["last_slot"]) == last
    assert (sweep["unique"], sweep["misfire"]) == (False, "skip")


async def test_a_last_slot_that_cannot_be_read_counts_as_none(shop: Place, redis: Redis) -> None:
    await redis.set("rrq:cron:sweep", "yesterday 0 * * * *")

    listed = rows(shop.run("rrq", "cron", "list").stdout)

    assert [row[5] for row in listed] == ["-", "-"]


async def test_without_a_cron_job_the_list_says_where_to_add_one(
    place: Place, settings: RRQSettings
) -> None:
    ended = configured(place, settings).run("rrq", "cron", "list")

    assert ended.stderr == "No cron job is configured: add [[rrq.cron_jobs]] to rrq.toml.\n"


async def test_a_schedule_that_cannot_be_used_is_wrong_configuration(
    place: Place, settings: RRQSettings
) -> None:
    wrong = HOURLY.replace("0 * * * *", "0 99 * * *")

    ended = configured(place, settings, wrong).run("rrq", "cron", "list", code=2)

    said = ended.stderr
    assert said.startswith("error: rrq.toml:")
    assert "[[rrq.cron_jobs]] 'sweep': the schedule '0 99 * * *'" in said


# -- rrq cron run -----------------------------------------------------------------------


async def test_a_cron_job_that_is_run_now_is_enqueued_as_in_its_slots(
    shop: Place, client: RRQClient, redis: Redis
) -> None:
    ended = shop.run("rrq", "cron", "run", "nightly report")

    job = await client.get_job(ended.stdout.strip())
    assert job is not None
    assert (job.function_name, job.job_args, job.job_kwargs) == (
        "report",
        ["sales"],
        {"full": True},
    )
    assert await client.job_store.queues.holds("reports", job.id)
    assert await redis.get("rrq:lock:unique:cron:nightly report") == job.id.encode()
    assert await redis.exists("rrq:cron:nightly report") == 0


async def test_a_unique_cron_job_is_not_run_while_the_last_one_waits(
    shop: Place, client: RRQClient
) -> None:
    first = shop.run("rrq", "cron", "run", "nightly report").stdout.strip()

    ended = shop.run("rrq", "cron", "run", "nightly report", code=1)

    assert ended.stdout == ""
    assert ended.stderr == (
        f"error: Nothing was enqueued: job {first} still holds the unique key of nightly report. "
        "Wait for its end, or cancel it.\n"
    )
    assert await client.job_store.queues.sizes(["reports"]) == {"reports": 1}


async def test_a_cron_job_that_is_not_unique_is_run_as_often_as_one_likes(
    shop: Place, client: RRQClient
) -> None:
    told = [json.loads(shop.run("rrq", "cron", "run", "sweep", "--json").stdout) for _ in range(2)]

    assert [(one["cron_job"], one["queue"]) for one in told] == [("sweep", "default")] * 2
    assert set(await client.job_store.queues.waiting_ids("default")) == {one["id"] for one in told}


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("nightly raport", 'Did you mean "nightly report"?'),
        ("x", "`rrq cron list` shows those that are configured."),
    ],
)
async def test_a_cron_job_that_is_not_configured_is_an_error_with_advice(
    shop: Place, client: RRQClient, name: str, advice: str
) -> None:
    ended = shop.run("rrq", "cron", "run", name, code=1)

    assert (ended.stdout, ended.stderr) == ("", f"error: There is no cron job {name}. {advice}\n")
    assert await client.job_store.queues.names() == []
