"""`Registry`: which plugins there are, and how each is. Nothing that a plugin does wrong gets
past it: the plugin's record says what happened, one warning names it, the rest goes on."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import replace
from importlib import import_module
from typing import Any

from rrq.plugins.discovery import FoundPlugin, find_plugins, import_plugin
from rrq.plugins.hooks import HOOKS, Hooks, UnfitPlugin
from rrq.plugins.records import PluginRecord

logger = logging.getLogger("rrq.plugins")

_LONGEST_REASON = 300


class Registry:
    """The plugins of one `Plugins` object, with a record of each.

    Attributes:
        hooks: those that are active or built in, to be asked.
    """

    def __init__(self) -> None:
        self.hooks = Hooks(self.report)
        self._records: dict[str, PluginRecord] = {}
        self._namesakes: list[PluginRecord] = []
        self._reported: set[tuple[str, str, type[BaseException]]] = set()

    def records(self) -> list[PluginRecord]:
        """Every record, the built-in plugins' last, by name."""
        known = [*self._records.values(), *self._namesakes]
        return sorted(known, key=lambda one: (one.is_builtin, one.name, one.distribution))

    def record(self, name: str) -> PluginRecord | None:
        """One plugin's record; the first, if two distributions have a plugin of that name."""
        namesakes = (one for one in self._namesakes if one.name == name)
        return self._records.get(name) or next(namesakes, None)

    def change(self, name: str, **fields: Any) -> None:
        """Note something in a plugin's record."""
        self._records[name] = replace(self._records[name], **fields)

    def report(self, name: str, hook: str, error: BaseException) -> None:
        """A plugin did something wrong in a hook. Said once for each hook and kind of error."""
        kind = (name, hook, type(error))
        if kind in self._reported:
            return
        self._reported.add(kind)
        self.mark_failed([name], f"{hook}: {_one_line(error)}")

    def mark_failed(self, names: Collection[str], reason: str) -> None:
        """Say in one warning, and note in their records, that a part of these plugins failed."""
        origins = ", ".join(self._records[name].origin for name in names)
        logger.warning("Plugin %s failed in part: %s", origins, reason)
        for name in names:
            earlier = self._records[name].reason
            self.change(name, status="failed", reason=f"{earlier}; {reason}" if earlier else reason)

    def reported(self, name: str, hook: str) -> bool:
        """Whether a plugin did something wrong in a hook."""
        return any(kind[:2] == (name, hook) for kind in self._reported)

    def load_installed(self, disabled: Collection[str]) -> None:
        """Find the installed plugins, and import those that are not disabled."""
        found = find_plugins()
        # pluggy asks the latest first: this way the plugins are asked in the order of names.
        for one in reversed(found):
            namesakes = [other for other in found if other.name == one.name]
            self._load(one, namesakes, disabled)

    def load_builtin(self, modules: Collection[str]) -> None:
        """Import RRQ's own plugins among those modules that are not loaded yet."""
        for module in modules:
            if module in self._records:
                continue
            record = _builtin_record(module)
            try:
                plugin = import_module(module)
            except (Exception, SystemExit) as error:
                self._leave_out(record, _one_line(error))
            else:
                self.take(record, plugin)

    def take(self, record: PluginRecord, plugin: object) -> None:
        """Register an imported plugin, or record why it does not fit."""
        try:
            self.hooks.register(record.name, plugin, builtin=is_builtin(record.name))
        except UnfitPlugin as error:
            self._leave_out(record, str(error))
            return
        mine = {hook for hook in HOOKS if record.name in self.hooks.implementers(hook)}
        self._records[record.name] = replace(
            record,
            telemetry="rrq_telemetry" in mine,
            routing="rrq_route" in mine,
            lifecycle=not mine.isdisjoint({"rrq_worker_started", "rrq_worker_stopping"}),
            checks="rrq_checks" in mine,
            config_model=_path_of(getattr(plugin, "config_model", None)),
        )

    def _load(
        self, found: FoundPlugin, namesakes: list[FoundPlugin], disabled: Collection[str]
    ) -> None:
        record = _record_of(found)
        if is_builtin(found.name):
            reason = "names that begin with `rrq.` are for RRQ's own plugins"
            self._warn(record, reason)
            self._namesakes.append(replace(record, status="failed", reason=reason))
        elif found.name in disabled:
            self._keep(replace(record, status="disabled", reason="by the configuration"))
        elif len(namesakes) > 1:
            owners = " and ".join(f"{one.distribution} {one.version}" for one in namesakes)
            self._leave_out(record, f"{owners} both have a plugin of this name: uninstall one")
        else:
            try:
                plugin = import_plugin(found)
            except (Exception, SystemExit) as error:
                self._leave_out(record, _one_line(error))
            else:
                self.take(record, plugin)

    def _leave_out(self, record: PluginRecord, reason: str) -> None:
        self._warn(record, reason)
        self._keep(replace(record, status="failed", reason=reason))

    def _warn(self, record: PluginRecord, reason: str) -> None:
        logger.warning("Plugin %s failed and is left out: %s", record.origin, reason)

    def _keep(self, record: PluginRecord) -> None:
        if record.name in self._records:
            self._namesakes.append(record)
        else:
            self._records[record.name] = record


def is_builtin(name: str) -> bool:
    """Whether a plugin of that name is RRQ's own."""
    return name.startswith("rrq.")


def _record_of(found: FoundPlugin) -> PluginRecord:
    return PluginRecord(
        name=found.name,
        version=found.version,
        distribution=found.distribution,
        module=found.entry_point.value,
        status="active",
        description=found.description,
    )


def _builtin_record(module: str) -> PluginRecord:
    from rrq import __version__

    return PluginRecord(
        name=module, version=__version__, distribution="rrq", module=module, status="builtin"
    )


def _path_of(declared: object) -> str | None:
    """How a plugin's `config_model` is written in its record."""
    if isinstance(declared, type):
        return f"{declared.__module__}:{declared.__qualname__}"
    return None if declared is None else str(declared)


def _one_line(error: BaseException) -> str:
    """An error as one bounded line, whatever a plugin put into it."""
    try:
        text = " ".join(str(error).split())
    except Exception:
        text = "(an error that cannot be shown)"
    kind = type(error).__name__
    return f"{kind}: {text}"[:_LONGEST_REASON] if text else kind
