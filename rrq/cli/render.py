"""How every command speaks: tables and details on stdout, notes, errors and progress on stderr.

    table(["id", "function"], rows, json=as_json, empty="No jobs.")

On a terminal a table has columns that line up and fit, and a time says how long ago it was; in a
pipe cells are separated by tabs under a line of names, whole, and times are in UTC; `--json`
prints a list of objects. What comes from jobs is always escaped.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

from rrq.cli.clock import ago, by_the_clock, duration, iso, roughly_ago, time_or_text, when

if TYPE_CHECKING:
    from rrq.cli.layout import Column


__all__ = [
    "ago",
    "details",
    "duration",
    "error",
    "note",
    "print_json",
    "printable",
    "progress",
    "table",
    "time_or_text",
    "truncate_nothing",
    "warning",
    "when",
]


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    title: str | None = None,
    json: bool = False,
    empty: str = "Nothing to show.",
    whole: Sequence[str] = (),
) -> None:
    """Print rows under named columns.

    Args:
        columns: the headings; in JSON the keys, `failed at` as `failed_at`.
        rows: values of any kind; JSON keeps their kind.
        title: a line above, on a terminal only.
        json: print a JSON list of objects instead.
        empty: said, on stderr if stdout is a pipe, when there is no row.
        whole: columns that are never cut, as ids are not: they stand beneath if there is no room.
    """
    if json:
        keys = [_key(column) for column in columns]
        print_json([dict(zip(keys, row, strict=True)) for row in rows])
        return
    if sys.stdout.isatty():
        everything = [list(row) for row in rows]
        if everything:
            _terminal_table(columns, everything, title, whole)
        else:
            print(empty)
        return
    print("\t".join(columns))
    row = None
    for row in rows:
        print("\t".join(_cell(value) for value in row))
    if row is None:
        note(empty)


def details(
    pairs: Mapping[str, Any] | Iterable[tuple[str, Any]],
    json: bool = False,
    *,
    title: str | None = None,
) -> None:
    """Print what is known of one thing, a name and a value a line, or as one JSON object.

    Text of several lines stays so on a terminal, where a long one ends after `DETAILS_LINES`,
    and is escaped in a pipe.
    """
    items = list(pairs.items() if isinstance(pairs, Mapping) else pairs)
    if json:
        print_json({_key(name): value for name, value in items})
        return
    if not sys.stdout.isatty():
        for name, value in items:
            print(f"{name}\t{_cell(value)}")
        return
    if title:
        print(_styled(title, "1", sys.stdout))
    width = max((len(name) for name, _ in items), default=0)
    room = max(20, _terminal_width() - width - 2)
    for name, value in items:
        first, *others = _details_lines(value, room)
        print(f"{_styled(name.ljust(width), '2', sys.stdout)}  {_coloured(name, first)}")
        for line in others:
            print(f"{' ' * width}  {line}")


def truncate_nothing() -> None:
    """What `--no-truncate` means for the rest of this process."""
    global _truncates
    _truncates = False


def print_json(value: Any) -> None:
    """Print any value as JSON: times in ISO 8601 and UTC, sets and tuples as lists."""
    import json

    text = json.dumps(value, indent=2, ensure_ascii=False, default=_plain)
    # JSON itself escapes C0 only; a terminal obeys C1 as well.
    print(_CONTROL.sub(lambda found: _json_escaped(found[0]), text))


def error(message: str) -> None:
    """Say on stderr what went wrong."""
    _say("error:", "1;31", message)


def warning(message: str) -> None:
    """Say on stderr what is probably not meant."""
    _say("warning:", "33", message)


def note(message: str) -> None:
    """Say something on stderr that is not part of the answer."""
    _tell(printable(message, multiline=True))


@contextmanager
def progress(total: int | None, description: str) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how far a long action is; nothing in a pipe.

    Args:
        total: how many steps there are, if it is known.
        description: what is being done.

    Yields:
        A function to call with the number of steps just done.
    """
    if not sys.stderr.isatty():
        yield lambda steps: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(printable(description).replace("[", r"\["), total=total)
        yield lambda steps: bar.advance(task, steps)


def printable(text: str, *, multiline: bool = False) -> str:
    """The text with control characters escaped, so that job data cannot move the cursor, change
    the title or turn the direction of the text. With `multiline`, line feeds stay."""
    return _CONTROL.sub(
        lambda found: "\n" if multiline and found[0] == "\n" else _escaped(found[0]), text
    )


DETAILS_LINES = 12
"""On a terminal a value among details is cut after so many lines, unless nothing is cut."""

_truncates = True

# C0, DEL, C1, line and paragraph separators, changes of direction, lone surrogates.
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def _escaped(character: str) -> str:
    return repr(character)[1:-1]


def _json_escaped(character: str) -> str:
    # The line feeds of a JSON text stand between its values; those inside are escaped already.
    return character if character == "\n" else f"\\u{ord(character):04x}"


