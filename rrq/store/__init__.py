"""All that knows Redis: key names, encodings, the atomic steps, and questions about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rrq.store.store import JobStore as JobStore

__all__ = ["JobStore"]


def __getattr__(name: str) -> Any:
    if name == "JobStore":
        from rrq.store.store import JobStore

        return JobStore
    raise AttributeError(f"module 'rrq.store' has no attribute {name!r}")
