"""`rrq job explain` beside real workers: a busy one, an idle one, and one that was killed."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rrq.client import RRQClient
from rrq.embedded import EmbeddedRedis
from rrq.explain import Reason, judge
from rrq.settings import RRQSettings
from rrq.store.store import JobStore
from tests.support.distributions import rrq_command
from tests.support.places import Place, Running
from tests.support.terminals import Terminal
from tests.support.waiting import eventually_blocking

HANDLERS = """
    import asyncio
    from pathlib import Path

    from rrq import JobRegistry, PythonExecutorSettings
    from rrq.exc import RetryJob

    async def echo(ctx, word):
        return word

    async def fail(ctx):
        raise ValueError("no luck")

    async def later(ctx):
        raise RetryJob("the bank is closed", defer_seconds=900)

    async def pass_gate(ctx, name):
        Path(f"inside-{name}").touch()
        while not Path(f"gate-{name}").exists():
            await asyncio.sleep(0.01)

    registry = JobRegistry()
    for handler in (echo, fail, later, pass_gate):
        registry.register(handler.__name__, handler)
    settings = PythonExecutorSettings(job_registry=registry)
"""

CONFIGURATION = """
    [rrq]
    lease_seconds = 1
    worker_health_check_interval_seconds = 1
    worker_shutdown_grace_period_seconds = 20

    [rrq.executors.python]
    type = "python"
    settings = "handlers:settings"
    pool_size = 1
    max_in_flight = 1
"""


class Shop:
    """A server, and a place with workers on it."""

    def __init__(self, place: Place, server: EmbeddedRedis) -> None:
        self.place = place
        self.settings = RRQSettings(redis_dsn=server.dsn)
        self.dsn = server.dsn

    def do(self, what: Any) -> Any:
        """Carry out an async function of a client."""

        async def done() -> Any:
            async with RRQClient(self.settings) as client:
                return await what(client)

        return asyncio.run(done())

    def enqueue(self, function: str, *args: str, **options: Any) -> None:
        self.do(lambda client: client.enqueue(function, *args, **options))

    def reasons(self, job_id: str) -> list[Reason]:
        async def read(client: RRQClient) -> list[Reason]:
            evidence = await client.job_store.evidence.of(job_id)
            assert evidence is not None
            return judge(evidence)

        answer: list[Reason] = self.do(read)
        return answer

    def codes(self, job_id: str) -> list[str]:
        return [reason.code for reason in self.reasons(job_id)]

    def eventually(self, job_id: str, code: str) -> Reason:
        """The first reason of a job, when it is this one."""
        eventually_blocking(lambda: self.codes(job_id)[0] == code, 20, f"{job_id} {code}")
        return self.reasons(job_id)[0]

    def workers_alive(self) -> list[str]:
        ids: list[str] = self.do(lambda client: client.job_store.workers.ids())
        return ids

    def worker(self, *queues: str) -> Running:
        words = [word for queue in queues for word in ("--queue", queue)]
        worker = self.place.start("rrq", "worker", "run", *words, RRQ_REDIS_DSN=self.dsn)
        worker.said("Redis ")
        return worker

    def at_the_gate(self, name: str, **options: Any) -> None:
        """A job that runs until `gate-NAME` is there."""
        self.enqueue("pass_gate", name, _job_id=name, **options)
        inside = self.place.directory / f"inside-{name}"
        eventually_blocking(inside.exists, 20, f"{name} at the gate")

    def open(self, name: str) -> None:
        (self.place.directory / f"gate-{name}").touch()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A busy worker on `urgent` and `busy`, and an idle one on `default`."""
    place = Place(tmp_path_factory.mktemp("shop"), rrq_command().parent)
    with EmbeddedRedis() as server:
        lent = place.lend(patience_seconds=20)
        next(lent)
        place.write("handlers.py", HANDLERS)
        place.write("rrq.toml", CONFIGURATION)
        shop = Shop(place, server)
        workers = [shop.worker("urgent", "busy"), shop.worker("default")]
        shop.at_the_gate("slow", _queue_name="urgent", _unique_key="the only one")
        eventually_blocking(lambda: len(shop.workers_alive()) == 2, 20, "two heartbeats")
        yield shop
        shop.open("slow")
        for worker in workers:
            worker.stop()
        with suppress(StopIteration):
            next(lent)


# -- beside a busy worker ---------------------------------------------------------------


def test_a_running_job_is_told_with_its_worker_and_executor(shop: Shop) -> None:
    [reason] = shop.reasons("slow")

    assert reason.code == "running"
    assert "attempt 1 of 5" in reason.text
    assert reason.text.count("executor python") == 1


