"""Which executor runs a job: `executor#handler`, then plugins, then the queue's route, then the
default. The last two rules come in through the same hook as a plugin's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rrq.hookspecs import RoutableJob, hookimpl

if TYPE_CHECKING:
    from rrq.plugins import Plugins
    from rrq.settings import RRQSettings
    from rrq.store.claim import Claim


@dataclass(frozen=True, slots=True)
class Route:
    """Where a job goes: an executor and the handler's name there, or why it can go nowhere."""

    executor: str
    handler: str
    refusal: str | None = None


@hookimpl(trylast=True)
def rrq_route(job: RoutableJob, settings: RRQSettings | None) -> str | None:
    """RRQ's own rules, behind those of every plugin."""
    return ConfiguredRoutes(settings).executor_of(job.queue_name) if settings else None


class ConfiguredRoutes:
    """`[rrq.routing]` and `default_executor_name`."""

    def __init__(self, settings: RRQSettings) -> None:
        root = f"{settings.key_prefix}:queue:"
        self._by_queue = {
            queue.removeprefix(root): executor
            for queue, executor in settings.executor_routes.items()
        }
        self._default = settings.default_executor_name

    def executor_of(self, queue: str) -> str:
        """The executor for a queue, by its bare name."""
        return self._by_queue.get(queue, self._default)


class Router:
    """Routes claims to the executors that are configured."""

    def __init__(
        self,
        settings: RRQSettings,
        executors: tuple[str, ...],
        plugins: Plugins | None = None,
        queues: Sequence[str] = (),
    ) -> None:
        self._executors = executors
        self._settings = settings
        self._routes = ConfiguredRoutes(settings)
        self._queues = tuple(queues)
        # Asking through pluggy costs as much as the rest of a job's way: only if someone answers.
        self._plugins: Any = plugins if plugins is not None and plugins.has_routes() else None

    @property
    def is_known_to_redis(self) -> bool:
        """Whether prefix and queue alone decide, so that a claim can be divided by executor."""
        return self._plugins is None

    @property
    def by_queue(self) -> dict[str, str]:
        """By queue (bare name), the executor of the jobs that name none."""
        return {queue: self._routes.executor_of(queue) for queue in self._queues}

    def route(self, claim: Claim) -> Route:
        """The claim's route; a refusal in it is for the dead letter queue."""
        prefix, mark, handler = claim.function_name.partition("#")
        if not mark:
            prefix, handler = "", claim.function_name
        if not handler:
            return Route("", "", "Handler name is missing")
        executor = prefix if mark else self._choose(claim)
        if executor not in self._executors:
            known = ", ".join(self._executors) or "none"
            return Route(
                executor,
                handler,
                f"No executor configured for '{executor}'. Configured executors: {known}.",
            )
        return Route(executor, handler)

    def _choose(self, claim: Claim) -> str:
        if self._plugins is not None:
            job = RoutableJob(
                job_id=claim.job_id,
                function_name=claim.function_name,
                queue_name=claim.queue,
                attempt=claim.attempt,
                args=bytes(claim.args),
                kwargs=bytes(claim.kwargs),
            )
            if answer := self._plugins.route(job, self._executors, self._settings):
                return str(answer)
        return self._routes.executor_of(claim.queue)
