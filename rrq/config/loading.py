"""Puts the sources of the settings together: file, environment, `.env`, command line.

Mistakes are a `ConfigError` with a line or two for each, which name the file, the line and the
key, or the variable. `docs/reference/configuration.md` has all keys.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rrq.config.environment import (
    Environment,
    disabled_by_environment,
    read_environment,
    unknown_variable_warnings,
)
from rrq.config.file import ConfigFile, KeyPath, choose_config_file, read_config_file
from rrq.config.problems import (
    KNOWN_KEYS,
    SCALAR_KEYS,
    Problem,
    dotted,
    mask_secrets,
    validate,
)
from rrq.exc import ConfigError, ConfigNotFound
from rrq.settings import RRQSettings
from rrq.suggestion import did_you_mean

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings, and where they come from.

    Attributes:
        settings: the settings.
        path: the file that was read, if any.
        reason: why this file: `--config`, `RRQ_CONFIG`, `./rrq.toml` or `no file`.
        origins: for each value, by its dotted key, where it comes from: `rrq.toml:12`,
            `RRQ_REDIS_DSN`, `RRQ_REDIS_DSN (.env)`, `--redis-dsn` or `default`.
        warnings: what is probably not meant, one line each.
    """

    settings: RRQSettings
    path: Path | None
    reason: str
    origins: dict[str, str]
    warnings: list[str]


def load_toml_settings(path: str | Path | None = None) -> RRQSettings:
    """The settings of a file, with the overrides of the environment; warnings are logged.

    Args:
        path: the file; `None` takes the one that `RRQ_CONFIG` names, else `./rrq.toml`.

    Raises:
        ConfigNotFound: there is no file (a `FileNotFoundError`).
        ConfigError: the file or a variable cannot be used (a `ValueError`).
    """
    loaded = load_settings(path, require_file=True)
    for warning in loaded.warnings:
        logger.warning("%s", warning)
    return loaded.settings


def load_settings(
    config: str | Path | None = None,
    *,
    redis_dsn: str | None = None,
    require_file: bool = False,
) -> LoadedSettings:
    """The settings for a command, which may go without a file.

    Args:
        config: what `--config` says.
        redis_dsn: what `--redis-dsn` says; wins over everything.
        require_file: whether it is an error that there is no file.

    Raises:
        ConfigNotFound: the named file is not there, or none is and `require_file` says so.
        ConfigError: the file, a variable or the given DSN cannot be used.
    """
    environment = read_environment()
    path, reason = choose_config_file(config, environment.values.get("RRQ_CONFIG"))
    if path is None and require_file:
        raise ConfigNotFound(
            "No configuration file: there is no rrq.toml in the current directory.\n"
            "Make one with `rrq init`, name one with --config, or set RRQ_CONFIG."
        )
    sources = _Sources(read_config_file(path, reason), environment, redis_dsn)
    settings, problems = validate(sources.values(), sources.file.root, sources.name)
    if settings is None:
        raise ConfigError.of([sources.message(problem) for problem in problems])
    return LoadedSettings(
        settings,
        path,
        reason,
        {dotted(key): sources.origin(key) for key, _ in _leaves((), settings.model_dump())},
        [
            *sources.misplaced_key_warnings(),
            *environment.warnings,
            *unknown_variable_warnings(environment, SCALAR_KEYS, KNOWN_KEYS),
        ],
    )


def effective_configuration(loaded: LoadedSettings) -> list[tuple[str, Any, str]]:
    """Every value as (dotted key, value, origin), with secrets masked.

    Masked are passwords in addresses, wherever they stand, and the text of keys in executors',
    plugins' and cron jobs' tables whose name says that it is secret, such as `api_key`.
    """
    return [
        (dotted(key), mask_secrets(key, value), loaded.origins.get(dotted(key), "default"))
        for key, value in _leaves((), loaded.settings.model_dump())
    ]


