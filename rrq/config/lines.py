"""On which line of a TOML file each key stands, which tomllib does not tell.

A valid document is read statement by statement: lines are joined until tomllib takes them.
"""

from __future__ import annotations

import tomllib
from typing import Any

from rrq.config.file import KeyPath

_LONGEST_STATEMENT_LINES = 200


def key_lines(text: str) -> dict[KeyPath, int]:
    """The line of every key of a valid document, by its whole path, from 1.

    Keys after a statement of more than 200 lines are left out: joining would take too long.
    """
    finder = _Finder()
    statement: list[str] = []
    first = 1
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if not statement:
            first = number
        statement.append(line)
        try:
            parsed = tomllib.loads("\n".join(statement))
        except ValueError:
            if len(statement) > _LONGEST_STATEMENT_LINES:
                break
            continue
        finder.take(statement[0].lstrip(), parsed, first)
        statement = []
    return finder.lines


class _Finder:
    def __init__(self) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._table: KeyPath = ()
        self._last_of_array: dict[KeyPath, int] = {}

    def take(self, first_line: str, parsed: dict[str, Any], line: int) -> None:
        """Note one statement: a table header, or a key with its value."""
        if first_line.startswith("["):
            self._table = self._open(_only_path(parsed), first_line.startswith("[["), line)
        else:
            self._note(self._table, parsed, line)

    def _open(self, names: list[str], is_array: bool, line: int) -> KeyPath:
        table: KeyPath = ()
        for name in names[:-1]:
            table = self._inside((*table, name), line)
        table = (*table, names[-1])
        if not is_array:
            return self._inside(table, line)
        self.lines.setdefault(table, line)
        self._last_of_array[table] = self._last_of_array.get(table, -1) + 1
        return self._inside(table, line)

    def _inside(self, table: KeyPath, line: int) -> KeyPath:
        """The table, or the last table of the array that has this name."""
        self.lines.setdefault(table, line)
        if table in self._last_of_array:
            table = (*table, self._last_of_array[table])
            self.lines.setdefault(table, line)
        return table

    def _note(self, table: KeyPath, value: Any, line: int) -> None:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, member in items:
            path = (*table, key)
            self.lines.setdefault(path, line)
            if isinstance(member, dict | list):
                self._note(path, member, line)


def _only_path(parsed: dict[str, Any]) -> list[str]:
    """The names in a header, from the nested tables that it parses to."""
    names = []
    table: Any = parsed
    while table:
        if isinstance(table, list):
            table = table[0]
        else:
            (name,) = table
            names.append(name)
            table = table[name]
    return names
