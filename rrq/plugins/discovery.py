"""Finding installed plugins without importing them, and importing one of them.

stevedore loads what the entry points name. Its cache on disk is passed by: that one cannot be
told to stay off, it compares file times by the minute, and it forgets the distribution.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.metadata import Distribution, EntryPoint

GROUP = "rrq.plugins"

logger = logging.getLogger("rrq.plugins")


@dataclass(frozen=True, slots=True)
class FoundPlugin:
    """An installed plugin that is not imported yet."""

    entry_point: EntryPoint
    installed: Distribution

    @property
    def name(self) -> str:
        """The plugin's name."""
        return self.entry_point.name

    @property
    def distribution(self) -> str:
        """The name of the distribution that it was installed with."""
        return self._metadata("Name")

    @property
    def version(self) -> str:
        """The distribution's version."""
        return self._metadata("Version")

    @property
    def description(self) -> str | None:
        """The distribution's own summary."""
        summary = self._metadata("Summary")
        return None if summary == "?" else summary

    def _metadata(self, field: str) -> str:
        """One field; a distribution without it is damaged, yet shall be told of."""
        try:
            return self.installed.metadata[field] or "?"
        except Exception:
            return "?"


def find_plugins() -> list[FoundPlugin]:
    """Every installed plugin, by name. Imports none of them."""
    found = (FoundPlugin(point, point.dist) for point in _entry_points() if point.dist)
    return sorted(found, key=lambda plugin: (plugin.name, plugin.distribution))


def import_plugin(found: FoundPlugin) -> Any:
    """The module or object that the plugin's entry point names.

    Raises:
        BaseException: whatever the import raises, which may also be `SystemExit`.
    """
    from stevedore.extension import ExtensionManager

    class OnePlugin(ExtensionManager):  # type: ignore[type-arg]  # older ones are not generic
        """Loads this entry point alone, so that each failure is told apart."""

        def list_entry_points(self) -> list[EntryPoint]:
            return [found.entry_point]

    failures: list[BaseException] = []
    # What a module prints as it is imported must not get into a command's JSON.
    with redirect_stdout(sys.stderr):
        manager = OnePlugin(
            GROUP, on_load_failure_callback=lambda _manager, _point, error: failures.append(error)
        )
    if failures:
        raise failures[0]
    return manager.extensions[0].plugin


def _entry_points() -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points

    try:
        return entry_points(group=GROUP)
    except Exception:
        # One damaged distribution spoils the list of all: read them one by one.
        return list(_readable_entry_points())


def _readable_entry_points() -> Iterator[EntryPoint]:
    from importlib.metadata import distributions

    met: set[str] = set()
    for installed in distributions():
        try:
            # The first on the path shadows others of its name, as it does for imports.
            if installed.name not in met:
                met.add(installed.name)
                yield from installed.entry_points.select(group=GROUP)
        except Exception as error:
            where = getattr(installed, "_path", installed)
            logger.warning("A damaged distribution is passed over: %s: %r", where, error)
