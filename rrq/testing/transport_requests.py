"""The transport contract: executors that come up, and requests that they answer."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw

from rrq.exc import ExecutorStartError
from rrq.testing.transport_subject import cancel, release
from rrq.testing.transport_tests import TransportTests


class RequestTests(TransportTests):
    """A transport comes up, and carries requests and outcomes."""

    async def test_a_started_transport_takes_as_many_requests_as_its_executors_do(self) -> None:
        async with self.running(executors=2, in_flight=2) as subject:
            await subject.eventually(lambda: subject.transport.capacity == 4)
            assert subject.transport.describe().capacity == 4

    async def test_an_executor_that_cannot_start_is_reported_with_what_it_printed(self) -> None:
        subject = self.subject(start="failing")
        async with asyncio.timeout(self.soon_seconds):
            with pytest.raises(ExecutorStartError, match=self.start_failure):
                await subject.transport.start()
            assert subject.transport.capacity == 0
            await subject.transport.stop(0)
        assert subject.transport.describe().processes == 0

    async def test_a_request_to_an_executor_that_starts_slowly_is_answered(self) -> None:
        async with self.running(start="slow") as subject:
            outcome = await subject.call("echo")
            assert outcome.status == "success"

    async def test_a_stop_during_the_start_leaves_nothing_running(self) -> None:
        subject = self.subject(start="slow")
        starting = asyncio.create_task(subject.transport.start())
        await asyncio.sleep(0)
        async with asyncio.timeout(self.soon_seconds):
            await subject.transport.stop(0)
            with pytest.raises(ExecutorStartError):
                await starting
        assert subject.transport.describe().processes == 0

    async def test_arguments_and_results_pass_through_unchanged(self) -> None:
        args = '[1.5, 12345678901234567, "\\u00e9 \u00e9 \\u2028\\n\\"", null, {"a": [true]}]'
        async with self.running() as subject:
            outcome = await subject.call("echo", args=args, kwargs='{"b": {}}')
            assert outcome.status == "success"
            assert json.loads(bytes(outcome.result)) == {
                "args": json.loads(args),
                "kwargs": {"b": {}},
            }

    async def test_what_a_request_tells_of_its_job_arrives_unchanged(self) -> None:
        told: dict[str, Any] = {
            "attempt": 3,
            "queue_name": "rrq:queue:urgent",
            "worker_id": "rrq_worker_contract",
            "lease_token": 4_503_599_627_370_497,
            "trace_context": {"traceparent": "00-1-2-01", "baggage": "a=\u00e9"},
        }
        times = {
            "enqueue_time": "2026-01-01T12:00:00.123456Z",
            "deadline": "2099-01-01T00:00:00.5Z",
        }
        context = {
            **told,
            **times,
            "trace_context": Raw(json.dumps(told["trace_context"]).encode()),
        }
        async with self.running() as subject:
            outcome = await subject.call("context", job_id="told", **context)
            arrived = json.loads(bytes(outcome.result))
            assert arrived["job_id"] == "told"
            assert {name: arrived[name] for name in told} == told
            for name, text in times.items():
                # As a moment: an executor may write it in another way.
                assert datetime.fromisoformat(arrived[name]) == datetime.fromisoformat(text), name

    async def test_json_text_that_is_spread_over_lines_arrives_whole(self) -> None:
        async with self.running() as subject:
            outcome = await subject.call("echo", args="[\n  1,\r\n  2\n]")
            assert json.loads(bytes(outcome.result))["args"] == [1, 2]

    async def test_megabytes_pass_in_both_directions(self) -> None:
        text = "x" * 3_000_000
        async with self.running() as subject:
            outcome = await subject.call("echo", args=json.dumps([text]))
            assert json.loads(bytes(outcome.result))["args"] == [text]

    async def test_an_error_outcome_comes_back_with_its_type_and_message(self) -> None:
        async with self.running() as subject:
            outcome = await subject.call("fail", "no such customer")
            assert outcome.status == "error"
            assert outcome.error_type == "ValueError"
            assert "no such customer" in (outcome.error_message or "")

    async def test_more_requests_than_capacity_wait_and_each_gets_its_own_outcome(self) -> None:
        async with self.running(executors=2, in_flight=2) as subject:
            outcomes = await asyncio.gather(*(subject.call("echo", n) for n in range(100)))
            assert [json.loads(bytes(o.result))["args"] for o in outcomes] == [
                [n] for n in range(100)
            ]

    async def test_what_became_of_a_request_is_told_once(self, tmp_path: Path) -> None:
        async with self.running(in_flight=2) as subject:
            await subject.eventually(lambda: subject.transport.capacity == 2)
            await subject.call("echo")
            held = await subject.begin("hold", tmp_path, "held")
            await cancel(held)
            await subject.transport.stop(0)
            if subject.answers[0]:  # else it does not take requests by `submit`
                assert [len(answers) for answers in subject.answers] == [1, 0]

    async def test_a_long_request_does_not_hold_up_another(self, tmp_path: Path) -> None:
        async with self.running(in_flight=2) as subject:
            await subject.eventually(lambda: subject.transport.capacity == 2)
            long = await subject.begin("hold", tmp_path, "long")
            assert (await subject.call("echo")).status == "success"
            assert not long.done()
            release(tmp_path, "long")
            assert (await long).status == "success"

    async def test_a_request_that_is_to_run_alone_is_answered_and_others_after_it(self) -> None:
        async with self.running(in_flight=2) as subject:
            await subject.eventually(lambda: subject.transport.capacity == 2)
            assert (await subject.call("echo", alone=True)).status == "success"
            await subject.eventually(lambda: subject.transport.capacity == 2)
            assert (await subject.call("echo")).status == "success"

    async def test_the_same_job_twice_at_once_gets_two_outcomes(self, tmp_path: Path) -> None:
        async with self.running(in_flight=2) as subject:
            first = await subject.begin("hold", tmp_path, "first", job_id="twin")
            second = asyncio.create_task(subject.call("echo", "second", job_id="twin"))
            release(tmp_path, "first")
            assert b"second" not in bytes((await first).result)
            assert b"second" in bytes((await second).result)

    async def test_a_flood_in_the_log_stops_no_request(self) -> None:
        async with self.running() as subject:
            assert (await subject.call("flood", 3_000_000)).status == "success"
            assert (await subject.call("echo")).status == "success"

    async def test_progress_is_passed_on(self) -> None:
        if not self.reports_progress:
            pytest.skip("these executors report no progress")
        async with self.running() as subject:
            await subject.call("report", 3, 10, "rows", job_id="import")
            reports = [(p.job_id, p.current, p.total, p.message) for p in subject.reports]
            assert reports == [("import", 3, 10, "rows")]

    async def test_a_request_that_runs_gets_no_more_than_its_own_timeout(
        self, tmp_path: Path
    ) -> None:
        async with self.running() as subject:
            await subject.call("echo")
            running = await subject.begin("hold", tmp_path, "running", job_id="slow")
            assert subject.transport.extra_seconds("slow") == 0
            release(tmp_path, "running")
            await running

    async def test_the_transport_tells_how_it_is_doing(self, tmp_path: Path) -> None:
        async with self.running(executors=2) as subject:
            running = await subject.begin("hold", tmp_path, "running")
            status = subject.transport.describe()
            assert (status.processes, status.in_flight, status.restarts) == (2, 1, 0)
            release(tmp_path, "running")
            await running
            assert subject.transport.describe().in_flight == 0