def check_references(settings: RRQSettings) -> list[str]:
    """One line for each executor that is named but not configured; empty if all is well."""
    known = tuple(settings.executors)
    if not known:
        return [
            "No executor is configured: a worker needs at least "
            f"[rrq.executors.{settings.default_executor_name}]."
        ]
    wanted = [("'default_executor_name'", settings.default_executor_name)]
    wanted += [
        (f"the route of queue '{queue}'", executor)
        for queue, executor in settings.executor_routes.items()
    ]
    return [
        f"There is no executor '{executor}', which {place} names; "
        f"configured are {', '.join(known)}.{did_you_mean(executor, known)}"
        for place, executor in wanted
        if executor not in settings.executors
    ]


class _Sources:
    """All places that say something, and which of them has the last word on a key."""

    def __init__(self, file: ConfigFile, environment: Environment, redis_dsn: str | None) -> None:
        self.file = file
        self._environment = environment
        self._redis_dsn = redis_dsn
        self._disabled = disabled_by_environment(environment)
        self._routes_key = "executor_routes" if "executor_routes" in file.table else "routing"

    def values(self) -> dict[str, Any]:
        """What to validate: the file's keys with all overrides."""
        values = dict(self.file.table)
        if self._routes_key == "routing" and "routing" in values:
            values["executor_routes"] = values.pop("routing")
        for key in SCALAR_KEYS:
            if (text := self._environment.values.get(_variable(key))) is not None:
                values[key] = text
        if self._redis_dsn is not None:
            values["redis_dsn"] = self._redis_dsn
        if self._disabled:
            plugins = values.get("plugins", {})
            disabled = plugins.get("disabled", []) if isinstance(plugins, dict) else None
            if isinstance(disabled, list):
                added = [name for name in self._disabled if name not in disabled]
                values["plugins"] = {**plugins, "disabled": [*disabled, *added]}
        return values

    def origin(self, key: KeyPath) -> str:
        """Where the value of a key comes from."""
        if override := self._override(key):
            return override
        places = [self.file.place(self._in_file(key))] if self._stands_in_file(key) else []
        if key == ("plugins", "disabled") and self._disabled:
            places.append(self._environment.origin("RRQ_DISABLED_PLUGINS"))
        return " and ".join(places) or "default"

    def name(self, key: KeyPath) -> str:
        """What a key is called in a message: `rrq.cron_jobs[0].schedule`."""
        return dotted((*self.file.root, *self._in_file(key)))

    def message(self, problem: Problem) -> str:
        """A problem, with its place."""
        place = self.file.place(self._in_file(problem.path))
        if problem.whole:
            return f"{place}: {problem.text}"
        if override := self._override(problem.path):
            return f"{override} {problem.text}"
        return f"{place}: '{self.name(problem.path)}' {problem.text}"

    def misplaced_key_warnings(self) -> list[str]:
        """Keys that look like ours but stand beside `[rrq]`."""
        return [
            f"{self.file.path}:{self.file.lines.get((key,), 1)}: "
            f"'{key}' stands outside of [rrq] and has no effect there"
            for key in self.file.outside
            if key in KNOWN_KEYS
        ]

    def _override(self, key: KeyPath) -> str | None:
        if key == ("redis_dsn",) and self._redis_dsn is not None:
            return "--redis-dsn"
        variable = _variable(str(key[0]))
        if len(key) == 1 and key[0] in SCALAR_KEYS and variable in self._environment.values:
            return self._environment.origin(variable)
        return None

    def _in_file(self, key: KeyPath) -> KeyPath:
        """The key by the name that the file has for it."""
        return (self._routes_key, *key[1:]) if key[:1] == ("executor_routes",) else key

    def _stands_in_file(self, key: KeyPath) -> bool:
        value: Any = self.file.table
        for part in self._in_file(key):
            inside = (
                part in value
                if isinstance(value, dict)
                else isinstance(value, list) and isinstance(part, int) and part < len(value)
            )
            if not inside:
                return False
            value = value[part]
        return True


def _variable(key: str) -> str:
    return f"RRQ_{key.upper()}"


def _leaves(path: KeyPath, value: Any) -> list[tuple[KeyPath, Any]]:
    """Every value that is no table, and empty tables, in order."""
    if isinstance(value, dict) and value:
        return [leaf for key, member in value.items() for leaf in _leaves((*path, key), member)]
    if isinstance(value, list) and any(isinstance(member, dict) for member in value):
        return [
            leaf for index, member in enumerate(value) for leaf in _leaves((*path, index), member)
        ]
    return [(path, value)]