def _key(column: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", column.lower()).strip("_")


def _cell(value: Any, *, multiline: bool = False) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, dict | list | tuple):
        import json

        return printable(json.dumps(value, ensure_ascii=False, default=_plain))
    return printable(str(value), multiline=multiline)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def _terminal_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    title: str | None,
    whole: Sequence[str],
) -> None:
    from rrq.cli import layout

    fitted = layout.fitted(
        [
            _column(heading, [row[index] for row in rows], heading in whole)
            for index, heading in enumerate(columns)
        ],
        _terminal_width(),
        cuts=_truncates,
    )
    out = sys.stdout
    if title:
        print(title)
    for line in fitted.headings():
        print(_styled((" " * layout.GAP).join(line).rstrip(), "1", out))
    rule = "─" if layout.can_print("─") else "-"
    print(_styled((" " * layout.GAP).join(rule * one.width for one in fitted.columns), "2", out))
    for row in fitted.rows():
        cells = [
            _coloured(column.heading, cell)
            for column, cell in zip(fitted.columns, row.cells, strict=True)
        ]
        print((" " * layout.GAP).join(cells).rstrip())
        for items in row.beneath:
            shown = [f"{_styled(name, '2', out)} {_coloured(name, text)}" for name, text in items]
            print(" " * layout.INDENT + (" " * layout.GAP).join(shown))


def _column(heading: str, values: Sequence[Any], is_whole: bool) -> Column:
    from rrq.cli.layout import NOTHING, Column

    now = datetime.now(UTC)
    cells = [when(one, now) if isinstance(one, datetime) else _cell(one) for one in values]
    short = _times(values, cells, lambda one: roughly_ago(one, now))
    clock = _times(values, cells, lambda one: by_the_clock(one, now))
    if len(short) > 1 and len(set(short)) == 1 and max(map(len, clock)) <= len("00:00:00"):
        # Where all are as old as each other, that says nothing.
        short = clock
    # People copy ids from here.
    is_id = heading.split()[-1:] == ["id"]
    numbers = [bool(_NUMBER.fullmatch(cell)) for cell in cells if cell != NOTHING]
    is_number = bool(numbers) and not is_id and all(numbers)
    return Column(heading, cells, short, is_number=is_number, is_whole=is_id or is_whole)


def _times(
    values: Sequence[Any], cells: Sequence[str], told: Callable[[datetime], str]
) -> list[str]:
    """The cells, with every time told in this way."""
    return [
        told(value) if isinstance(value, datetime) else cell
        for value, cell in zip(values, cells, strict=True)
    ]


def _details_lines(value: Any, width: int) -> list[str]:
    """What a terminal shows of one value among details; it folds what is wider than this."""
    text = when(value) if isinstance(value, datetime) else _cell(value, multiline=True)
    if not _truncates:
        return text.split("\n")
    from rrq.cli.layout import cut, ellipsis, width_of

    lines: list[str] = []
    room = width * DETAILS_LINES
    for line in text.split("\n"):
        # What cannot be seen anyway need not be measured.
        lines.append(cut(line[: room + 1], room))
        room -= max(1, -(-width_of(lines[-1]) // width)) * width
        if room <= 0:
            break
    if len("\n".join(lines)) < len(text) or lines[-1].endswith(ellipsis()):
        lines.append(f"({ellipsis()} --no-truncate shows all of it)")
    return lines


def _terminal_width() -> int:
    import shutil

    return shutil.get_terminal_size().columns


def _coloured(name: str, text: str) -> str:
    """The text in the colour of the state that it names, if this is where states stand."""
    style = _STATES.get(text.strip().lower()) if name in _STATE_NAMES else None
    return _styled(text, style, sys.stdout) if style else text


_STATE_NAMES = {"status", "outcome", "event", "state"}
_STATES = {
    **dict.fromkeys(("completed", "success", "active", "ok", "running"), "32"),
    **dict.fromkeys(("retrying", "retry", "retried", "warning", "disabled", "paused"), "33"),
    **dict.fromkeys(("failed", "error", "timeout", "dead-lettered", "lost", "stuck"), "31"),
}

_NUMBER = re.compile(r"-?[0-9][0-9.,e+-]*")


def _say(label: str, style: str, message: str) -> None:
    text = printable(message, multiline=True)
    _tell(f"{_styled(label, style, sys.stderr)} {text}")


def _tell(text: str) -> None:
    # A full disk behind stderr is no reason to end: there is nobody left to tell.
    with suppress(OSError):
        print(text, file=sys.stderr)


def _styled(text: str, style: str, stream: TextIO) -> str:
    return f"\x1b[{style}m{text}\x1b[0m" if _may_style(stream) else text


def _may_style(stream: TextIO) -> bool:
    """NO_COLOR is stronger than FORCE_COLOR, which is for what takes colours but is no terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"
