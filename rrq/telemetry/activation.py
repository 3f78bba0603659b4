"""Which backends are active in this process, and how they came to be.

By hand, with `configure`, which is what `rrq.integrations.*.enable` does; or because a plugin is
installed: a worker and an executor process ask the plugins when they start, a producer when it
first enqueues.
"""

from __future__ import annotations

import logging
from threading import Lock
from typing import TYPE_CHECKING

from rrq.telemetry.contract import Telemetry
from rrq.telemetry.fan_out import FanOut

if TYPE_CHECKING:
    from rrq.settings import RRQSettings

_active: FanOut | None = None
_w3c_owner: str | None = None
_plugins_were_asked = False
_lock = Lock()


def configure(backend: Telemetry) -> None:
    """Make `backend` active in this process, beside those that are already.

    One that is active stays as it is; one of the same name, if it has any, is replaced.
    """
    with _lock:
        backends = _active.backends if _active else []
        if any(one is backend for one in backends):
            return
        others = [one for one in backends if not backend.name or one.name != backend.name]
        _activate([*others, backend])


def offer(backend: Telemetry) -> None:
    """As `configure`, for a backend that a plugin offers unasked: one of the same name that was
    configured by hand stands."""
    with _lock:
        backends = _active.backends if _active else []
        if not any(one is backend or one.name == backend.name for one in backends):
            _activate([*backends, backend])


def disable() -> None:
    """Make no backend active in this process, and ask no plugin for one when it enqueues."""
    global _active, _plugins_were_asked
    with _lock:
        _plugins_were_asked = True
        _active = None


def get_telemetry() -> FanOut | None:
    """All active backends as one, or None if there are none."""
    return _active


def producer_telemetry(settings: RRQSettings) -> FanOut | None:
    """As `get_telemetry`, and None if no backend has anything to do; the first call of a process
    asks the installed plugins."""
    if not _plugins_were_asked:
        _ask_plugins(settings)
    return _active if _active and not _active.is_idle() else None


def plugins_asked(w3c_owner: str | None) -> None:
    """The plugins were asked in this process; `w3c_owner` is what `[rrq.plugins]` says."""
    global _plugins_were_asked, _w3c_owner
    with _lock:
        _plugins_were_asked = True
        _w3c_owner = w3c_owner
        _activate(_active.backends if _active else [])


def _activate(backends: list[Telemetry]) -> None:
    global _active
    _active = FanOut(backends, _w3c_owner) if backends else None


def _ask_plugins(settings: RRQSettings) -> None:
    global _plugins_were_asked
    _plugins_were_asked = True
    try:
        from rrq.plugins import load_plugins
        from rrq.plugins.disabled import disabled_plugin_names

        disabled = disabled_plugin_names() | set(settings.plugins.disabled)
        load_plugins(disabled=disabled).telemetry("producer", settings)
    except Exception as error:
        # Whatever is wrong with what is installed here, a job can be enqueued.
        logging.getLogger("rrq.telemetry").warning(
            "No telemetry, jobs are enqueued without: %r", error
        )
