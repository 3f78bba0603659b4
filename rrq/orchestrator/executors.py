"""`Executors`: all configured executors of a worker together, up and down."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from rrq.config.executors import executor_options
from rrq.orchestrator.lane import Lane
from rrq.protocol import Progress
from rrq.transport import TransportContext

if TYPE_CHECKING:
    from rrq.plugins import Plugins
    from rrq.settings import RRQSettings
    from rrq.transport import Transport

logger = logging.getLogger("rrq.worker")


class Executors:
    """One lane with its transport for each `[rrq.executors.NAME]`.

    Attributes:
        lanes: by name, in the order of the configuration.

    Raises:
        ConfigError: an executor's table has a mistake.
        PluginError: no plugin offers an executor's type.
    """

    def __init__(
        self,
        settings: RRQSettings,
        plugins: Plugins,
        worker_id: str,
        *,
        capacity_changed: Callable[[], None],
        progress: Callable[[Progress], None],
    ) -> None:
        self._settings = settings
        self._plugins = plugins
        self._worker_id = worker_id
        self._capacity_changed = capacity_changed
        self._progress = progress
        self.lanes = {name: Lane(name, self._transport(name)) for name in settings.executors}

    @property
    def capacity(self) -> int:
        """How many jobs they take at once, all together."""
        return sum(lane.transport.capacity for lane in self.lanes.values())

    async def start(self) -> None:
        """Bring all of them up.

        Raises:
            ExecutorStartError: one does not come up.
        """
        answers = await asyncio.gather(
            *(lane.transport.start() for lane in self.lanes.values()), return_exceptions=True
        )
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer

    async def stop(self, grace_seconds: float, hurry: asyncio.Event) -> None:
        """Let running jobs end within the grace, or until `hurry` is set, and end all processes."""
        stops = asyncio.ensure_future(self._stop(0.0 if hurry.is_set() else grace_seconds))
        hurrying = asyncio.ensure_future(hurry.wait())
        await asyncio.wait([stops, hurrying], return_when=asyncio.FIRST_COMPLETED)
        if not stops.done():
            await self._stop(0.0)
        await stops
        hurrying.cancel()

    async def stop_now(self) -> None:
        """End all processes, whatever state they are in."""
        await self._stop(0.0)

    async def _stop(self, grace_seconds: float) -> None:
        answers = await asyncio.gather(
            *(lane.transport.stop(grace_seconds) for lane in self.lanes.values()),
            return_exceptions=True,
        )
        for answer in answers:
            if isinstance(answer, Exception):
                logger.error("An executor could not be stopped cleanly: %r", answer)

    def _transport(self, name: str) -> Transport:
        config = self._settings.executors[name]
        transport = self._plugins.transport(config.type)
        options = executor_options(name, config, transport.config_model)
        context = TransportContext(
            executor_name=name,
            worker_id=self._worker_id,
            capacity_changed=self._capacity_changed,
            progress=self._progress,
        )
        return transport(options, context)
