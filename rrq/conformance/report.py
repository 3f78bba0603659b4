"""`Report`: what a check found, point by point, with the lines that show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["holds", "absent", "wrong"]
"""`absent` is what is optional and not there, or could not be tried."""

LINES_KEPT = 40


@dataclass(frozen=True, slots=True)
class Line:
    """One line of what was exchanged.

    Attributes:
        source: who wrote it, such as `check`, `executor`, `stderr` or `redis`.
        text: the line, cut where it is long, with control characters escaped.
    """

    source: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One thing that was checked.

    Attributes:
        name: what should hold.
        status: whether it does.
        note: what is wrong or absent, or what was seen.
        lines: the last lines that were exchanged meanwhile.
        seconds: how long it took.
    """

    name: str
    status: Status
    note: str = ""
    lines: tuple[Line, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a check of one program found.

    Attributes:
        command: the program and its arguments.
        points: everything that was checked, in order.
    """

    command: Sequence[str]
    points: Sequence[Point]

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong."""
        return not any(point.status == "wrong" for point in self.points)

    def count(self, status: Status) -> int:
        """How many points have this status."""
        return sum(point.status == status for point in self.points)

    def as_json(self) -> dict[str, Any]:
        """The report as JSON values: `docs/reference/schemas/cli/executor-check.json`."""
        return {
            "command": list(self.command),
            "ok": self.is_good,
            "counts": {name: self.count(name) for name in ("holds", "absent", "wrong")},
            "points": [
                {
                    "name": point.name,
                    "status": point.status,
                    "note": point.note,
                    "seconds": round(point.seconds, 3),
                    "lines": [{"from": line.source, "text": line.text} for line in point.lines],
                }
                for point in self.points
            ],
        }


def shown(line: bytes | str, limit: int = 200) -> str:
    """The beginning of a line for people, control characters escaped, with its size if it is
    cut."""
    start = line[: 4 * limit]
    text = start if isinstance(start, str) else start.decode(errors="backslashreplace")
    is_whole = len(start) == len(line) and len(text) <= limit
    escaped = "".join(
        character
        if character.isprintable()
        else character.encode("unicode_escape", "backslashreplace").decode()
        for character in text[:limit]
    )
    unit = "characters" if isinstance(line, str) else "bytes"
    return escaped if is_whole else f"{escaped}… ({len(line)} {unit})"
