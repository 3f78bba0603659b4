"""Data broken in every way that the doctor knows: one function for each kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tests.store.driving import Driver

Where = tuple[str, str | None]
"""The key in which it shows, and the id of the job that it is about."""

Break = Callable[[Driver], Awaitable[Where]]

LATER_MS = 3_600_000


async def queued_without_hash(driver: Driver) -> Where:
    await driver.enqueue("a", delay_ms=LATER_MS)
    await driver.redis.delete("rrq:job:a")
    return "rrq:queue:default", "a"


async def queued_but_ended(driver: Driver) -> Where:
    await driver.settle(await _running(driver, "a"), "complete")
    await _queue(driver, "default", "a")
    return "rrq:queue:default", "a"


async def queued_but_active(driver: Driver) -> Where:
    await driver.enqueue("a", delay_ms=LATER_MS)
    await _set(driver, "a", status="ACTIVE")
    return "rrq:job:a", "a"


async def queued_and_leased(driver: Driver) -> Where:
    await _running(driver, "a")
    await _queue(driver, "default", "a")
    return "rrq:queue:default", "a"


async def queued_twice(driver: Driver) -> Where:
    await driver.enqueue("a", delay_ms=LATER_MS)
    await _queue(driver, "other", "a")
    return "rrq:queue:other", "a"


async def misplaced(driver: Driver) -> Where:
    await driver.enqueue("a", delay_ms=LATER_MS, queue="mail")
    await _set(driver, "a", queue_name="rrq:queue:elsewhere")
    return "rrq:queue:mail", "a"


async def waiting_nowhere(driver: Driver) -> Where:
    await driver.enqueue("a", delay_ms=LATER_MS)
    await driver.redis.zrem("rrq:queue:default", "a")
    return "rrq:job:a", "a"


async def active_without_lease(driver: Driver) -> Where:
    await _running(driver, "a")
    await driver.redis.zrem("rrq:leases", "a")
    return "rrq:job:a", "a"


async def leased_without_hash(driver: Driver) -> Where:
    await _running(driver, "a")
    await driver.redis.delete("rrq:job:a")
    return "rrq:leases", "a"


async def leased_but_ended(driver: Driver) -> Where:
    await _running(driver, "a")
    await _set(driver, "a", status="CANCELLED")
    return "rrq:leases", "a"


async def leased_but_waiting(driver: Driver) -> Where:
    await _running(driver, "a")
    await _set(driver, "a", status="PENDING")
    return "rrq:job:a", "a"


async def leased_without_token(driver: Driver) -> Where:
    await _running(driver, "a")
    await driver.redis.hdel("rrq:job:a", "lease_token")
    return "rrq:leases", "a"


async def unknown_status(driver: Driver) -> Where:
    await driver.redis.hset("rrq:job:a", mapping={"function_name": "f", "status": "DREAMING"})
    return "rrq:job:a", "a"


async def waiting_with_ttl(driver: Driver) -> Where:
    await driver.enqueue("a", delay_ms=LATER_MS)
    await driver.redis.expire("rrq:job:a", 1000)
    return "rrq:job:a", "a"


async def running_with_ttl(driver: Driver) -> Where:
    await _running(driver, "a")
    await driver.redis.expire("rrq:job:a", 1000)
    return "rrq:job:a", "a"


async def unique_of_nobody(driver: Driver) -> Where:
    await driver.redis.set("rrq:lock:unique:k", "a", ex=1000)
    return "rrq:lock:unique:k", "a"


async def unique_of_one_that_ended(driver: Driver) -> Where:
    await driver.settle(await _running(driver, "a", unique_key="k"), "complete")
    await driver.redis.set("rrq:lock:unique:k", "a", ex=1000)
    return "rrq:lock:unique:k", "a"


async def unique_of_another(driver: Driver) -> Where:
    await driver.enqueue("a", unique_key="other", delay_ms=LATER_MS)
    await driver.redis.set("rrq:lock:unique:k", "a", ex=1000)
    return "rrq:lock:unique:k", "a"


async def held_without_job(driver: Driver) -> Where:
    await driver.redis.zadd("rrq:held:k", {"a": 1})
    return "rrq:held:k", "a"


async def dlq_without_hash(driver: Driver) -> Where:
    await driver.redis.lpush("rrq:dlq:default", "gone-1", "gone-2")
    return "rrq:dlq:default", None


async def dlq_but_alive(driver: Driver) -> Where:
    await driver.enqueue("a", delay_ms=LATER_MS)
    await driver.redis.lpush("rrq:dlq:other", "a")
    return "rrq:dlq:other", "a"


async def twice_dead(driver: Driver) -> Where:
    await driver.settle(await _running(driver, "a"), "fail")
    await driver.redis.rpush("rrq:dlq:default", "a")
    return "rrq:dlq:default", "a"


async def old_lock_of_a_job(driver: Driver) -> Where:
    await driver.redis.set("rrq:lock:job:a", "rrq_worker_old", ex=1000)
    return "rrq:lock:job:a", "a"


async def old_lock_of_a_worker(driver: Driver) -> Where:
    await driver.redis.zadd("rrq:active:jobs:rrq_worker_old", {"a": 1})
    return "rrq:active:jobs:rrq_worker_old", None


async def token_went_back(driver: Driver) -> Where:
    await _running(driver, "a")
    await driver.redis.set("rrq:lease:token", "0")
    return "rrq:lease:token", None


async def wrong_type(driver: Driver) -> Where:
    await driver.redis.set("rrq:queue:odd", "x")
    return "rrq:queue:odd", None


BROKEN: dict[str, tuple[str, Break]] = {
    "queued without hash": ("queued-without-hash", queued_without_hash),
    "queued but ended": ("queued-but-ended", queued_but_ended),
    "queued but active": ("queued-but-active", queued_but_active),
    "queued and leased": ("queued-and-leased", queued_and_leased),
    "queued twice": ("queued-twice", queued_twice),
    "misplaced": ("misplaced", misplaced),
    "waiting nowhere": ("waiting-nowhere", waiting_nowhere),
    "active without lease": ("active-without-lease", active_without_lease),
    "leased without hash": ("leased-without-hash", leased_without_hash),
    "leased but ended": ("leased-but-ended", leased_but_ended),
    "leased but waiting": ("leased-but-waiting", leased_but_waiting),
    "leased without token": ("leased-without-token", leased_without_token),
    "unknown status": ("unknown-status", unknown_status),
    "waiting with TTL": ("may-expire", waiting_with_ttl),
    "running with TTL": ("may-expire", running_with_ttl),
    "unique key of nobody": ("unique-without-owner", unique_of_nobody),
    "unique key of one that ended": ("unique-without-owner", unique_of_one_that_ended),
    "unique key of another": ("unique-without-owner", unique_of_another),
    "held without job": ("held-without-job", held_without_job),
    "dead letters without hash": ("dlq-without-hash", dlq_without_hash),
    "dead letter that is alive": ("dlq-but-alive", dlq_but_alive),
    "dead letter twice": ("twice-dead", twice_dead),
    "old lock of a job": ("old-lock", old_lock_of_a_job),
    "old lock of a worker": ("old-lock", old_lock_of_a_worker),
    "token went back": ("token-went-back", token_went_back),
    "wrong type": ("wrong-type", wrong_type),
}
"""By a name for the test: the kind that is to be found, and what breaks the data so."""

NOT_MENDABLE = {"unknown-status", "wrong-type"}
"""Nobody can know what is right there."""


async def _running(driver: Driver, job_id: str, **options: Any) -> Any:
    return await driver.running(job_id, queue="own", **options)


async def _queue(driver: Driver, queue: str, job_id: str) -> None:
    later_ms = await driver.now_ms() + LATER_MS
    await driver.redis.zadd(f"rrq:queue:{queue}", {job_id: later_ms})


async def _set(driver: Driver, job_id: str, **fields: str) -> None:
    await driver.redis.hset(f"rrq:job:{job_id}", mapping=fields)  # type: ignore[arg-type]
