"""Jobs that were written without RRQ's enqueue step, whole or broken."""

from __future__ import annotations

import pytest
from msgspec import Raw

from rrq.exc import MalformedJob
from rrq.store.claim import Claim
from tests.store.driving import Driver

RUST_FIELDS = {
    "id": "r1",
    "function_name": "greet",
    "job_args": '["grüße",{"n":1}]',
    "job_kwargs": "{}",
    "enqueue_time": "2026-01-01T12:00:00.123456789+00:00",
    "status": "PENDING",
    "current_retries": "0",
    "queue_name": "rrq:queue:default",
    "next_scheduled_run_time": "2026-01-01T12:00:00.123456789+00:00",
    "result": "null",
    "custom": "left alone",
}


async def _produce(driver: Driver, job_id: str, fields: dict[str, str | bytes]) -> None:
    await driver.redis.hset(driver.keys.job(job_id), mapping=fields)  # type: ignore[arg-type]
    await driver.redis.zadd(driver.keys.queue("default"), {job_id: 1_767_268_800_123.5})


async def _claimed(driver: Driver, fields: dict[str, str | bytes]) -> Claim:
    await _produce(driver, "f", {"function_name": "g", "enqueue_time": "2026-01-01", **fields})
    [claim] = await driver.claim()
    return claim


async def test_a_job_of_the_rust_producer_runs_with_the_workers_defaults(driver: Driver) -> None:
    await _produce(driver, "r1", {**RUST_FIELDS})
    [claim] = await driver.claim()
    assert claim.defect is None
    assert bytes(claim.args) == '["grüße",{"n":1}]'.encode()
    assert (claim.max_retries, claim.timeout_seconds, claim.attempt) == (5, 300, 1)
    assert (claim.due_ms, claim.enqueue_time) == (
        1_767_268_800_123.5,
        "2026-01-01T12:00:00.123456789+00:00",
    )
    assert await driver.settle(claim, "complete", Raw(b"7")) == "complete"
    job = await driver.store.jobs.get("r1")
    assert job is not None
    assert (job.status, job.result, job.queue_name) == ("COMPLETED", 7, "rrq:queue:default")
    assert 86_390 < await driver.ttl_seconds("r1") <= 86_400
    assert (await driver.hash("r1"))["custom"] == "left alone"


async def test_a_job_of_the_old_python_producer_runs(driver: Driver) -> None:
    await _produce(
        driver,
        "p1",
        {
            **RUST_FIELDS,
            "job_args": '["gr\\u00fc\\u00dfe", 1]',
            "job_kwargs": "null",
            "trace_context": "null",
            "enqueue_time": "2026-01-01T12:00:00Z",
            "max_retries": "2",
            "job_timeout_seconds": "10",
            "result_ttl_seconds": "0",
        },
    )
    [claim] = await driver.claim()
    assert (claim.defect, claim.max_retries, claim.timeout_seconds) == (None, 2, 10)
    assert (bytes(claim.kwargs), bytes(claim.trace_context)) == (b"{}", b"null")
    await driver.settle(claim, "complete")
    assert await driver.ttl_seconds("p1") == -1


async def test_arguments_with_line_breaks_fit_one_line(driver: Driver) -> None:
    claim = await _claimed(driver, {"job_args": '[\n  1,\r\n  "a\\nb"\n]'})
    assert bytes(claim.args) == b'[   1,    "a\\nb" ]'
    assert claim.defect is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("job_args", '{"a": 1}'),
        ("job_args", "[1,"),
        ("job_args", "[NaN]"),
        ("job_args", "no json"),
        ("job_args", b'["\xff"]'),
        ("job_args", "[" * 100_000),
        ("job_kwargs", "[1]"),
        ("job_kwargs", '"text"'),
        ("trace_context", '{"a": 1}'),
        ("trace_context", "[]"),
        ("max_retries", "many"),
        ("max_retries", "0"),
        ("max_retries", "-1"),
        ("max_retries", "1e400"),
        ("current_retries", "-1"),
        ("current_retries", "nan"),
        ("job_timeout_seconds", "0"),
        ("job_timeout_seconds", "soon"),
        ("function_name", b"\xff"),
        ("enqueue_time", b"\xff"),
        ("enqueue_time", ""),
    ],
)
async def test_the_defect_of_a_broken_hash_names_the_field(
    driver: Driver, field: str, value: str | bytes
) -> None:
    claim = await _claimed(driver, {field: value})
    assert claim.defect is not None
    assert f"`{field}`" in claim.defect
    assert await driver.settle(claim, "fail", claim.defect) == "fail"
    assert (await driver.dead(), await driver.waiting()) == (["f"], [])
    assert await driver.leased() == []


