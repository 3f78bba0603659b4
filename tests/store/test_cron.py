import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from rrq.job_request import JobRequest, new_job
from rrq.settings import RRQSettings
from rrq.store.cron import Tick
from rrq.store.store import JobStore

HOURLY = "0 * * * * UTC"


async def tick(store: JobStore, slot: datetime, **changes: object) -> Tick:
    options: dict[str, object] = {"grace_seconds": 60.0, "misfire": "skip", **changes}
    definition = str(options.pop("definition", HOURLY))
    request = JobRequest("report", unique_key=options.pop("unique_key", None))  # type: ignore[arg-type]
    new = new_job(request, str(uuid4()), store.settings, store.keys)
    return await store.cron.tick("nightly", definition, slot, new, **options)  # type: ignore[arg-type]


@pytest.fixture
def slot() -> datetime:
    """A slot that is due now."""
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
async def store(settings: RRQSettings) -> JobStore:
    return JobStore(settings)


@pytest.fixture
async def known(store: JobStore, slot: datetime) -> JobStore:
    """A store that has seen the cron job an hour before the slot."""
    assert (await tick(store, slot - timedelta(hours=1))).answer == "registered"
    return store


async def test_a_job_seen_for_the_first_time_runs_from_its_next_slot_on(
    store: JobStore, slot: datetime
) -> None:
    assert await tick(store, slot) == Tick("registered")
    assert await store.queues.waiting_ids("default") == []
    assert await store.cron.last_slot("nightly") == slot


async def test_a_slot_is_enqueued_once_however_many_workers_race_for_it(
    known: JobStore, slot: datetime
) -> None:
    stores = [JobStore(known.settings) for _ in range(5)]
    ticks = await asyncio.gather(*(tick(one, slot) for one in stores for _ in range(4)))
    assert sorted(one.answer for one in ticks) == ["queued"] + ["taken"] * 19
    [queued] = [one.job_id for one in ticks if one.answer == "queued"]
    assert await known.queues.waiting_ids("default") == [queued]


async def test_an_earlier_slot_is_not_taken_after_a_later_one(
    known: JobStore, slot: datetime
) -> None:
    await tick(known, slot)
    assert (await tick(known, slot - timedelta(minutes=30))).answer == "taken"


async def test_a_slot_within_the_grace_is_not_missed(known: JobStore, slot: datetime) -> None:
    assert (await tick(known, slot - timedelta(seconds=50))).answer == "queued"


async def test_a_missed_slot_is_skipped_by_default_and_run_once_if_asked(
    known: JobStore, slot: datetime
) -> None:
    missed = slot - timedelta(minutes=10)
    assert (await tick(known, missed)).answer == "missed"
    assert (await tick(known, missed, misfire="run")).answer == "taken"
    assert (await tick(known, missed + timedelta(minutes=1), misfire="run")).answer == "queued"


async def test_a_new_schedule_starts_to_count_anew(known: JobStore, slot: datetime) -> None:
    assert (await tick(known, slot, definition="*/5 * * * * UTC")).answer == "registered"


async def test_a_unique_cron_job_is_not_enqueued_while_the_last_one_waits(
    known: JobStore, slot: datetime
) -> None:
    first = await tick(known, slot - timedelta(seconds=30), unique_key="cron:nightly")
    second = await tick(known, slot, unique_key="cron:nightly")
    assert second == Tick("duplicate", first.job_id)
