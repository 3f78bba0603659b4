"""Why a process ended, in words for logs and for the record of its jobs."""

from __future__ import annotations

import signal

_EXCERPT_CHARACTERS = 200


def exit_reason(returncode: int) -> str:
    """What the operating system says of an ended process, as Python's `returncode` has it."""
    if returncode >= 0:
        return f"exited with status {returncode}"
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = str(-returncode)
    # Ours are told otherwise: this one came from outside.
    hint = " (out of memory, or by hand)" if name == "SIGKILL" else ""
    return f"was killed by signal {name}{hint}"


def excerpt(line: bytes) -> str:
    """The first 200 characters of what a process printed, control characters escaped."""
    # A character has at most four bytes.
    start = line[: _EXCERPT_CHARACTERS * 4].decode(errors="backslashreplace")
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in start[:_EXCERPT_CHARACTERS]
    )
