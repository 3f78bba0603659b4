"""The plugin `socket`: executors that somebody else started, behind a Unix or TCP socket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import rrq

if TYPE_CHECKING:
    from rrq.hookspecs import Check
    from rrq.settings import RRQSettings
    from rrq.transport import Transport

TYPE = "socket"
"""What `type` is in the tables of these executors."""


@rrq.hookimpl
def rrq_transports() -> Mapping[str, type[Transport]]:
    """Offer the transport for `type = "socket"`."""
    from rrq_transport_socket.transport import SocketTransport

    return {TYPE: SocketTransport}


@rrq.hookimpl
def rrq_checks(settings: RRQSettings) -> list[Check]:
    """A check for each executor of this type: who answers at its addresses."""
    from rrq_transport_socket.health import check_of

    return [
        check_of(name, config) for name, config in settings.executors.items() if config.type == TYPE
    ]
