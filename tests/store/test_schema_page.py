"""`docs/reference/schema.md`: its producers work, and no key, field or state is missing there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec import Raw

import rrq.store
from rrq.job import Job, JobStatus
from rrq.store.keys import Keys
from rrq.store.verdict import VerdictKind
from tests.store.driving import Driver
from tests.support.documents import CHECKOUT, Document

PAGE = Document(CHECKOUT / "docs" / "reference" / "schema.md")
LUA = Path(rrq.store.__file__).parent / "lua"


async def test_the_plain_producers_job_runs(driver: Driver) -> None:
    [block] = [block for block in PAGE.blocks() if block.language == "redis"]
    for line in block.text.splitlines():
        await driver.redis.execute_command(*shlex.split(line))
    [claim] = await driver.claim()
    assert (claim.job_id, claim.function_name, claim.defect) == ("6f1c", "greet", None)
    assert (bytes(claim.args), bytes(claim.kwargs)) == (b'["world"]', b'{"loud":true}')
    job = await driver.store.jobs.get("6f1c")
    assert job is not None
    assert job.next_scheduled_run_time is not None
    assert job.next_scheduled_run_time.timestamp() * 1000 == pytest.approx(claim.due_ms, abs=1e-3)
    assert await driver.settle(claim, "complete", Raw(b"1")) == "complete"


async def test_the_plain_producers_hash_has_every_field_that_it_must(driver: Driver) -> None:
    [block] = [block for block in PAGE.blocks() if block.language == "redis"]
    _, _, *pairs = shlex.split(block.text.splitlines()[0])
    await driver.enqueue("a")
    optional = {"max_retries", "job_timeout_seconds", "result_ttl_seconds", "enqueue_nonce"}
    assert set(pairs[::2]) == set(await driver.hash("a")) - optional


async def test_the_enqueue_step_can_be_called_without_rrq(driver: Driver, tmp_path: Path) -> None:
    script = tmp_path / "plain_producer.py"
    script.write_text(PAGE.files()["plain_producer.py"])

    def run() -> list[str]:
        command = [sys.executable, script, LUA, driver.settings.redis_dsn]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    answer, job_id = run()
    assert answer == "queued"
    assert run() == ["duplicate", job_id]
    job = await driver.store.jobs.get(job_id)
    assert job is not None
    assert (job.job_args, job.job_kwargs, job.max_retries) == (["world"], {"loud": True}, 3)
    assert job.next_scheduled_run_time is not None
    assert (job.next_scheduled_run_time - job.enqueue_time).total_seconds() == pytest.approx(60)
    assert await driver.holder("daily greeting") == job_id
    await driver.make_due(job_id)
    assert [claim.defect for claim in await driver.claim()] == [None]


def test_every_key_is_on_the_page() -> None:
    keys, code = Keys(), PAGE.code()
    for name in (
        keys.job("<id>"),
        keys.waiters("<id>"),
        keys.queue("<name>"),
        keys.queues,
        keys.paused,
        keys.dlq("<name>"),
        keys.unique("<key>"),
        keys.held("<key>"),
        keys.unborn,
        keys.leases,
        keys.lease_token,
        keys.idle("<queue>"),
        keys.mailbox("<reader>"),
        keys.health("<worker id>"),
        keys.workers,
        keys.cron("<name>"),
        keys.counted("queue"),
        keys.counted("function"),
        keys.total("queue", "<name>"),
        keys.total("function", "<name>"),
        keys.minute("<minute>", "queue", "<name>"),
        keys.minute("<minute>", "function", "<name>"),
        keys.stretches,
        keys.stretch_minutes("<stretch>"),
        keys.ended("<minute>", "<stretch>"),
    ):
        assert name in code


def test_every_root_that_the_steps_use_is_on_the_page() -> None:
    roots = {
        root
        for file in LUA.glob("*.lua")
        for root in re.findall(r"root \.\. '([\w:]+)'", file.read_text())
    }
    documented = {code.removeprefix("rrq:") for code in PAGE.code() if code.startswith("rrq:")}
    assert {root for root in roots if not any(one.startswith(root) for one in documented)} == set()


def test_every_field_of_a_job_is_on_the_page() -> None:
    assert set(Job.model_fields) <= set(PAGE.code())


async def test_every_field_that_a_step_ever_wrote_is_on_the_page(driver: Driver) -> None:
    seen: set[str] = set()

    async def look() -> None:
        seen.update(await driver.hash("a"))

    kinds: tuple[VerdictKind, ...] = ("retry", "lost", "release", "fail", "complete", "cancel")
    for kind in kinds:
        if not await driver.waiting():
            await driver.enqueue("a", unique_key="k", trace_context="{}", dlq_name="d")
        await driver.store.jobs.await_end("a", "client")
        [claim] = await driver.claim()
        await driver.store.leases.report_progress([("a", claim.token, b"{}")])
        if kind == "cancel":
            await driver.store.jobs.cancel("a")
        await look()
        await driver.settle(claim, kind, "1", attempt=b'{"outcome":"x"}')
        await look()
    assert {"attempts", "progress", "cancel_requested", "settled_token"} <= seen
    assert seen <= set(PAGE.code())


def test_every_state_is_on_the_page() -> None:
    assert {status.value for status in JobStatus} <= set(PAGE.code())
