"""`load_plugins`: every installed plugin behind one object, whose methods ask them all.

A plugin that does not import, does not fit the hooks or raises in one never breaks the rest:
its record says what happened, one warning names it, and only what needs it fails.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any

from rrq.exc import PluginError
from rrq.plugins.configuration import plugin_configuration
from rrq.plugins.records import PluginRecord
from rrq.plugins.registry import Registry, is_builtin
from rrq.suggestion import did_you_mean

if TYPE_CHECKING:
    import typer
    from pydantic import BaseModel

    from rrq.hookspecs import Check, RoutableJob, WorkerView
    from rrq.settings import RRQSettings
    from rrq.telemetry import Role
    from rrq.transport import Transport

BUILTIN = [
    "rrq.cli.worker",
    "rrq.cli.watch",
    "rrq.cli.check",
    "rrq.cli.doctor",
    "rrq.cli.queue",
    "rrq.cli.job",
    "rrq.cli.dlq",
    "rrq.cli.cron",
    "rrq.cli.demo",
    "rrq.cli.init",
    "rrq.cli.debug",
    "rrq.cli.executor_check",
    "rrq.cli.producer_check",
    "rrq.orchestrator.routing",
    "rrq.cli.plugins",
]
"""RRQ's own plugins. Those in `rrq.cli` are imported when the command line is built, the others
when another hook is first called; nothing heavy may stand at their top."""

PACKAGES = {"stdio": "rrq-executor-stdio", "python": "rrq-executor-python"}
"""Which distribution to install for an executor type that nobody offers."""


def load_plugins(*, disabled: Collection[str] = (), only_builtin: bool = False) -> Plugins:
    """Find and import the installed plugins.

    Args:
        disabled: names of plugins that are not even imported.
        only_builtin: import no installed plugin at all.
    """
    plugins = Plugins(only_builtin=only_builtin)
    if not only_builtin:
        plugins.registry.load_installed(disabled)
    return plugins


class Plugins:
    """All plugins of this process; made by `load_plugins`."""

    def __init__(self, *, only_builtin: bool = False) -> None:
        self.registry = Registry()
        self.only_builtin = only_builtin
        self._transports: dict[str, type[Transport]] | None = None
        self._claimed_twice: dict[str, str] = {}
        self._commands_added = False

    def records(self, *, builtin: bool = False) -> list[PluginRecord]:
        """What is known of each plugin, by name; the built-in ones last, and only if asked for."""
        self.transports()
        if not self._commands_added:
            import typer

            self.add_commands(typer.Typer())
        return [one for one in self.registry.records() if builtin or not one.is_builtin]

    def record(self, name: str) -> PluginRecord:
        """What is known of one plugin.

        Raises:
            PluginError: no plugin of this name is installed.
        """
        known = [one.name for one in self.records(builtin=True)]
        if record := self.registry.record(name):
            return record
        hint = did_you_mean(name, known) or " `rrq plugins list` shows those that are."
        raise PluginError(f"No plugin {name} is installed.{hint}")

    def is_active(self, name: str) -> bool:
        """Whether a plugin's hooks are asked; one that failed in part is still active."""
        return self.registry.hooks.plugin(name) is not None

    def transports(self) -> Mapping[str, type[Transport]]:
        """The usable executor types: those that exactly one plugin offers."""
        if self._transports is None:
            self._load_builtin()
            self._transports = self._collect_transports()
        return self._transports

    def transport(self, type_name: str) -> type[Transport]:
        """The transport of an executor type.

        Raises:
            PluginError: no plugin offers it, two do, or the one that would has failed or is
                disabled.
        """
        if transport := self.transports().get(type_name):
            return transport
        raise PluginError(self._why_no_transport(type_name))

    def has_routes(self) -> bool:
        """Whether an installed plugin chooses executors."""
        return bool(self.registry.hooks.implementers("rrq_route", builtin=False))

    def route(
        self,
        job: RoutableJob,
        executors: tuple[str, ...],
        settings: RRQSettings | None = None,
    ) -> str | None:
        """The first plugin's choice of an executor; RRQ's own rules choose last, and pass
        without settings. None if all pass."""
        self._load_builtin()
        for name, answer in self.registry.hooks.call(
            "rrq_route", job=job, executors=executors, settings=settings
        ):
            if isinstance(answer, str):
                return answer
            self._refuse(name, "rrq_route", "a name or None", answer)
        return None

    def telemetry(self, role: Role, settings: RRQSettings) -> None:
        """Make the plugins' tracing backends active. Each plugin is asked once a process, for
        the role that comes first.

        Raises:
            ConfigError: a plugin cannot work in this worker as it is configured. In a producer
                or an executor that is only reported.
        """
        from rrq.exc import ConfigError
        from rrq.telemetry import Telemetry
        from rrq.telemetry.activation import offer, plugins_asked

        plugins_asked(settings.plugins.w3c_owner)
        hook = "rrq_telemetry"
        raising = (ConfigError,) if role == "orchestrator" else ()
        self._load_builtin()
        for name in self.registry.hooks.implementers(hook):
            if _is_first_to_ask(name):
                answers = self.registry.hooks.ask(
                    name, hook, raising=raising, role=role, settings=settings
                )
                for backend in answers:
                    if isinstance(backend, Telemetry):
                        backend.name = backend.name or name
                        offer(backend)
                    else:
                        self._refuse(name, hook, "a Telemetry or None", backend)

    def checks(self, settings: RRQSettings) -> list[Check]:
        """The health checks that plugins add to `rrq check`."""
        from rrq.hookspecs import Check

        self._load_builtin()
        checks: list[Check] = []
        for name, offered in self.registry.hooks.call("rrq_checks", settings=settings):
            if isinstance(offered, list) and all(isinstance(one, Check) for one in offered):
                checks += offered
            else:
                self._refuse(name, "rrq_checks", "a list of Check", offered)
        return checks

    async def worker_started(self, view: WorkerView) -> None:
        """Tell every plugin that a worker begins to claim."""
        self._load_builtin()
        await self.registry.hooks.call_async("rrq_worker_started", worker=view)

    async def worker_stopping(self, view: WorkerView) -> None:
        """Tell every plugin that a worker has stopped claiming."""
        self._load_builtin()
        await self.registry.hooks.call_async("rrq_worker_stopping", worker=view)

    def add_commands(self, app: typer.Typer) -> None:
        """Let every plugin add its commands, the built-in ones first. What was added by a plugin
        that raises, or that takes another's command, is taken out again."""
        from rrq.cli.groups import Addition

        hook = "rrq_commands"
        self.registry.load_builtin([one for one in BUILTIN if _is_cli(one)])
        owners: dict[str, str] = {}
        names = self.registry.hooks.implementers(hook)
        for name in sorted(names, key=_place_of):
            addition = Addition(app)
            self.registry.hooks.ask(name, hook, app=app)
            try:
                if taken := addition.taken():
                    owner = owners.get(taken, "RRQ itself")
                    raise PluginError(f"`rrq {taken}` is a command of {owner} already")
                if addition.replaces_callback():
                    raise PluginError("it replaces the options of `rrq` itself")
                if not is_builtin(name):
                    addition.try_to_build()
            except Exception as error:
                self.registry.report(name, hook, error)
            if self.registry.reported(name, hook):
                addition.undo()
                continue
            if not is_builtin(name):
                addition.put_under(f"Commands of plugin {name}")
            owners.update(dict.fromkeys(addition.paths(), name))
            self.registry.change(name, commands=tuple(addition.commands()))
        self._commands_added = True

    def config_model(self, name: str) -> type[BaseModel] | None:
        """The model of an active plugin's table, if it declares one.

        Raises:
            PluginError: there is no such active plugin, or its declaration is wrong.
        """
        from rrq.plugins.configuration import model_of

        plugin = self.registry.hooks.plugin(name)
        if plugin is None:
            raise PluginError(f"Plugin {name} is not active")
        return model_of(name, plugin)

    def configuration(self, name: str, settings: RRQSettings) -> BaseModel | None:
        """A plugin's table as its `config_model`, or None if it declares none.

        Raises:
            ConfigError: the table does not fit; the message names table, key and known keys.
            PluginError: there is no such active plugin, or its declaration is wrong.
        """
        model = self.config_model(name)
        return plugin_configuration(settings, name, model) if model else None

    def check_configuration(self, settings: RRQSettings) -> tuple[list[str], list[str]]:
        """What is wrong in `[rrq.plugins]`: errors, and warnings, such as for a table of a
        plugin that is not installed."""
        from rrq.plugins.audit import audit

        return audit(self, settings)

    def _load_builtin(self) -> None:
        self.registry.load_builtin([one for one in BUILTIN if not _is_cli(one)])

    def _refuse(self, name: str, hook: str, wanted: str, answer: object) -> None:
        error = TypeError(f"{wanted} was expected, not a {type(answer).__name__}")
        self.registry.report(name, hook, error)

    def _collect_transports(self) -> dict[str, type[Transport]]:
        offers: dict[str, list[tuple[str, type[Transport]]]] = {}
        for name, offered in self.registry.hooks.call("rrq_transports"):
            if not _is_transport_mapping(offered):
                self._refuse(name, "rrq_transports", "a mapping of Transport classes", offered)
                continue
            self.registry.change(name, transports=tuple(offered))
            for type_name, transport in offered.items():
                offers.setdefault(type_name, []).append((name, transport))
        for type_name, claims in offers.items():
            if len(claims) > 1:
                self._note_clash(type_name, [name for name, _ in claims])
        return {name: claims[0][1] for name, claims in offers.items() if len(claims) == 1}

    def _note_clash(self, type_name: str, names: list[str]) -> None:
        origins = [one.origin for name in names if (one := self.registry.record(name))]
        message = f'executor type "{type_name}" is offered by {" and by ".join(origins)}'
        self._claimed_twice[type_name] = message
        self.registry.mark_failed(names, message)

    def _why_no_transport(self, type_name: str) -> str:
        if clash := self._claimed_twice.get(type_name):
            return f"{clash[0].upper()}{clash[1:]}. Disable one in [rrq.plugins] disabled."
        unusable = f'Executor type "{type_name}" cannot be used'
        if self.only_builtin:
            return f"{unusable}: plugins are switched off (--no-plugins)."
        record = self.registry.record(type_name)
        if record and record.status == "failed":
            return f"{unusable}: plugin {record.origin} failed: {record.reason}"
        if record and record.status == "disabled":
            return f"{unusable}: plugin {record.origin} is disabled {record.reason}."
        if package := PACKAGES.get(type_name):
            return f'No plugin offers executor type "{type_name}": pip install {package}'
        known = sorted({*self.transports(), *self._claimed_twice, *PACKAGES})
        left_out = [one.name for one in self.registry.records() if one.status == "failed"]
        return (
            f'No plugin offers executor type "{type_name}".{did_you_mean(type_name, known)} '
            f"Known types: {', '.join(known)}."
            + (f" Plugins that failed: {', '.join(left_out)}." if left_out else "")
        )


def _place_of(name: str) -> int:
    return BUILTIN.index(name) if name in BUILTIN else len(BUILTIN)


def _is_cli(module: str) -> bool:
    return module.startswith("rrq.cli.")


def _is_transport_mapping(offered: Any) -> bool:
    from rrq.transport import Transport

    return isinstance(offered, Mapping) and all(
        isinstance(name, str) and isinstance(offer, type) and issubclass(offer, Transport)
        for name, offer in offered.items()
    )


_asked_for_telemetry: set[str] = set()
_asking = Lock()


def _is_first_to_ask(name: str) -> bool:
    """Whether this process has not asked the plugin for its backend yet."""
    with _asking:
        if name in _asked_for_telemetry:
            return False
        _asked_for_telemetry.add(name)
        return True
