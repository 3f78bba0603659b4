"""The plugin `stdio`: offers the transport of that name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rrq import hookimpl

if TYPE_CHECKING:
    from rrq.transport import Transport


@hookimpl
def rrq_transports() -> Mapping[str, type[Transport]]:
    """The transport `stdio`."""
    from rrq_executor_stdio.transport import StdioTransport

    return {"stdio": StdioTransport}
