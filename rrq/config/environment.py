"""What the environment says about RRQ: its `RRQ_*` variables, `.env` included.

Imports little, for the command line reads it before it knows its commands.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

RESERVED_VARIABLES = (
    "RRQ_CONFIG",
    "RRQ_EXECUTOR_SETTINGS",
    "RRQ_EXECUTOR_CONFIG",
    "RRQ_TRACE_HOOKS",
    "RRQ_DISABLED_PLUGINS",
    "RRQ_EXECUTOR_NAME",
    "RRQ_WORKER_ID",
    "RRQ_PROTOCOL_FEATURES",
)
"""Variables with a meaning of their own, which stand for no key."""

_OTHER_NAMES = {
    "REDIS_URL": "REDIS_DSN",
    "REDIS_URI": "REDIS_DSN",
    "REDIS": "REDIS_DSN",
    "DSN": "REDIS_DSN",
    "CONCURRENCY": "WORKER_CONCURRENCY",
    "CONFIG_FILE": "CONFIG",
    "CONFIG_PATH": "CONFIG",
    "TZ": "TIMEZONE",
}


class Environment(NamedTuple):
    """The `RRQ_*` variables that hold something.

    Attributes:
        values: by name, without surrounding blanks. The real environment wins over `.env`, and
            a variable that it sets to nothing is not set.
        from_dotenv: the names whose value comes from `.env`.
        warnings: what stands in the way of reading `.env`.
    """

    values: dict[str, str]
    from_dotenv: frozenset[str]
    warnings: list[str]

    def origin(self, variable: str) -> str:
        """How a value that comes from this variable names its origin."""
        return f"{variable} (.env)" if variable in self.from_dotenv else variable


def read_environment() -> Environment:
    """The environment of this moment; changes nothing in it."""
    real = _ours(os.environ)
    warnings: list[str] = []
    dotenv = {
        name: value for name, value in _read_dotenv(real, warnings).items() if name not in real
    }
    merged = {name: value.strip() for name, value in {**dotenv, **real}.items()}
    return Environment(
        {name: value for name, value in merged.items() if value}, frozenset(dotenv), warnings
    )


def disabled_by_environment(environment: Environment) -> list[str]:
    """The names in `RRQ_DISABLED_PLUGINS`."""
    names = environment.values.get("RRQ_DISABLED_PLUGINS", "").split(",")
    return [name.strip() for name in names if name.strip()]


def unknown_variable_warnings(
    environment: Environment, scalar_keys: Collection[str], table_keys: Collection[str]
) -> list[str]:
    """One warning for each variable that looks like a misspelt one of ours."""
    from difflib import get_close_matches

    known = {f"RRQ_{key.upper()}" for key in scalar_keys} | set(RESERVED_VARIABLES)
    bare = [name.removeprefix("RRQ_") for name in sorted(known)]
    warnings = []
    for variable in sorted(environment.values.keys() - known):
        name = variable.removeprefix("RRQ_")
        if name.lower() in table_keys:
            warnings.append(f"{variable} has no effect: {name.lower()!r} is set in the file only")
            continue
        near = _OTHER_NAMES.get(name) or next(iter(get_close_matches(name, bare, 1, 0.8)), None)
        if near:
            warnings.append(
                f"{environment.origin(variable)} is unknown; did you mean 'RRQ_{near}'?"
            )
    return warnings


def _ours(variables: Mapping[str, str | None]) -> dict[str, str]:
    return {
        name: value
        for name, value in variables.items()
        if name.startswith("RRQ_") and value is not None
    }


def _read_dotenv(real: Collection[str], warnings: list[str]) -> dict[str, str]:
    """The `RRQ_*` variables in `./.env`, if there is one and python-dotenv is installed."""
    if not os.path.isfile(".env"):  # noqa: PTH113 - unlike Path.is_file, it never raises
        return {}
    try:
        with open(".env", encoding="utf-8-sig") as file:  # noqa: PTH123
            text = file.read()
    except (OSError, ValueError) as error:
        warnings.append(f".env cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}")
        return {}
    names = re.findall(r"^\s*(?:export\s+)?(RRQ_\w+)\s*=", text, re.M)
    if all(name in real for name in names):
        return {}
    from importlib import import_module
    from io import StringIO

    try:
        dotenv = import_module("dotenv")
    except ImportError:
        warnings.append(
            f".env sets {names[0]}, but is not read: python-dotenv is not installed"
            if len(names) == 1
            else f".env sets {len(names)} RRQ_* variables, but is not read: "
            "python-dotenv is not installed"
        )
        return {}
    return _ours(dotenv.dotenv_values(stream=StringIO(text)))
