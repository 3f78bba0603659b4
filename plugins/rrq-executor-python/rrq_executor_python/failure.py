"""What is told about a failed handler: its message for the job, its traceback for the log.

Both are bounded and always printable, whatever the exception holds.
"""

from __future__ import annotations

import contextlib
import sys
from traceback import format_exception
from types import TracebackType

MESSAGE_LIMIT_BYTES = 8 * 1024
TRACEBACK_LIMIT_BYTES = 8 * 1024
TRACEBACK_LIMIT_FRAMES = 30

UNHANDLED = "Unhandled handler error"


def error_message(error: BaseException, if_empty: str = UNHANDLED) -> str:
    """The exception's text, or `if_empty` when it has none."""
    try:
        text = str(error)
    except Exception as own_error:
        text = f"(the text of this {type(error).__name__} raised {type(own_error).__name__})"
    return printable(text, MESSAGE_LIMIT_BYTES) or if_empty


def headline(error: BaseException) -> str:
    """The exception's type and the first line of its text."""
    first_line = error_message(error, if_empty="(no text)").strip().partition("\n")[0]
    return f"{type(error).__name__}: {first_line}"


def log_failure(summary: str, error: BaseException, own_files: frozenset[str]) -> None:
    """Write a line and the exception's traceback to stderr.

    Args:
        own_files: source files whose frames at the top of the traceback are left out.
    """
    log_line(f"{summary}\n{traceback_text(error, own_files)}")


def log_line(text: str) -> None:
    """Write a line to stderr; a broken stderr is nobody's error."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"{text.rstrip()}\n")
        sys.stderr.flush()


def traceback_text(error: BaseException, own_files: frozenset[str]) -> str:
    """The exception's traceback without our own frames, its innermost part if it is long."""
    try:
        lines = format_exception(
            type(error),
            error,
            without_own_frames(error.__traceback__, own_files),
            limit=-TRACEBACK_LIMIT_FRAMES,
        )
    except Exception as own_error:
        return f"{type(error).__name__} (no traceback: {type(own_error).__name__})"
    text = "".join(lines)
    if len(text) > TRACEBACK_LIMIT_BYTES:
        text = f"[the beginning is cut off]\n… {text[-TRACEBACK_LIMIT_BYTES:]}"
    return printable(text, 2 * TRACEBACK_LIMIT_BYTES)


def without_own_frames(
    traceback: TracebackType | None, own_files: frozenset[str]
) -> TracebackType | None:
    """The traceback from the first frame on that is not in `own_files`."""
    while traceback is not None and traceback.tb_frame.f_code.co_filename in own_files:
        traceback = traceback.tb_next
    return traceback


def printable(text: str, limit_bytes: int) -> str:
    """The text as valid UTF-8 of at most `limit_bytes` and a note on what is left out."""
    encoded = text[: limit_bytes + 1].encode("utf-8", "backslashreplace")
    if len(encoded) <= limit_bytes and len(text) <= limit_bytes:
        return encoded.decode()
    kept = encoded[:limit_bytes].decode("utf-8", "ignore")
    return f"{kept}… (cut off; the text has {len(text)} characters)"
