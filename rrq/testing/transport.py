"""`TransportContract`: the tests that every executor transport must pass.

Subclass it in a test module of your own and say how your transport is made:

    class TestMyTransport(TransportContract):
        def make_transport(self, context, *, executors=1, in_flight=1, start="normal"):
            config = MyConfig(address=..., connections=executors, window=in_flight)
            return MyTransport(config, context)

It needs pytest and pytest-asyncio. The executors at the other end have these handlers; what
they mean by "log" is wherever an executor prints for humans:

| handler | arguments | does |
| --- | --- | --- |
| `echo` | any | succeeds with `{"args": […], "kwargs": {…}}` |
| `pid` | | succeeds with the id of the process that runs it |
| `fail` | message | answers `error`, type `ValueError`, with the message |
| `hold` | folder, name | writes its process id to the file `NAME.began` in the folder and succeeds once `NAME.release` is there; if asked to stop, writes `NAME.stopped` and stops |
| `cling` | folder, name | the same, but does not stop when asked to |
| `die` | status | ends its process with that exit status, without an answer |
| `garbage` | text | prints the text, a line, where the transport expects an outcome |
| `flood` | count | prints that many bytes to the log, then succeeds |
| `report` | current, total, message | reports that progress, then succeeds |
"""  # noqa: E501 (a table's rows cannot be broken)

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest

from rrq.exc import ExecutorLost, ExecutorStartError
from rrq.testing.transport_subject import (
    SOON_SECONDS,
    TransportSubject,
    cancel,
    has_stopped,
    is_alive,
    process_of,
    release,
)
from rrq.transport import Transport, TransportContext

Start = Literal["normal", "failing", "slow"]

START_FAILURE = "no database is there"
"""What an executor whose `start` is `failing` prints before it gives up."""


GARBAGE = (
    "debug: here I am",
    '{"job_id": "unasked", "status": "perhaps"}',
    '{"job_id": "unasked", "status": "success", "result": 1}',
)
"""Lines that are no outcome: no JSON, an unknown status, an answer that nobody waits for."""


