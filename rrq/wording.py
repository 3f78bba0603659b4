"""How messages put numbers and foreign texts into words."""

from __future__ import annotations


def counted(count: int, one: str, many: str | None = None) -> str:
    """A number and what it counts, as in `1 job`, `2,000 jobs`.

    Args:
        one: the noun or the verb that goes with a single thing: `job`, `entry`, `is`.
        many: that for any other number, if it is not `one` with an s.
    """
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def sentence(text: str) -> str:
    """Ended as a sentence is."""
    return text if text.endswith((".", "…", "!", "?")) else f"{text}."


def told_error(error: str | None, error_type: str | None) -> str | None:
    """An error as people know it: with the exception's type before its text, which alone may say
    little, as in `KeyError: 'id'`."""
    if not error or not error_type or error.startswith(error_type):
        return error
    return f"{error_type}: {error}"
