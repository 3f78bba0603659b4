"""From values that are not a configuration to sentences that say where, what and why."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from rrq.config.file import KeyPath
from rrq.dsn import ACCEPTED_FORMS, dsn_problem, mask_dsn
from rrq.settings import CronJob, PluginsConfig, RRQSettings
from rrq.suggestion import did_you_mean

SCALAR_KEYS = tuple(
    name
    for name, field in RRQSettings.model_fields.items()
    if field.annotation in (str, int, float, str | None)
)
"""The keys that hold a single value, and so may come from the environment."""

KNOWN_KEYS = (*RRQSettings.model_fields, "routing")
"""What may stand in `[rrq]`."""


class Problem(NamedTuple):
    """What is wrong with the value at `path`, or with `path` itself.

    Attributes:
        path: without the root; `routing` is called `executor_routes`.
        text: goes on from the name of the key, unless `whole`.
        whole: the text is a sentence of its own.
    """

    path: KeyPath
    text: str
    whole: bool = False


def validate(
    values: dict[str, Any], root: KeyPath, name: Callable[[KeyPath], str]
) -> tuple[RRQSettings | None, list[Problem]]:
    """The settings that the values make, or what is wrong with them, worst first.

    Args:
        values: by key; text from the environment among them.
        root: where the keys stand, `("rrq",)` or `()`.
        name: how a path is called in a message.
    """
    problems = [
        problem for key in SCALAR_KEYS if key in values for problem in _odd_number(key, values[key])
    ]
    problems += _plugin_tables(values.get("plugins"))
    settings = None
    try:
        settings = RRQSettings.model_validate(values)
    except ValidationError as error:
        for found in error.errors(include_url=False, include_context=True):
            problems.append(_problem(dict(found), values, root, name))
    dsn = settings.redis_dsn if settings is not None else values.get("redis_dsn")
    if isinstance(dsn, str) and (reason := dsn_problem(dsn)):
        shown = mask_dsn(dsn)
        problems.append(
            Problem(("redis_dsn",), f"is '{shown}': {reason}.\nAccepted are {ACCEPTED_FORMS}.")
        )
    # A misspelt key is often the reason why another one is missing.
    problems.sort(key=lambda problem: not problem.whole)
    # Of one value, what was found first says most.
    by_path = {problem.path: problem for problem in reversed(problems)}
    told = [problem for problem in problems if by_path[problem.path] is problem]
    return (None if told else settings), told


def dotted(path: KeyPath) -> str:
    """The path as TOML writes it, with indexes: `cron_jobs[0].schedule`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            bare = re.fullmatch(r"[A-Za-z0-9_-]+", part)
            text += ("." if text else "") + (part if bare else '"' + part.replace('"', '\\"') + '"')
    return text


def _problem(
    found: dict[str, Any], values: dict[str, Any], root: KeyPath, name: Callable[[KeyPath], str]
) -> Problem:
    path: KeyPath = found["loc"]
    if found["type"] == "extra_forbidden":
        return Problem(path, _unknown_key(path, values, root, name), whole=True)
    if found["type"] == "missing":
        return Problem(path, "is missing")
    return Problem(path, f"is {shown(path, found['input'])}, expected {_expected(path, found)}")


def _unknown_key(
    path: KeyPath, values: dict[str, Any], root: KeyPath, name: Callable[[KeyPath], str]
) -> str:
    text = f"unknown key '{name(path)}'."
    key = str(path[-1]).lower().replace("-", "_")
    if len(path) > 1:
        known = tuple(CronJob.model_fields)
        return text + (did_you_mean(key, known) or f" Known are {', '.join(known)}.")
    if key == "routing" and "executor_routes" in values:
        return "'routing' and 'executor_routes' are the same key; keep one of them"
    return text + ((not root and did_you_mean(key, ["rrq"])) or did_you_mean(key, KNOWN_KEYS))


def _odd_number(key: str, value: Any) -> list[Problem]:
    """What pydantic would take for a number, but nobody means: true, and infinity."""
    field = RRQSettings.model_fields[key]
    if field.annotation not in (int, float):
        return []
    if isinstance(value, bool):
        return [Problem((key,), f"is {shown((key,), value)}, expected {_scalar(field)}")]
    try:
        finite = math.isfinite(float(value))
    except (TypeError, ValueError, OverflowError):
        return []
    return [] if finite else [Problem((key,), f"is {value}, expected {_scalar(field)}")]


def _plugin_tables(plugins: Any) -> list[Problem]:
    """Keys of `[rrq.plugins]` that are neither ours nor a plugin's table."""
    if not isinstance(plugins, dict):
        return []
    known = tuple(PluginsConfig.model_fields)
    return [
        Problem(
            ("plugins", key),
            f"is {shown(('plugins', key), value)}, expected a plugin's table."
            + did_you_mean(key, known),
        )
        for key, value in plugins.items()
        if key not in known and not isinstance(value, dict)
    ]


_BY_KIND = {
    "string_type": "a string",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
}


def _expected(path: KeyPath, found: dict[str, Any]) -> str:
    if path == ("cron_jobs",):
        return "an array of tables: write [[rrq.cron_jobs]]"
    field = RRQSettings.model_fields.get(str(path[0])) if len(path) == 1 else None
    if field is not None and path[0] in SCALAR_KEYS:
        return _scalar(field)
    if found["type"] == "literal_error":
        return str(found["ctx"]["expected"])
    return _BY_KIND.get(found["type"], str(found["msg"]).removeprefix("Input should be "))


def _scalar(field: FieldInfo) -> str:
    """What a scalar key holds, with its range: `a whole number of at least 1`."""
    kind = "a string"
    if field.annotation is int:
        kind = "a whole number"
    elif field.annotation is float:
        kind = "a number"
    bounds = {
        bound: getattr(rule, bound)
        for rule in field.metadata
        for bound in ("ge", "gt", "le", "min_length")
        if getattr(rule, bound, None) is not None
    }
    if "ge" in bounds and "le" in bounds:
        return f"{kind} from {bounds['ge']} to {bounds['le']}"
    if "ge" in bounds:
        return f"{kind} of at least {bounds['ge']}"
    if "gt" in bounds:
        return f"{kind} greater than {bounds['gt']}"
    return f"{kind} that is not empty" if "min_length" in bounds else kind


def shown(path: KeyPath, value: Any) -> str:
    """The value as people wrote it, short, and without what nobody may read."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = mask_secrets(path, value)
        return repr(text if len(text) <= 60 else text[:57] + "...")
    if isinstance(value, int | float):
        return str(value) if abs(value) < 10**20 or value != value else "a very large number"
    if isinstance(value, dict | BaseModel):
        return "a table"
    return "a list" if isinstance(value, list) else f"a {type(value).__name__}"


_SECRET_NAME = re.compile(
    r"password|passwd|secret|token|api_?key|access_?key|private_?key|credential|authorization"
    r"|headers|dsn$",
    re.I,
)


def mask_secrets(path: KeyPath, value: Any) -> Any:
    """The value with `***` for passwords in addresses, and for text under a key like `token`."""
    if isinstance(value, list):
        return [mask_secrets(path, member) for member in value]
    if isinstance(value, dict):
        return {key: mask_secrets((*path, key), member) for key, member in value.items()}
    if not isinstance(value, str):
        return value
    if path[:1] == ("redis_dsn",) or ("://" in value and "@" in value):
        return mask_dsn(value)
    # The first two parts are a table of ours and the name that somebody gave.
    if value and any(_SECRET_NAME.search(str(part)) for part in path[2:]):
        return "***"
    return value
