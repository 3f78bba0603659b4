"""`error_type_of`: the exception's type behind a job's `last_error`, from the job's history.

A handler that asks for a retry says why in its own words: that exception's type is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from rrq.protocol import HANDLER_NOT_FOUND


def error_type_of(attempts: bytes | str | None, error: str | None) -> str | None:
    """What the newest attempt that ended with this error says; None if none does.

    Args:
        attempts: the field of that name, as it stands.
        error: `last_error`, of which an attempt keeps the beginning.
    """
    if not attempts or not error:
        return None
    try:
        entries = msgspec.json.decode(attempts)
    except (ValueError, RecursionError):
        return None
    for entry in reversed(entries) if isinstance(entries, list) else ():
        if isinstance(entry, dict) and _is_of(entry.get("error"), error):
            return type_in(entry)
    return None


def type_in(attempt: Mapping[str, Any]) -> str | None:
    """The exception's type that an entry of the history tells of."""
    kind = attempt.get("error_type")
    if not isinstance(kind, str) or kind == HANDLER_NOT_FOUND or attempt.get("outcome") == "retry":
        return None
    return kind


def _is_of(kept: Any, error: str) -> bool:
    if not isinstance(kept, str):
        return False
    return kept == error or (kept.endswith("…") and error.startswith(kept[:-1]))