def test_a_job_behind_a_full_executor_is_told_what_fills_it(shop: Shop) -> None:
    shop.enqueue("echo", "x", _job_id="first", _queue_name="busy")
    shop.enqueue("echo", "x", _job_id="second", _queue_name="busy")

    [full] = shop.reasons("first")
    behind = shop.reasons("second")

    assert full.code == "executors_full"
    assert full.text.startswith(
        "Executor python is full on 1 worker, with 1 job: slow (pass_gate of queue urgent, "
    )
    assert full.text.endswith("Jobs of queue urgent start first there.")
    assert [reason.code for reason in behind] == ["executors_full", "jobs_ahead"]
    assert behind[1].text.startswith("1 job of 2 that are due in queue busy")


def test_a_job_for_a_handler_or_an_executor_that_the_worker_lacks_is_told_so(shop: Shop) -> None:
    shop.enqueue("ecoh", "x", _job_id="misspelt", _queue_name="busy")
    shop.enqueue("pyton#echo", "x", _job_id="misled", _queue_name="busy")

    [handler] = [one for one in shop.reasons("misspelt") if one.code == "handler_unknown"]
    executor = shop.reasons("misled")[0]

    assert 'Did you mean "echo"?' in handler.text
    assert executor.code == "executor_unknown"
    assert 'Did you mean "python"?' in executor.text


def test_a_job_behind_the_unique_key_of_a_running_one_is_told_of_it(shop: Shop) -> None:
    key = {"_unique_key": "the only one", "_on_conflict": "defer"}
    shop.enqueue("echo", "x", _job_id="held", _queue_name="default", **key)

    reason = shop.reasons("held")[0]

    assert reason.code == "held_back"
    assert reason.text.startswith("Job slow, which runs on worker rrq_worker_")
    assert reason.remedy.command == ("job", "explain", "slow")


# -- beside an idle worker --------------------------------------------------------------


def test_a_deferred_job_waits_for_its_time(shop: Shop) -> None:
    shop.enqueue("echo", "x", _job_id="tomorrow", _defer_by=90_000)

    [reason] = shop.reasons("tomorrow")

    assert (reason.code, reason.text[:16]) == ("due_later", "It is due in 1 d")


def test_a_job_that_is_retried_waits_for_its_next_attempt(shop: Shop) -> None:
    shop.enqueue("later", _job_id="retried")

    reason = shop.eventually("retried", "retrying")

    assert reason.text.startswith(
        "Attempt 1 of 5 failed: the bank is closed. The next one is due in 1"
    )


def test_a_job_in_a_paused_queue_waits_for_its_release(shop: Shop) -> None:
    shop.do(lambda client: client.job_store.queues.pause("default"))
    shop.enqueue("echo", "x", _job_id="paused")

    paused = shop.codes("paused")
    shop.do(lambda client: client.job_store.queues.resume("default"))
    shop.eventually("paused", "completed")

    assert paused == ["paused"]


def test_a_job_in_a_queue_of_no_worker_is_told_which_are_served(shop: Shop) -> None:
    shop.enqueue("echo", "x", _job_id="alone", _queue_name="nobody")

    [reason] = shop.reasons("alone")

    assert reason.code == "queue_unserved"
    assert reason.text.endswith("Alive: 2 workers, on queues busy, default, urgent.")


def test_what_has_ended_is_told_with_its_end(shop: Shop) -> None:
    shop.enqueue("echo", "x", _job_id="well")
    shop.enqueue("fail", _job_id="ill", _max_retries=1)
    shop.enqueue("ehco", "x", _job_id="unknown")
    shop.enqueue("echo", "x", _job_id="off", _defer_by=60)
    shop.do(lambda client: client.cancel("off"))

    shop.eventually("well", "completed")
    failed = shop.eventually("ill", "failed")
    shop.eventually("unknown", "failed")

    assert "no luck. It is in the dead letter queue default." in failed.text
    assert shop.codes("unknown") == ["failed", "handler_unknown"]
    assert shop.codes("off") == ["cancelled"]


# -- what producers and faults leave behind ---------------------------------------------


def test_a_producer_whose_clock_is_ahead_is_found_out(shop: Shop) -> None:
    future = datetime.now(UTC) + timedelta(hours=1)

    async def produce(client: RRQClient) -> None:
        redis = client.job_store.redis
        fields = {"function_name": "echo", "status": "PENDING", "queue_name": "default"}
        fields["enqueue_time"] = fields["next_scheduled_run_time"] = future.isoformat()
        await redis.hset("rrq:job:early", mapping=fields)
        await redis.zadd("rrq:queue:default", {"early": future.timestamp() * 1000})

    shop.do(produce)

    assert shop.codes("early") == ["clock", "due_later"]


