"""Data broken in every way that the doctor knows: one function for each kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tests.store.driving import Driver

Where = tuple[str, str | None]
"""The key in which it shows, and the id of the job that it is about."""

Break = Callable[[Driver, str], Awaitable[Where]]
"""Breaks what concerns the job of this id."""

LATER_MS = 3_600_000


async def queued_without_hash(driver: Driver, one: str) -> Where:
    await driver.enqueue(one, delay_ms=LATER_MS)
    await driver.redis.delete(f"rrq:job:{one}")
    return "rrq:queue:default", one


async def queued_but_ended(driver: Driver, one: str) -> Where:
    await driver.settle(await _running(driver, one), "complete")
    await _queue(driver, "default", one)
    return "rrq:queue:default", one


async def queued_but_active(driver: Driver, one: str) -> Where:
    await driver.enqueue(one, delay_ms=LATER_MS)
    await _set(driver, one, status="ACTIVE")
    return f"rrq:job:{one}", one


async def queued_and_leased(driver: Driver, one: str) -> Where:
    await _running(driver, one)
    await _queue(driver, "default", one)
    return "rrq:queue:default", one


async def queued_twice(driver: Driver, one: str) -> Where:
    await driver.enqueue(one, delay_ms=LATER_MS)
    await _queue(driver, "other", one)
    return "rrq:queue:other", one


async def misplaced(driver: Driver, one: str) -> Where:
    await driver.enqueue(one, delay_ms=LATER_MS, queue="mail")
    await _set(driver, one, queue_name="rrq:queue:elsewhere")
    return "rrq:queue:mail", one


async def waiting_nowhere(driver: Driver, one: str) -> Where:
    await driver.enqueue(one, delay_ms=LATER_MS)
    await driver.redis.zrem("rrq:queue:default", one)
    return f"rrq:job:{one}", one


async def active_without_lease(driver: Driver, one: str) -> Where:
    await _running(driver, one)
    await driver.redis.zrem("rrq:leases", one)
    return f"rrq:job:{one}", one


async def leased_without_hash(driver: Driver, one: str) -> Where:
    await _running(driver, one)
    await driver.redis.delete(f"rrq:job:{one}")
    return "rrq:leases", one


async def leased_but_ended(driver: Driver, one: str) -> Where:
    await _running(driver, one)
    await _set(driver, one, status="CANCELLED")
    return "rrq:leases", one


async def leased_but_waiting(driver: Driver, one: str) -> Where:
    await _running(driver, one)
    await _set(driver, one, status="PENDING")
    return f"rrq:job:{one}", one


async def leased_without_token(driver: Driver, one: str) -> Where:
    await _running(driver, one)
    await driver.redis.hdel(f"rrq:job:{one}", "lease_token")
    return "rrq:leases", one


async def unknown_status(driver: Driver, one: str) -> Where:
    await driver.redis.hset(f"rrq:job:{one}", mapping={"function_name": "f", "status": "DREAMING"})
    return f"rrq:job:{one}", one


async def waiting_with_ttl(driver: Driver, one: str) -> Where:
    await driver.enqueue(one, delay_ms=LATER_MS)
    await driver.redis.expire(f"rrq:job:{one}", 1000)
    return f"rrq:job:{one}", one


async def running_with_ttl(driver: Driver, one: str) -> Where:
    await _running(driver, one)
    await driver.redis.expire(f"rrq:job:{one}", 1000)
    return f"rrq:job:{one}", one


async def unique_of_nobody(driver: Driver, one: str) -> Where:
    await driver.redis.set(f"rrq:lock:unique:key-{one}", one, ex=1000)
    return f"rrq:lock:unique:key-{one}", one


async def unique_of_one_that_ended(driver: Driver, one: str) -> Where:
    await driver.settle(await _running(driver, one, unique_key=f"key-{one}"), "complete")
    await driver.redis.set(f"rrq:lock:unique:key-{one}", one, ex=1000)
    return f"rrq:lock:unique:key-{one}", one


async def unique_of_another(driver: Driver, one: str) -> Where:
    await driver.enqueue(one, unique_key="other", delay_ms=LATER_MS)
    await driver.redis.set(f"rrq:lock:unique:key-{one}", one, ex=1000)
    return f"rrq:lock:unique:key-{one}", one


async def held_without_job(driver: Driver, one: str) -> Where:
    await driver.redis.zadd(f"rrq:held:key-{one}", {one: 1})
    return f"rrq:held:key-{one}", one


async def dlq_without_hash(driver: Driver, one: str) -> Where:
    await driver.redis.lpush("rrq:dlq:default", "gone-1", "gone-2")
    return "rrq:dlq:default", None


async def dlq_but_alive(driver: Driver, one: str) -> Where:
    await driver.enqueue(one, delay_ms=LATER_MS)
    await driver.redis.lpush("rrq:dlq:other", one)
    return "rrq:dlq:other", one


async def twice_dead(driver: Driver, one: str) -> Where:
    await driver.settle(await _running(driver, one), "fail")
    await driver.redis.rpush("rrq:dlq:default", one)
    return "rrq:dlq:default", one


async def old_lock_of_a_job(driver: Driver, one: str) -> Where:
    await driver.redis.set(f"rrq:lock:job:{one}", "rrq_worker_old", ex=1000)
    return f"rrq:lock:job:{one}", one


async def old_lock_of_a_worker(driver: Driver, one: str) -> Where:
    await driver.redis.zadd(f"rrq:active:jobs:rrq_worker_{one}", {one: 1})
    return f"rrq:active:jobs:rrq_worker_{one}", None


async def token_went_back(driver: Driver, one: str) -> Where:
    await _running(driver, one)
    await driver.redis.set("rrq:lease:token", "0")
    return "rrq:lease:token", None


async def wrong_type(driver: Driver, one: str) -> Where:
    await driver.redis.set(f"rrq:queue:{one}", "x")
    return f"rrq:queue:{one}", None


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


async def break_everything(driver: Driver) -> None:
    """Break the data in every way at once, each time for a job of its own."""
    for name, (_, break_it) in BROKEN.items():
        await break_it(driver, name.replace(" ", "-"))


NOT_MENDABLE = {"unknown-status", "wrong-type"}
"""Nobody can know what is right there."""


async def _running(driver: Driver, job_id: str, **options: Any) -> Any:
    return await driver.running(job_id, queue="own", **options)


async def _queue(driver: Driver, queue: str, job_id: str) -> None:
    later_ms = await driver.now_ms() + LATER_MS
    await driver.redis.zadd(f"rrq:queue:{queue}", {job_id: later_ms})


async def _set(driver: Driver, job_id: str, **fields: str) -> None:
    await driver.redis.hset(f"rrq:job:{job_id}", mapping=fields)  # type: ignore[arg-type]
