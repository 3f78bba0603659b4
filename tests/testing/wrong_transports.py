"""Transports that each break one promise, made from the one that keeps them all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from msgspec import Raw, structs
from pydantic import BaseModel

from rrq.exc import ExecutorLost, ExecutorStartError
from rrq.protocol import ExecutionOutcome, ExecutionRequest
from rrq.transport import Ended, TransportContext, TransportStatus
from rrq_executor_stdio import StdioTransport


class Right(StdioTransport):
    """Keeps every promise: its executors say hello."""

    expects_hello = True

    def end_all_processes(self) -> None:
        for process in list(self._pool.roster.processes):
            process.kill("was ended by a wrong transport")


class TakesOneAtATime(Right):
    @property
    def capacity(self) -> int:
        return min(1, super().capacity)


class StartsWithoutAWord(Right):
    async def start(self) -> None:
        try:
            await super().start()
        except ExecutorStartError:
            raise ExecutorStartError("it does not start") from None


class StartsInAHurry(Right):
    async def start(self) -> None:
        try:
            async with asyncio.timeout(0.5):
                await super().start()
        except TimeoutError:
            raise ExecutorStartError("it takes too long") from None


class StopsOnlyWhenItIsUp(Right):
    is_up = False

    async def start(self) -> None:
        await super().start()
        self.is_up = True

    async def stop(self, grace_seconds: float) -> None:
        if self.is_up:
            await super().stop(grace_seconds)


class CountsInFloats(Right):
    async def execute(self, request: ExecutionRequest) -> ExecutionOutcome:
        args = json.dumps(json.loads(bytes(request.args), parse_int=float))
        return await super().execute(structs.replace(request, args=Raw(args.encode())))


class ForgetsTheTrace(Right):
    async def execute(self, request: ExecutionRequest) -> ExecutionOutcome:
        context = structs.replace(request.context, trace_context=Raw(b"null"))
        return await super().execute(structs.replace(request, context=context))


class SendsTheFirstLine(Right):
    async def execute(self, request: ExecutionRequest) -> ExecutionOutcome:
        first = bytes(request.args).split(b"\n")[0]
        return await super().execute(structs.replace(request, args=Raw(first)))


class RefusesMegabytes(Right):
    def __init__(self, config: BaseModel, context: TransportContext) -> None:
        super().__init__(config.model_copy(update={"max_message_bytes": 1_000_000}), context)


class ForgetsTheErrorType(Right):
    async def execute(self, request: ExecutionRequest) -> ExecutionOutcome:
        return structs.replace(await super().execute(request), error_type="Error")


class RefusesWhenItIsFull(Right):
    async def execute(self, request: ExecutionRequest) -> ExecutionOutcome:
        if self.describe().in_flight >= self.capacity:
            raise ExecutorLost("all are busy", penalty=False)
        return await super().execute(request)


class TellsTheAbandoned(Right):
    def submit(self, request: ExecutionRequest, ended: Ended) -> Callable[[], None] | None:
        abandon = super().submit(request, ended)

        def tell() -> None:
            assert abandon is not None
            abandon()
            asyncio.get_running_loop().call_soon(ended, ExecutorLost("it was abandoned"))

        return abandon and tell


class RunsOneAfterAnother(Right):
    def __init__(self, config: BaseModel, context: TransportContext) -> None:
        super().__init__(config, context)
        self._turn = asyncio.Lock()

    async def execute(self, request: ExecutionRequest) -> ExecutionOutcome:
        async with self._turn:
            return await super().execute(request)


class GivesTwinsOneOutcome(Right):
    def __init__(self, config: BaseModel, context: TransportContext) -> None:
        super().__init__(config, context)
        self._by_job: dict[str, asyncio.Task[ExecutionOutcome]] = {}

    async def execute(self, request: ExecutionRequest) -> ExecutionOutcome:
        call = super().execute
        if request.job_id not in self._by_job:
            self._by_job[request.job_id] = asyncio.create_task(call(request))
        return await self._by_job[request.job_id]


class ReadsNoLog(Right):
    async def start(self) -> None:
        await super().start()
        for process in self._pool.roster.processes:
            process._stderr._pipe.pause_reading()


class KeepsProgressToItself(Right):
    def __init__(self, config: BaseModel, context: TransportContext) -> None:
        super().__init__(config, replace(context, progress=lambda progress: None))


class ForgivesEveryLoss(Right):
    async def execute(self, request: ExecutionRequest) -> ExecutionOutcome:
        try:
            return await super().execute(request)
        except ExecutorLost as lost:
            raise ExecutorLost(lost.cause, penalty=False) from None


class TellsOfNoChange(Right):
    def __init__(self, config: BaseModel, context: TransportContext) -> None:
        super().__init__(config, replace(context, capacity_changed=lambda: None))


class EndsThemTogether(Right):
    async def execute(self, request: ExecutionRequest) -> ExecutionOutcome:
        try:
            return await super().execute(request)
        except ExecutorLost:
            self.end_all_processes()
            raise


class TakesGarbageForAnAnswer(Right):
    async def execute(self, request: ExecutionRequest) -> ExecutionOutcome:
        try:
            return await super().execute(request)
        except ExecutorLost as lost:
            return ExecutionOutcome(job_id=request.job_id, status="error", error_message=lost.cause)


class LetsTheCancelledRun(Right):
    async def execute(self, request: ExecutionRequest) -> ExecutionOutcome:
        running = asyncio.ensure_future(super().execute(request))
        running.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(running)


class CancelsByEndingTheProcess(Right):
    async def execute(self, request: ExecutionRequest) -> ExecutionOutcome:
        try:
            return await super().execute(request)
        except asyncio.CancelledError:
            self.end_all_processes()
            raise


class CountsTheCancelledAsGone(Right):
    @property
    def capacity(self) -> int:
        return 1


class StopsWithoutGrace(Right):
    async def stop(self, grace_seconds: float) -> None:
        await super().stop(0)


class BlamesEveryJob(Right):
    async def execute(self, request: ExecutionRequest) -> ExecutionOutcome:
        try:
            return await super().execute(request)
        except ExecutorLost as lost:
            raise ExecutorLost(lost.cause, penalty=True) from None


class UsesItsGrace(Right):
    async def stop(self, grace_seconds: float) -> None:
        await asyncio.sleep(grace_seconds)
        await super().stop(grace_seconds)


class StopsOnce(Right):
    _first: asyncio.Task[None] | None = None

    async def stop(self, grace_seconds: float) -> None:
        if self._first is None:
            self._first = asyncio.create_task(super().stop(grace_seconds))
        await asyncio.shield(self._first)


class LeavesItsProcesses(Right):
    async def stop(self, grace_seconds: float) -> None:
        return


class SaysNothingOfItself(Right):
    def describe(self) -> Any:
        return TransportStatus(processes=0, in_flight=0, capacity=self.capacity)


class LeavesATask(Right):
    async def start(self) -> None:
        await super().start()
        self.watching = asyncio.create_task(asyncio.Event().wait())


class GrantsTime(Right):
    def extra_seconds(self, job_id: str) -> float:
        return 60.0


class SendsTheLostAgain(Right):
    async def execute(self, request: ExecutionRequest) -> ExecutionOutcome:
        try:
            return await super().execute(request)
        except ExecutorLost:
            return await super().execute(request)


class SendsTheCancelledLater(Right):
    async def execute(self, request: ExecutionRequest) -> ExecutionOutcome:
        call = asyncio.ensure_future(super().execute(request))
        call.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            return await asyncio.shield(call)
        except asyncio.CancelledError:
            if self.describe().in_flight < self.capacity:
                call.cancel()
            raise


class HasRoomBeforeItStarts(Right):
    @property
    def capacity(self) -> int:
        return super().capacity or 1


class StaysAlone(Right):
    is_alone = False

    async def execute(self, request: ExecutionRequest) -> ExecutionOutcome:
        if self.is_alone:
            await asyncio.Event().wait()
        self.is_alone = bool(request.context.alone)
        return await super().execute(request)
