"""`audit`: whether `[rrq.plugins]` says something that no plugin will understand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rrq.exc import ConfigError, PluginError
from rrq.plugins.configuration import table_of
from rrq.suggestion import did_you_mean

if TYPE_CHECKING:
    from rrq.plugins import Plugins
    from rrq.plugins.records import PluginRecord
    from rrq.settings import RRQSettings


def audit(plugins: Plugins, settings: RRQSettings) -> tuple[list[str], list[str]]:
    """Errors, which stop a worker, and warnings: a table, an entry in `disabled` or a `w3c_owner`
    for a plugin that is not installed, or a table that cannot be checked because its plugin
    failed."""
    records = {one.name: one for one in plugins.records()}
    active = [name for name in records if plugins.is_active(name)]
    errors: list[str] = []
    warnings: list[str] = []
    for name in active:
        try:
            plugins.configuration(name, settings)
        except (ConfigError, PluginError) as error:
            errors.append(str(error))
    for name in settings.plugins.model_extra or {}:
        if name not in active:
            try:
                table_of(settings, name)
            except ConfigError as error:
                errors.append(str(error))
            else:
                warnings += _unread_table(name, records)
    for name in settings.plugins.disabled:
        if name not in records:
            hint = did_you_mean(name, records)
            warnings.append(f"[rrq.plugins] disabled has {name}, which is not installed.{hint}")
    if (owner := settings.plugins.w3c_owner) is not None and owner not in records:
        hint = did_you_mean(owner, records)
        warnings.append(f"[rrq.plugins] w3c_owner is {owner}, which is not installed.{hint}")
    return errors, [] if plugins.only_builtin else warnings


def _unread_table(name: str, records: dict[str, PluginRecord]) -> list[str]:
    record = records.get(name)
    if record is None:
        hint = did_you_mean(name, records)
        return [f"[rrq.plugins.{name}] is for plugin {name}, which is not installed.{hint}"]
    if record.status == "failed":
        return [f"[rrq.plugins.{name}] is not checked: plugin {record.origin} failed"]
    return []
