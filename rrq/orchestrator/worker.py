"""`Worker`: builds the stages, runs them, and stops them in the order that loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from redis.exceptions import RedisError

from rrq.cancelling import cancelled
from rrq.cron import cron_entries
from rrq.hookspecs import WorkerView
from rrq.orchestrator.cron import CronTicker
from rrq.orchestrator.deadlines import Deadlines
from rrq.orchestrator.decision import Decider
from rrq.orchestrator.dispatch import Dispatch
from rrq.orchestrator.executors import Executors
from rrq.orchestrator.heartbeat import Heartbeat, age_seconds
from rrq.orchestrator.holdings import Holdings
from rrq.orchestrator.intake import Intake
from rrq.orchestrator.job_telemetry import JobTelemetry
from rrq.orchestrator.leases import LeaseKeeper
from rrq.orchestrator.mailbox import Mailbox
from rrq.orchestrator.memory import give_back_unused
from rrq.orchestrator.redis_link import RedisLink
from rrq.orchestrator.routing import Router
from rrq.orchestrator.settlement import Settlement
from rrq.orchestrator.tally import Tally
from rrq.orchestrator.watchdog import Watchdog
from rrq.orchestrator.worker_telemetry import WorkerTelemetry
from rrq.retry import RetryPolicy
from rrq.store.connection import connect, require_redis, unavailable
from rrq.store.keys import WORKER_ID_PREFIX
from rrq.store.store import JobStore
from rrq.store.verdict import SettleAnswer, Verdict
from rrq.telemetry import get_telemetry
from rrq.wording import counted

if TYPE_CHECKING:
    from rrq.plugins import Plugins
    from rrq.settings import RRQSettings

CLAIM_AT_STOP_SECONDS = 1.0
"""How long a stopping worker waits for the answer to its last claim."""

SETTLE_AT_STOP_SECONDS = 5.0
"""How long a stopping worker tries to bring its last verdicts to Redis."""

logger = logging.getLogger("rrq.worker")


class Worker:
    """One orchestrator.

    Args:
        settings: the configuration.
        plugins: the transports and everything else that is installed.
        queues: names, bare or full, the most urgent first; the default queue if empty.
        burst: end when nothing is due and nothing runs.
        log_successes: log each success at INFO.
        exit_when_stuck_seconds: end when no job could be claimed for this long; None never does.
    """

    def __init__(
        self,
        settings: RRQSettings,
        plugins: Plugins,
        *,
        queues: Sequence[str] = (),
        burst: bool = False,
        log_successes: bool = False,
        exit_when_stuck_seconds: float | None = None,
    ) -> None:
        self.worker_id = f"{WORKER_ID_PREFIX}{uuid4().hex}"
        self.settings = settings
        self._plugins = plugins
        self._stopping = asyncio.Event()
        self._hurrying = asyncio.Event()
        self._status = "initializing"

        self.store = JobStore(settings, redis=connect(settings, retries=0))
        keys = self.store.keys
        named = queues or [settings.default_queue_name]
        self.queues = tuple(dict.fromkeys(keys.bare_queue(name) for name in named))
        self._executors = Executors(
            settings,
            plugins,
            self.worker_id,
            capacity_changed=lambda: self._dispatch.fill_all(),
            progress=lambda progress: self._holdings.report_progress(progress),
        )
        self.lanes = self._executors.lanes

        link = RedisLink(settings.redis_dsn, self.store.forget_idle_connections)
        self.tally = Tally(log_successes=log_successes)
        self._telemetry = self._worker_telemetry()
        self._settlement = Settlement(self.store.leases, link, self._on_settled)
        router = Router(settings, tuple(settings.executors), plugins, self.queues)
        self._routes = router.by_queue if router.is_known_to_redis else None
        job_telemetry = JobTelemetry(self._telemetry, self.worker_id) if self._telemetry else None
        self._holdings = Holdings(job_telemetry)
        self._dispatch = Dispatch(
            worker_id=self.worker_id,
            holdings=self._holdings,
            lanes=self.lanes,
            router=router,
            decider=Decider(retry_policy=_retry_policy(settings), worker_id=self.worker_id),
            settle=self._settlement.put,
            room_appeared=lambda: self._intake.room_appeared(),
            telemetry=job_telemetry,
        )
        self._deadlines = Deadlines(self._holdings, self.lanes.values(), self._dispatch)
        mail = self.store.workers.mailbox(self.worker_id)
        self._intake = Intake(
            worker_id=self.worker_id,
            queues=self.queues,
            store=self.store,
            link=link,
            dispatch=self._dispatch,
            settle=self._settlement.put,
            is_behind=lambda: self._settlement.is_behind,
            poll_seconds=settings.default_poll_delay_seconds,
            burst=burst,
            mail=mail,
        )
        self._mailbox = Mailbox(
            mail=mail,
            link=link,
            wake=self._intake.wake,
            cancel=self._dispatch.cancel,
        )
        self._lease_keeper = LeaseKeeper(
            leases=self.store.leases,
            lease_seconds=settings.lease_seconds,
            link=link,
            holdings=self._holdings,
            dispatch=self._dispatch,
        )
        self._heartbeat = Heartbeat(
            worker_id=self.worker_id,
            queues=self.queues,
            lanes=self.lanes,
            tally=self.tally,
            workers=self.store.workers,
            link=link,
            interval_seconds=settings.worker_health_check_interval_seconds,
            measure=self._measure,
        )
        # The key may have expired meanwhile, or be gone with all that a server held in memory.
        link.restored = self._heartbeat.beat_now
        self._watchdog = Watchdog(
            intake=self._intake,
            link=link,
            exit_seconds=exit_when_stuck_seconds,
            changed=self._heartbeat.beat_now,
        )
        entries = cron_entries(settings)
        self._cron = (
            CronTicker(entries=entries, store=self.store, settings=settings, link=link)
            if entries
            else None
        )
        self._link = link

    # -- life ---------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until `stop`, or until a burst is done. Nothing is left behind in any case.

        Raises:
            ExecutorStartError: an executor does not come up.
            RedisUnavailable: Redis cannot be reached at the start, or refuses us for good.
            WorkerStuck: no job could be claimed for `exit_when_stuck_seconds`.
        """
        stages: list[asyncio.Task[None]] = []
        try:
            if not await self._came_up():
                return
            await self._plugins.worker_started(self._view())
            give_back_unused()
            self._status = "running"
            stages = [
                asyncio.create_task(stage, name=name)
                for name, stage in (
                    ("settlement", self._settlement.run()),
                    ("deadlines", self._deadlines.run()),
                    ("leases", self._lease_keeper.run()),
                    ("mailbox", self._mailbox.run()),
                    ("heartbeat", self._heartbeat.run()),
                    ("summary", self.tally.summarize()),
                    ("watchdog", self._watchdog.run()),
                    *([("cron", self._cron.run())] if self._cron else []),
                    *([("gauges", self._measure_often())] if self._telemetry else []),
                )
            ]
            await self._claim_until_stopped(stages)
            await self._wind_down()
        except RedisError as error:
            # What passes on its own is waited for: this does not.
            raise unavailable(self.settings, error) from error
        finally:
            await cancelled(stages)
            await self._executors.stop_now()
            if self._telemetry:
                self._holdings.give_up_telling()
                self._telemetry.worker_stopped()
                await self._telemetry.close()
            await self.store.aclose()

    def stop(self) -> None:
        """Claim nothing more, let running jobs end within the grace period, then end."""
        self._stopping.set()

    def stop_now(self) -> None:
        """As `stop`, without a grace period."""
        self._hurrying.set()
        self._stopping.set()

    async def _came_up(self) -> bool:
        """Whether Redis and the executors came up before the worker was told to stop: either may
        take as long as its timeout, and nobody who stops a worker waits for that."""
        starting = asyncio.create_task(self._start(), name="start")
        stopping = asyncio.create_task(self._stopping.wait(), name="stop")
        try:
            await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                return False
            starting.result()
            return True
        finally:
            await cancelled([starting, stopping])

    async def _start(self) -> None:
        await require_redis(self.store.redis, self.settings)
        await self._executors.start()
        if self._telemetry:
            self._telemetry.worker_started(self.queues)

    async def _claim_until_stopped(self, stages: list[asyncio.Task[None]]) -> None:
        intake = asyncio.create_task(self._intake.run(), name="intake")
        stopping = asyncio.create_task(self._stopping.wait(), name="stop")
        try:
            done, _ = await asyncio.wait(
                [intake, stopping, *stages], return_when=asyncio.FIRST_COMPLETED
            )
            for ended in done - {stopping}:
                # A stage never ends by itself but in a burst: raise what ended it.
                ended.result()
            self._dispatch.close()
            self._intake.stop()
            await asyncio.wait([intake], timeout=CLAIM_AT_STOP_SECONDS)
        finally:
            await cancelled([intake, stopping])

    async def _wind_down(self) -> None:
        """Running jobs end or are cut off; then their verdicts, and all of ours, leave."""
        self._status = "stopping"
        self._heartbeat.beat_now()
        if self._dispatch.held:
            running = counted(self._dispatch.running_count, "job is", "jobs are")
            logger.info("Stopping: %s still running", running)
        await self._plugins.worker_stopping(self._view())
        await self._executors.stop(
            self.settings.worker_shutdown_grace_period_seconds, self._hurrying
        )
        await self._dispatch.all_ended()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_AT_STOP_SECONDS):
                await self._link.persist(self._intake.give_back_unreceived)
                await self._settlement.flushed()
                # A beat that is under way would bring back what `leave` takes away.
                await self._heartbeat.ended()
                await self._link.persist(
                    lambda: self.store.workers.leave(self.worker_id, list(self.queues))
                )

    # -- parts --------------------------------------------------------------------------

    def _worker_telemetry(self) -> WorkerTelemetry | None:
        self._plugins.telemetry("orchestrator", self.settings)
        telemetry = get_telemetry()
        return WorkerTelemetry(telemetry, self.worker_id) if telemetry else None

    async def _measure_often(self) -> None:
        assert self._telemetry is not None
        await self._telemetry.measure(
            lanes=self.lanes, queues=self.queues, store=self.store.queues, own=self._gauges
        )

    def _gauges(self) -> dict[str, Any]:
        return {
            "status": self._status_text(),
            "in_flight": self._dispatch.running_count,
            "capacity": self._executors.capacity,
            "counts": dict(self.tally.counts),
            "lost_leases": self._lease_keeper.lost_leases,
            "reaped_jobs": self._lease_keeper.reaped_jobs,
            "is_redis_up": self._link.down_since is None,
            "last_claim_age_seconds": age_seconds(self._intake.last_claimed_at),
            "last_settle_age_seconds": age_seconds(self._settlement.last_settled_at),
        }

    def _on_settled(self, verdict: Verdict, answer: SettleAnswer | None) -> None:
        self.tally.settled(verdict, answer, lambda: self._holdings.trace_ids(verdict))
        self._holdings.settled(verdict, answer)
        self._intake.room_appeared()

    def _view(self) -> WorkerView:
        return WorkerView(
            worker_id=self.worker_id,
            queues=self.queues,
            executors=tuple(self.lanes),
            settings=self.settings,
        )

    def _measure(self) -> dict[str, Any]:
        return {
            "status": self._status_text(),
            "routes": self._routes,
            "last_claim_age_seconds": age_seconds(self._intake.last_claimed_at),
            "last_settle_age_seconds": age_seconds(self._settlement.last_settled_at),
            "lost_leases": self._lease_keeper.lost_leases,
            "reaped_jobs": self._lease_keeper.reaped_jobs,
        }

    def _status_text(self) -> str:
        if self._status != "running":
            return self._status
        if self._watchdog.is_stuck:
            return f"stuck ({self._watchdog.reason})"
        if not any(lane.free for lane in self.lanes.values()):
            return "idle (concurrency limit)"
        is_idle = self._intake.is_idle and not self._dispatch.running_count
        return "idle (no jobs)" if is_idle else "polling"


def _retry_policy(settings: RRQSettings) -> RetryPolicy:
    return RetryPolicy(
        base_delay_seconds=settings.base_retry_delay_seconds,
        max_delay_seconds=settings.max_retry_delay_seconds,
        jitter=settings.retry_jitter,
    )