class TransportContract:
    """What the kernel relies on in every transport; see the module for how to use it.

    Attributes:
        stops_single_requests: whether a request can be stopped without ending its process,
            and so without harm to others in it.
        can_print_garbage: whether a handler can print where outcomes are expected.
        reports_progress: whether the handler `report` can be offered.
        ends_executors: whether the transport started the processes, and so must end them. If
            not, something else must start an executor again that has ended, and a malformed
            answer costs it its connection instead of its process.
        start_failure: a regular expression for what the error of a `failing` start tells.
    """

    pytestmark: ClassVar[list[Any]] = [pytest.mark.asyncio]

    stops_single_requests: ClassVar[bool] = True
    can_print_garbage: ClassVar[bool] = True
    reports_progress: ClassVar[bool] = True
    ends_executors: ClassVar[bool] = True
    start_failure: ClassVar[str] = START_FAILURE

    def make_transport(
        self,
        context: TransportContext,
        *,
        executors: int = 1,
        in_flight: int = 1,
        start: Start = "normal",
    ) -> Transport:
        """A transport that was not started yet.

        Args:
            context: to be given to it.
            executors: how many executors, so that the end of one leaves the others alone.
            in_flight: requests that each takes at once. A transport whose executors take one
                alone has `executors` times `in_flight` of them.
            start: `normal`; `failing` prints `START_FAILURE` to the log and ends, or is not
                there at all if the transport does not start it; `slow` takes two seconds until
                it can answer.

        If a cancelled request is given a grace to stop in, it must be one second at most.
        """
        raise NotImplementedError("say how your transport is made")

    # Up

    async def test_a_started_transport_takes_as_many_requests_as_its_executors_do(self) -> None:
        async with self.running(executors=2, in_flight=2) as subject:
            await subject.eventually(lambda: subject.transport.capacity == 4)
            assert subject.transport.describe().capacity == 4

    async def test_an_executor_that_cannot_start_is_reported_with_what_it_printed(self) -> None:
        subject = self._subject(start="failing")
        async with asyncio.timeout(SOON_SECONDS):
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
        subject = self._subject(start="slow")
        starting = asyncio.create_task(subject.transport.start())
        await asyncio.sleep(0)
        async with asyncio.timeout(SOON_SECONDS):
            await subject.transport.stop(0)
            with pytest.raises(ExecutorStartError):
                await starting
        assert subject.transport.describe().processes == 0

    # Requests and outcomes

    async def test_arguments_and_results_pass_through_unchanged(self) -> None:
        args = '[1.5, 12345678901234567, "\\u00e9 \u00e9 \\u2028\\n\\"", null, {"a": [true]}]'
        async with self.running() as subject:
            outcome = await subject.call("echo", args=args, kwargs='{"b": {}}')
            assert outcome.status == "success"
            assert json.loads(bytes(outcome.result)) == {
                "args": json.loads(args),
                "kwargs": {"b": {}},
            }

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

    async def test_a_long_request_does_not_hold_up_another(self, tmp_path: Path) -> None:
        async with self.running(in_flight=2) as subject:
            await subject.eventually(lambda: subject.transport.capacity == 2)
            long = await subject.begin("hold", tmp_path, "long")
            assert (await subject.call("echo")).status == "success"
            assert not long.done()
            release(tmp_path, "long")
            assert (await long).status == "success"

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

    # Losses

    async def test_a_request_whose_executor_dies_is_lost_with_penalty(self) -> None:
        async with self.running() as subject:
            with pytest.raises(ExecutorLost) as lost:
                await subject.call("die", 3)
            assert lost.value.penalty
            assert lost.value.cause

    async def test_a_dead_executor_is_replaced_and_the_change_is_told(self) -> None:
        async with self.running() as subject:
            await subject.eventually(lambda: subject.transport.capacity == 1)
            told = subject.capacity_changes
            with pytest.raises(ExecutorLost):
                await subject.call("die", 3)
            await subject.eventually(lambda: subject.transport.capacity == 1)
            assert subject.capacity_changes > told
            assert (await subject.call("echo")).status == "success"
            assert subject.transport.describe().restarts == 1
            assert subject.transport.describe().last_error

    async def test_the_end_of_one_executor_does_not_touch_another(self, tmp_path: Path) -> None:
        async with self.running(executors=2) as subject:
            other = await subject.begin("hold", tmp_path, "other")
            with pytest.raises(ExecutorLost):
                await subject.call("die", 0)
            release(tmp_path, "other")
            assert (await other).status == "success"

    @pytest.mark.parametrize("garbage", GARBAGE)
    async def test_a_malformed_answer_costs_the_executor_its_place(self, garbage: str) -> None:
        if not self.can_print_garbage:
            pytest.skip("these executors cannot print where an outcome is expected")
        async with self.running() as subject:
            before = int(bytes((await subject.call("pid")).result))
            with pytest.raises(ExecutorLost) as lost:
                await subject.call("garbage", garbage)
            assert lost.value.penalty
            assert garbage in lost.value.cause
            after = int(bytes((await subject.call("pid")).result))
            assert subject.transport.describe().restarts == 1
            if self.ends_executors:
                assert after != before
                await subject.eventually(lambda: not is_alive(before))

    # Cancelling

    async def test_a_cancelled_request_stops_and_gives_its_place_back(self, tmp_path: Path) -> None:
        async with self.running() as subject:
            request = await subject.begin("hold", tmp_path, "unwanted")
            await cancel(request)
            await subject.eventually(lambda: has_stopped(tmp_path, "unwanted"))
            await subject.eventually(lambda: subject.transport.capacity == 1)
            assert (await subject.call("echo")).status == "success"

    async def test_a_cancelled_request_leaves_its_neighbour_alone(self, tmp_path: Path) -> None:
        if not self.stops_single_requests:
            pytest.skip("these executors stop a request by ending the process")
        async with self.running(in_flight=2) as subject:
            await subject.eventually(lambda: subject.transport.capacity == 2)
            unwanted = await subject.begin("hold", tmp_path, "unwanted")
            neighbour = await subject.begin("hold", tmp_path, "neighbour")
            await cancel(unwanted)
            await subject.eventually(lambda: subject.transport.capacity == 2)
            release(tmp_path, "neighbour")
            assert (await neighbour).status == "success"

    async def test_a_request_that_does_not_stop_takes_room_until_its_executor_is_replaced(
        self, tmp_path: Path
    ) -> None:
        async with self.running() as subject:
            clinging = await subject.begin("cling", tmp_path, "clinging")
            await cancel(clinging)
            assert subject.transport.capacity == 0
            told = subject.capacity_changes
            await subject.eventually(lambda: subject.transport.capacity == 1)
            assert subject.capacity_changes > told
            assert not is_alive(process_of(tmp_path, "clinging"))

    # Down

    async def test_a_stop_lets_a_running_request_finish(self, tmp_path: Path) -> None:
        async with self.running() as subject:
            running = await subject.begin("hold", tmp_path, "running")
            stopping = asyncio.create_task(subject.transport.stop(SOON_SECONDS))
            await asyncio.sleep(0)
            assert subject.transport.capacity == 0
            release(tmp_path, "running")
            assert (await running).status == "success"
            await stopping

    async def test_a_request_that_outlasts_the_grace_is_lost_without_penalty(
        self, tmp_path: Path
    ) -> None:
        async with self.running() as subject:
            endless = await subject.begin("cling", tmp_path, "endless")
            async with asyncio.timeout(SOON_SECONDS):
                await subject.transport.stop(0.1)
            with pytest.raises(ExecutorLost) as lost:
                await endless
            assert not lost.value.penalty

    async def test_a_stop_with_nothing_to_wait_for_does_not_use_its_grace(
        self, tmp_path: Path
    ) -> None:
        async with self.running() as subject:
            held = await subject.begin("hold", tmp_path, "held")
            await cancel(held)
            await subject.eventually(lambda: subject.transport.capacity == 1)
            async with asyncio.timeout(SOON_SECONDS):
                await subject.transport.stop(600)

    async def test_a_second_stop_cuts_the_grace_of_the_first(self, tmp_path: Path) -> None:
        async with self.running() as subject:
            endless = await subject.begin("cling", tmp_path, "endless")
            patient = asyncio.create_task(subject.transport.stop(600))
            await asyncio.sleep(0)
            async with asyncio.timeout(SOON_SECONDS):
                await subject.transport.stop(0)
                await patient
            with pytest.raises(ExecutorLost):
                await endless

    async def test_a_stopped_transport_refuses_requests_without_penalty(self) -> None:
        async with self.running() as subject:
            await subject.transport.stop(0)
            await subject.transport.stop(0)
            with pytest.raises(ExecutorLost) as refused:
                await subject.call("echo")
            assert not refused.value.penalty

    async def test_a_stop_leaves_no_process_behind(self, tmp_path: Path) -> None:
        if not self.ends_executors:
            pytest.skip("this transport starts no processes")
        async with self.running(executors=2) as subject:
            tasks = [await subject.begin("cling", tmp_path, name) for name in ("one", "two")]
            pids = [process_of(tmp_path, name) for name in ("one", "two")]
            assert all(is_alive(pid) for pid in pids)
            await subject.transport.stop(0)
            assert not any(is_alive(pid) for pid in pids)
            assert subject.transport.describe().processes == 0
            await asyncio.gather(*tasks, return_exceptions=True)

    async def test_the_transport_tells_how_it_is_doing(self, tmp_path: Path) -> None:
        async with self.running(executors=2) as subject:
            running = await subject.begin("hold", tmp_path, "running")
            status = subject.transport.describe()
            assert (status.processes, status.in_flight, status.restarts) == (2, 1, 0)
            release(tmp_path, "running")
            await running
            assert subject.transport.describe().in_flight == 0

    # Tools

    def _subject(self, **shape: Any) -> TransportSubject:
        return TransportSubject(lambda context: self.make_transport(context, **shape))

    @asynccontextmanager
    async def running(self, **shape: Any) -> AsyncIterator[TransportSubject]:
        """A started transport of this shape (see `make_transport`); it is stopped at the end.

        Raises:
            TimeoutError: the test takes more than a minute.
        """
        subject = self._subject(**shape)
        async with asyncio.timeout(4 * SOON_SECONDS):
            await subject.transport.start()
            try:
                yield subject
            finally:
                await subject.transport.stop(0)