def test_an_id_that_waits_without_a_hash_and_a_hash_that_waits_nowhere_are_told_apart(
    shop: Shop,
) -> None:
    shop.enqueue("echo", "x", _job_id="gone", _queue_name="nobody")
    shop.enqueue("echo", "x", _job_id="astray", _queue_name="nobody")

    async def break_both(client: RRQClient) -> None:
        await client.job_store.redis.delete("rrq:job:gone")
        await client.job_store.redis.zrem("rrq:queue:nobody", "astray")

    shop.do(break_both)

    assert shop.codes("gone")[0] == "no_hash"
    assert shop.codes("astray") == ["in_no_queue"]


def test_the_jobs_of_a_killed_worker_wait_for_another_one(place: Place) -> None:
    with EmbeddedRedis() as server:
        place.write("handlers.py", HANDLERS)
        place.write("rrq.toml", CONFIGURATION)
        shop = Shop(place, server)
        worker = shop.worker()
        shop.at_the_gate("stopped")
        shop.enqueue("echo", "x", _job_id="next")
        worker.stop(signal.SIGKILL)
        shop.do(lambda client: forget_all_workers(client.job_store))

        expired = shop.eventually("stopped", "lease_expired")
        asked = shop.do(lambda client: client.cancel("stopped"))

        assert "on worker rrq_worker_" in expired.text
        assert expired.remedy.command == ("worker", "run", "--queue", "default")
        assert asked == "requested"
        assert shop.codes("stopped") == ["cancel_requested", "lease_expired"]
        assert shop.codes("next") == ["no_worker"]


async def forget_all_workers(store: JobStore) -> None:
    """As time does with those that have no heartbeat any more."""
    await store.redis.delete("rrq:workers")


# -- the command itself -----------------------------------------------------------------


def test_the_answer_is_a_few_lines_that_end_with_a_command_to_copy(shop: Shop) -> None:
    shop.enqueue("echo", "x", _job_id="one two", _queue_name="nobody")

    ended = shop.place.run("rrq", "job", "explain", "one two", "--redis-dsn", shop.dsn)

    title, why, remedy, command = ended.stdout.splitlines()
    assert title == "Job one two, echo in queue nobody: PENDING"
    assert why.startswith("No worker serves queue nobody. ")
    assert (remedy, ended.stderr) == ("Start one:", "")
    assert command == f"  rrq worker run --queue nobody --redis-dsn '{shop.dsn}'"


def test_what_a_job_says_moves_no_cursor(shop: Shop) -> None:
    shop.enqueue("echo\x1b[2J", "x", _job_id="bad\x1b[2J", _queue_name="nobody")
    words = ("rrq", "job", "explain", "bad\x1b[2J", "--redis-dsn", shop.dsn)

    terminal = Terminal(words, shop.place.directory, shop.place.environment())
    code = terminal.wait(20)

    assert code == 0
    assert "\x1b" not in terminal.written
    assert r"Job bad\x1b[2J, echo\x1b[2J in queue nobody: PENDING" in terminal.written


def test_as_json_there_are_a_verdict_all_reasons_and_the_evidence(shop: Shop) -> None:
    shop.enqueue("echo", "x", _job_id="json", _queue_name="nobody")

    ended = shop.place.run("rrq", "job", "explain", "json", "--json", RRQ_REDIS_DSN=shop.dsn)

    told = json.loads(ended.stdout)
    assert set(told) == {"id", "status", "verdict", "text", "remedy", "reasons", "evidence"}
    assert (told["id"], told["status"], told["verdict"]) == ("json", "PENDING", "queue_unserved")
    assert told["remedy"] == {
        "text": "Start one:",
        "command": "rrq worker run --queue nobody",
    }
    assert told["reasons"] == [
        {"code": told["verdict"], "text": told["text"], "remedy": told["remedy"]}
    ]
    assert told["evidence"]["queue"]["name"] == "nobody"
    [busy] = [one for one in told["evidence"]["workers"] if "busy" in one["queues"]]
    assert busy["executors"]["python"]["functions"] == ["echo", "fail", "later", "pass_gate"]
    assert datetime.fromisoformat(told["evidence"]["now"]).tzinfo is not None


def test_a_job_that_is_not_there_is_an_error(shop: Shop) -> None:
    ended = shop.place.run("rrq", "job", "explain", "nobody", RRQ_REDIS_DSN=shop.dsn, code=1)

    assert (ended.stdout, ended.stderr) == (
        "",
        "error: There is no job nobody: check the id, or it has expired\n",
    )


def test_a_password_is_not_part_of_a_command_to_copy(shop: Shop) -> None:
    from rrq.cli.job_explain import _same_place

    words = _same_place("rrq.toml", "redis://me:secret@localhost/0")

    assert words[:3] == ["--config", "rrq.toml", "--redis-dsn"]
    assert "secret" not in words[3]
