"""Logfire traces for RRQ: one trace from producer to handler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rrq_logfire.activation import enable as enable

__all__ = ["enable"]


def __getattr__(name: str) -> Any:
    if name == "enable":
        from rrq_logfire.activation import enable

        return enable
    raise AttributeError(f"module 'rrq_logfire' has no attribute {name!r}")
