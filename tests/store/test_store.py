"""What `JobStore` tells about queues and workers, and the questions of RRQ 0.9."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rrq.job import JobStatus
from tests.store.driving import OTHER_WORKER, WORKER, Driver, new_job


async def test_the_questions_of_rrq_0_9_have_their_answers(driver: Driver) -> None:
    store = driver.store
    await driver.enqueue("a", queue="urgent", unique_key="k", unique_ttl_ms=1500)
    await driver.enqueue("b", queue="urgent", delay_ms=60_000)
    for queue in ("urgent", "rrq:queue:urgent"):
        assert await store.get_queued_job_ids(queue) == ["a", "b"]
        assert await store.get_queued_job_ids(queue, 1, 1) == ["b"]
        assert await store.get_ready_job_ids(queue, 10) == ["a"]
        assert await store.is_job_queued(queue, "b")
        assert await store.batch_get_queue_sizes([queue, "none"]) == {queue: 2, "none": 0}
    job = await store.get_job_definition("a")
    assert job is not None
    assert (job.id, job.queue_name) == ("a", "urgent")
    fields = await store.get_job_data_dict("a")
    assert fields is not None
    assert fields["function_name"] == "greet"
    assert await store.get_job_status("a") is JobStatus.PENDING
    assert await store.get_unique_lock_holder("k") == "a"
    assert await store.get_lock_ttl("k") == 2
    assert await store.remove_job_from_queue("urgent", "a")
    assert not await store.remove_job_from_queue("urgent", "a")
    assert not await store.is_job_queued("urgent", "a")


async def test_what_is_not_there_is_none(driver: Driver) -> None:
    store = driver.store
    assert await store.get_job_definition("x") is None
    assert await store.get_job_data_dict("x") is None
    assert await store.get_job_status("x") is None
    assert await store.get_unique_lock_holder("x") is None
    assert await store.get_lock_ttl("x") == 0
    assert await store.get_worker_health("x") == (None, None)
    assert await store.queues.head_due_ms(["x"]) is None
    assert await store.queues.names() == []


async def test_a_queue_is_described_by_its_size_and_its_first_and_last_due_time(
    driver: Driver,
) -> None:
    first = await driver.enqueue()
    last = await driver.enqueue(delay_ms=60_000)
    [size, empty] = await driver.store.queues.describe(["rrq:queue:default", "empty"])
    assert (size.name, size.waiting, size.due) == ("default", 2, 1)
    assert (size.first_due_at, size.last_due_at) == (first.due_at, last.due_at)
    assert (empty.waiting, empty.due, empty.first_due_at, empty.last_due_at) == (0, 0, None, None)


async def test_the_head_of_several_queues_is_the_job_that_is_due_first(driver: Driver) -> None:
    await driver.enqueue(queue="a", at_ms=9_000_000_000_000)
    await driver.enqueue(queue="b", at_ms=8_000_000_000_000)
    assert await driver.store.queues.head_due_ms(["a", "b", "c"]) == 8_000_000_000_000


async def test_queues_are_listed_once_a_job_was_in_them(driver: Driver) -> None:
    await driver.store.jobs.enqueue([new_job(queue="b"), new_job(queue="a"), new_job(queue="b")])
    await driver.claim(queues=["a", "b"])
    assert await driver.store.queues.names() == ["a", "b"]


async def test_a_heartbeat_tells_of_a_worker_until_it_expires(driver: Driver) -> None:
    workers = driver.store.workers
    await workers.heartbeat(WORKER, {"status": "running"}, 60)
    await workers.heartbeat(OTHER_WORKER, {"status": "running"}, 60)
    assert await workers.ids() == [WORKER, OTHER_WORKER]
    assert await driver.store.get_worker_health(WORKER) == ({"status": "running"}, 60)
    long_ago = await driver.now_ms() - 1
    await driver.redis.zadd(driver.keys.workers, {WORKER: long_ago})
    assert await workers.ids() == [OTHER_WORKER]
    await workers.heartbeat(OTHER_WORKER, {}, 60)
    assert await driver.redis.zcard(driver.keys.workers) == 1


async def test_many_heartbeats_are_read_at_once_and_those_that_are_gone_left_out(
    driver: Driver,
) -> None:
    workers = driver.store.workers
    await workers.heartbeat(WORKER, {"status": "running"}, 60)
    await driver.redis.set(driver.keys.health(OTHER_WORKER), "no JSON")
    await driver.redis.hset(driver.keys.health("hash"), "a", "b")
    found = await workers.healths([WORKER, OTHER_WORKER, "hash", "gone"])
    assert {name: health for name, (health, _) in found.items()} == {
        WORKER: {"status": "running"},
        OTHER_WORKER: {},
        "hash": {},
    }
    assert found[WORKER][1] == pytest.approx(60, abs=5)
    assert found[OTHER_WORKER][1] is None
    assert await workers.healths([]) == {}


async def test_a_worker_that_leaves_leaves_nothing_behind(driver: Driver) -> None:
    await driver.store.workers.heartbeat(WORKER, {}, 60)
    assert await driver.claim(queues=["a", "b"]) == []
    await driver.enqueue(queue="a")
    await driver.store.workers.leave(WORKER, ["a", "b"])
    assert not [key for key in await driver.all_keys() if WORKER in key or "idle" in key]
    assert await driver.store.workers.ids() == []


@pytest.mark.parametrize("count", [1, 2, 2500])
async def test_a_mailbox_gives_its_messages_in_order_and_bounded(
    driver: Driver, count: int
) -> None:
    await driver.redis.rpush(driver.keys.mailbox("w"), *map(str, range(count)))
    mailbox = driver.store.workers.mailbox("w")
    read: list[str] = []
    while len(read) < count:
        messages = await mailbox.read(1)
        assert 0 < len(messages) <= 1001
        read += messages
    assert read == [str(number) for number in range(count)]
    await mailbox.aclose()


async def test_an_empty_mailbox_is_waited_for_so_long(driver: Driver) -> None:
    mailbox = driver.store.workers.mailbox("w")
    before = await driver.store.now()
    assert await mailbox.read(0.2) == []
    waited = await driver.store.now() - before
    assert timedelta(seconds=0.2) <= waited < timedelta(seconds=3)
    await mailbox.aclose()
