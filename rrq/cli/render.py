"""How every command speaks: tables and details on stdout, notes, errors and progress on stderr.

    table(["id", "function"], rows, json=as_json, empty="No jobs.")

On a terminal a table has columns that line up; in a pipe its cells are separated by tabs under
a line of names; `--json` prints a list of objects. What comes from jobs is always escaped.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, TextIO


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    title: str | None = None,
    json: bool = False,
    empty: str = "Nothing to show.",
) -> None:
    """Print rows under named columns.

    Args:
        columns: the headings; in JSON the keys, `failed at` as `failed_at`.
        rows: values of any kind; JSON keeps their kind.
        title: a line above, on a terminal only.
        json: print a JSON list of objects instead.
        empty: said, on stderr if stdout is a pipe, when there is no row.
    """
    if json:
        keys = [_key(column) for column in columns]
        print_json([dict(zip(keys, row, strict=True)) for row in rows])
        return
    if sys.stdout.isatty():
        everything = [[_cell(value) for value in row] for row in rows]
        if everything:
            _terminal_table(columns, everything, title)
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

    Text of several lines stays so on a terminal, and is escaped in a pipe.
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
    for name, value in items:
        lines = _cell(value, multiline=True).split("\n")
        print(f"{_styled(name.ljust(width), '2', sys.stdout)}  {lines[0]}")
        for line in lines[1:]:
            print(f"{' ' * width}  {line}")


def print_json(value: Any) -> None:
    """Print any value as JSON: times in ISO 8601, sets and tuples as lists."""
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


def ago(moment: datetime | None, now: datetime | None = None) -> str:
    """How long ago, or in what time, as in `3 m 20 s ago`; `-` for None. Naive means UTC."""
    if moment is None:
        return "-"
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    if abs(seconds) < 1:
        return "now"
    return f"{duration(seconds)} ago" if seconds > 0 else f"in {duration(-seconds)}"


def duration(seconds: float | None) -> str:
    """A length of time in at most two units, as in `350 ms`, `1.2 s` or `2 h 5 m`; `-` for None."""
    if seconds is None:
        return "-"
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, size, smaller, part in _UNITS:
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


_UNITS = (("d", 86_400, "h", 3_600), ("h", 3_600, "m", 60), ("m", 60, "s", 1))

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
        return value.isoformat()
    if isinstance(value, dict | list | tuple):
        import json

        return printable(json.dumps(value, ensure_ascii=False, default=_plain))
    return printable(str(value), multiline=multiline)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def _terminal_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], title: str | None
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(
        title=title,
        title_justify="left",
        title_style="",
        box=None,
        padding=(0, 2, 0, 0),
        pad_edge=False,
        header_style="bold" if _may_style(sys.stdout) else "",
    )
    for index, column in enumerate(columns):
        numeric = all(_NUMBER.fullmatch(row[index]) for row in rows)
        # Folded, never cut: people copy ids from here.
        shown.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        # As Text, so that brackets in job data are not read as markup.
        shown.add_row(*(Text(cell) for cell in row))
    Console(highlight=False).print(shown)


_NUMBER = re.compile(r"-|-?[0-9][0-9.,e+-]*")


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
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not plain