async def test_several_defects_are_all_named(driver: Driver) -> None:
    claim = await _claimed(driver, {"job_args": "x", "max_retries": "y"})
    assert claim.defect is not None
    assert "`job_args`" in claim.defect
    assert "`max_retries`" in claim.defect


async def test_an_empty_hash_field_counts_as_not_set(driver: Driver) -> None:
    claim = await _claimed(driver, {"job_args": "", "job_kwargs": "", "max_retries": ""})
    assert (claim.defect, claim.max_retries, bytes(claim.args)) == (None, 5, b"[]")


async def test_an_id_that_is_not_utf8_is_a_defect_that_can_be_settled(driver: Driver) -> None:
    await driver.redis.hset(driver.keys.job_root.encode() + b"\xff", "function_name", "f")
    await driver.redis.zadd(driver.keys.queue("default"), {b"\xff": 1})
    [claim] = await driver.claim()
    assert claim.defect is not None
    assert "not UTF-8" in claim.defect
    assert await driver.settle(claim, "fail", "no") == "fail"
    assert await driver.redis.lrange(driver.keys.dlq("default"), 0, -1) == [b"\xff"]


@pytest.mark.parametrize(
    "attempts", ["no json", "7", '{"a": 1}', '[{"a": 1e999}]', "[" * 2000, "[1, 2]"]
)
@pytest.mark.parametrize("end", ["complete", "retry", "fail", "lost"])
async def test_a_broken_history_does_not_stop_the_jobs_end(
    driver: Driver, attempts: str, end: str
) -> None:
    claim = await _claimed(driver, {"attempts": attempts, "current_retries": "1"})
    assert await driver.settle(claim, end, "x", attempt=b'{"outcome":"error"}') == end  # type: ignore[arg-type]
    assert await driver.leased() == []
    assert '"outcome":"error"' in (await driver.hash("f"))["attempts"]


@pytest.mark.parametrize(
    ("ttl", "expected"),
    [
        ("-5", -1),
        ("0", -1),
        ("soon", 86_400),
        ("null", 86_400),
        ("nan", 86_400),
        ("7.9", 7),
        ("inf", 10**10),
        ("1e300", 10**10),
    ],
)
async def test_a_strange_result_ttl_does_not_stop_the_jobs_end(
    driver: Driver, ttl: str, expected: int
) -> None:
    claim = await _claimed(driver, {"result_ttl_seconds": ttl})
    assert await driver.settle(claim, "complete") == "complete"
    assert await driver.ttl_seconds("f") == pytest.approx(expected, abs=2)


async def test_a_foreign_new_run_of_a_finished_id_runs_and_stays(driver: Driver) -> None:
    await driver.settle(await driver.running("f"), "complete", Raw(b"7"))
    await _produce(driver, "f", {**RUST_FIELDS})
    [claim] = await driver.claim()
    assert await driver.ttl_seconds("f") == -1
    assert await driver.settle(claim, "complete", Raw(b"8")) == "complete"
    assert (await driver.hash("f"))["result"] == "8"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("job_args", "{}"),
        ("job_args", "[" * 100_000),
        ("job_kwargs", "[]"),
        ("status", "SLEEPING"),
        ("enqueue_time", "yesterday"),
        ("max_retries", "inf"),
        ("current_retries", "x"),
        ("trace_context", '{"a": 1}'),
        ("last_error", b"\xff"),
        ("result", "{"),
    ],
)
async def test_a_hash_that_cannot_be_read_is_an_error_that_names_job_and_field(
    driver: Driver, field: str, value: str | bytes
) -> None:
    await _produce(driver, "f", {**RUST_FIELDS, field: value})
    with pytest.raises(MalformedJob, match=rf"Job f: the field `{field}`"):
        await driver.store.jobs.get("f")


async def test_a_status_that_rrq_does_not_know_is_a_malformed_job(driver: Driver) -> None:
    await _produce(driver, "f", {**RUST_FIELDS, "status": "SLEEPING"})
    with pytest.raises(MalformedJob, match="`status`"):
        await driver.store.jobs.get_status("f")
    with pytest.raises(MalformedJob, match="`status`"):
        await driver.store.jobs.await_end("f", "client")


async def test_an_id_that_stands_in_two_queues_is_claimed_once(driver: Driver) -> None:
    await driver.enqueue("twice", queue="a")
    await driver.redis.zadd("rrq:queue:b", {"twice": 1})

    claims = await driver.claim(queues=("a", "b"))

    assert [claim.job_id for claim in claims] == ["twice"]
    assert await driver.redis.zcard("rrq:queue:a") + await driver.redis.zcard("rrq:queue:b") == 0
    assert await driver.redis.hget("rrq:job:twice", "lease_token") == str(claims[0].token).encode()
