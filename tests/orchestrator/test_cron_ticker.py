import asyncio
from datetime import UTC, datetime, timedelta

from rrq.cron import cron_entries
from rrq.orchestrator.cron import CronTicker
from rrq.orchestrator.redis_link import RedisLink
from rrq.settings import CronJob, RRQSettings
from rrq.store.store import JobStore
from tests.support.waiting import eventually


def ticker(settings: RRQSettings, store: JobStore) -> CronTicker:
    return CronTicker(
        entries=cron_entries(settings),
        store=store,
        settings=settings,
        link=RedisLink(settings.redis_dsn, store.redis.connection_pool.disconnect),
    )


async def test_five_workers_enqueue_a_slot_once_and_within_a_second(redis_dsn: str) -> None:
    settings = RRQSettings(
        redis_dsn=redis_dsn, cron_jobs=[CronJob(function_name="report", schedule="* * * * *")]
    )
    stores = [JobStore(settings) for _ in range(5)]
    minute_ago = datetime.now(UTC) - timedelta(minutes=2)
    # As if workers had last been there two minutes ago: the slot of this minute is due now.
    [entry] = cron_entries(settings)
    await stores[0].redis.set(
        stores[0].keys.cron("report"),
        f"{round(minute_ago.timestamp() * 1000)} {entry.definition}",
    )
    tickers = [ticker(settings, store) for store in stores]
    tasks = [asyncio.create_task(one.run()) for one in tickers]

    await eventually(lambda: all(one.settled_slots for one in tickers), within_seconds=2)

    # A minute may turn while the test runs: then there are two slots, each taken once.
    slots = {one.settled_slots["report"] for one in tickers}
    assert len(await stores[0].queues.waiting_ids("default")) == len(slots)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for store in stores:
        await store.aclose()
