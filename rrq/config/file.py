"""The configuration file: which one, what it holds, and on which line.

Imports little, for the command line reads it before it knows its commands.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from rrq.exc import ConfigError, ConfigNotFound

KeyPath = tuple[str | int, ...]
"""A key and the tables and lists around it, as in `("rrq", "cron_jobs", 0, "schedule")`."""


class ConfigFile(NamedTuple):
    """What a configuration file says; an empty one if there is no file.

    Attributes:
        path: the file, if there is one.
        reason: why this file: `--config`, `RRQ_CONFIG`, `./rrq.toml` or `no file`.
        table: RRQ's own keys.
        root: where they stand: `("rrq",)`, or `()` for the top level.
        outside: the top level keys beside `[rrq]`.
        lines: the line of each key, by its whole path.
    """

    path: Path | None
    reason: str
    table: dict[str, Any]
    root: tuple[str, ...]
    outside: tuple[str, ...]
    lines: dict[KeyPath, int]

    def place(self, path: KeyPath) -> str:
        """`rrq.toml:12`, the line of the key or of the nearest table around it."""
        whole: KeyPath = (*self.root, *path)
        while whole:
            if line := self.lines.get(whole):
                return f"{self.path}:{line}"
            whole = whole[:-1]
        return str(self.path)


def read_config_file(path: Path | None, reason: str) -> ConfigFile:
    """Read the file that `choose_config_file` chose.

    Raises:
        ConfigNotFound: it does not exist.
        ConfigError: it cannot be read or is not TOML.
    """
    if path is None:
        return ConfigFile(None, reason, {}, (), (), {})
    from rrq.config.lines import key_lines

    text = read_text(path, reason)
    document = parse_toml(text, path)
    lines = key_lines(text)
    if "rrq" not in document:
        return ConfigFile(path, reason, document, (), (), lines)
    table = document.pop("rrq")
    if not isinstance(table, dict):
        raise ConfigError(f"{path}:{lines.get(('rrq',), 1)}: 'rrq' must be a table: write [rrq]")
    return ConfigFile(path, reason, table, ("rrq",), tuple(document), lines)


def choose_config_file(
    config: str | os.PathLike[str] | None, rrq_config: str | None
) -> tuple[Path | None, str]:
    """The file to read and why: the given one, else `RRQ_CONFIG`, else `./rrq.toml` if it is
    there. A file that was named need not exist."""
    if config is not None:
        return _without_tilde(Path(config)), "--config"
    if rrq_config:
        return _without_tilde(Path(rrq_config)), "RRQ_CONFIG"
    if os.path.lexists("rrq.toml"):
        return Path("rrq.toml"), "./rrq.toml"
    return None, "no file"


def read_text(path: Path, reason: str) -> str:
    """The file's text, without a byte order mark.

    Raises:
        ConfigNotFound: it does not exist.
        ConfigError: it cannot be read or is not UTF-8.
    """
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigNotFound(f"{path}: there is no such configuration file ({reason})") from None
    except (OSError, ValueError) as error:
        # Windows says "permission denied" about a directory; Path.is_dir may raise.
        if os.path.isdir(path):  # noqa: PTH112
            raise ConfigError(f"{path} is a directory; name the file in it ({reason})") from None
        reading = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{path} cannot be read: {reading} ({reason})") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise ConfigError(f"{path} is UTF-16; save it as UTF-8") from None
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: not UTF-8; save the file as UTF-8") from None


def parse_toml(text: str, path: Path) -> dict[str, Any]:
    """The TOML document.

    Raises:
        ConfigError: with line and column.
    """
    import tomllib

    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{path}: tables or lists are nested too deeply") from None
    except ValueError as error:
        match = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", str(error), re.S)
        place, what = (f"{path}:{match[2]}:{match[3]}", match[1]) if match else (path, str(error))
        hint = "; text stands in quotes" if what == "Invalid value" else ""
        raise ConfigError(f"{place}: not valid TOML: {what}{hint}") from None


def _without_tilde(path: Path) -> Path:
    with suppress(RuntimeError):
        return path.expanduser()
    return path
