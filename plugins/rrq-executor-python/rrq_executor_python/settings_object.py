"""Finding the `PythonExecutorSettings` that a process is started with.

It is named by `module.path.object` or `module.path:object`, in an option, in the environment,
or in an `rrq.toml`. Whatever goes wrong is told in a line or two that name what was asked for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from rrq.config import load_settings, load_toml_settings
from rrq.exc import ConfigError
from rrq.executor_settings import PythonExecutorSettings
from rrq.suggestion import did_you_mean
from rrq_executor_python.failure import headline

if TYPE_CHECKING:
    from rrq.settings import RRQSettings

SETTINGS_VARIABLE = "RRQ_EXECUTOR_SETTINGS"
CONFIG_VARIABLE = "RRQ_EXECUTOR_CONFIG"


class NoSettingsNamed(ConfigError):
    """Nothing says which settings object to take."""


class BrokenSettingsModule(ConfigError):
    """The module of the settings object raised while it was imported; see `__cause__`."""


def find_settings(
    settings_path: str | None, config_path: str | None, environment: Mapping[str, str]
) -> PythonExecutorSettings:
    """The settings object of this process, with its RRQ settings.

    Args:
        settings_path: the option `--settings`.
        config_path: the option `--config`, an `rrq.toml`; its settings replace those of the
            object, and its Python executor's `settings` key names the object if nothing else
            does.
        environment: the process's environment.

    Raises:
        ConfigError: there is none, or it cannot be used.
    """
    variable = environment.get(CONFIG_VARIABLE) or None
    if config_path is None and variable is not None and _is_object_path(variable):
        settings_path = settings_path or environment.get(SETTINGS_VARIABLE) or variable
        variable = None
    config_path = config_path or variable
    settings_path = settings_path or environment.get(SETTINGS_VARIABLE) or None
    if config_path is None:
        found = load_settings_object(settings_path or _nothing_named())
        if found.rrq_settings is None:
            return replace(found, rrq_settings=load_settings().settings)
        return found
    rrq_settings = load_toml_settings(config_path)
    if settings_path is None:
        settings_path = _settings_path_in(rrq_settings, config_path, environment)
    return replace(load_settings_object(settings_path), rrq_settings=rrq_settings)


def load_settings_object(path: str) -> PythonExecutorSettings:
    """The object that `module.path.object` or `module.path:object` names.

    The current directory is importable.

    Raises:
        ConfigError: the module or the object is missing, the module raised, or the object is
            something else.
    """
    module_name, attribute = split_object_path(path)
    directory = str(Path.cwd())
    if directory not in sys.path:
        sys.path.insert(0, directory)
    module = _import(path, module_name)
    settings: Any = module
    for name in attribute.split("."):
        if not hasattr(settings, name):
            raise ConfigError(
                f"{path}: module {module_name} ({module.__file__}) has no {attribute!r}."
                f"{_candidates(module, attribute)}"
            )
        settings = getattr(settings, name)
    if not isinstance(settings, PythonExecutorSettings):
        raise ConfigError(
            f"{path} is a {type(settings).__name__}, not a PythonExecutorSettings."
            f"{_candidates(module, attribute)}"
        )
    return settings


def split_object_path(path: str) -> tuple[str, str]:
    """The module's name and the object's of `module.path.object` or `module.path:object`.

    Raises:
        ConfigError: it is neither.
    """
    module_name, _, attribute = path.partition(":") if ":" in path else path.rpartition(".")
    if not all(part.isidentifier() for part in [*module_name.split("."), *attribute.split(".")]):
        raise ConfigError(
            f"{path!r} names no object: write module.path.object or module.path:object"
        )
    return module_name, attribute


def _import(path: str, module_name: str) -> ModuleType:
    try:
        return import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module_name}.".startswith(f"{error.name}."):
            raise ConfigError(
                f"{path}: there is no module {error.name!r}; looked in the current directory "
                f"{Path.cwd()} and where {sys.executable} finds modules"
            ) from None
        raise _broken(path, module_name, error) from error
    except (Exception, SystemExit) as error:
        raise _broken(path, module_name, error) from error


def _broken(path: str, module_name: str, error: BaseException) -> BrokenSettingsModule:
    return BrokenSettingsModule(f"{path}: importing {module_name} raised {headline(error)}")


def _candidates(module: ModuleType, attribute: str) -> str:
    names = [
        name for name, value in vars(module).items() if isinstance(value, PythonExecutorSettings)
    ]
    if names:
        return f" It has: {', '.join(names)}."
    return did_you_mean(attribute, [name for name in vars(module) if not name.startswith("_")])


def _is_object_path(text: str) -> bool:
    if text.endswith(".toml") or os.sep in text or Path(text).exists():
        return False
    try:
        split_object_path(text)
    except ConfigError:
        return False
    return True


def _nothing_named() -> str:
    raise NoSettingsNamed(
        f"no settings object is named: pass --settings module.path.object or set "
        f"{SETTINGS_VARIABLE}"
    )


def _settings_path_in(
    rrq_settings: RRQSettings, config_path: str, environment: Mapping[str, str]
) -> str:
    name = environment.get("RRQ_EXECUTOR_NAME") or rrq_settings.default_executor_name
    executor = rrq_settings.executors.get(name)
    path = executor.transport_options().get("settings") if executor else None
    if not isinstance(path, str):
        raise NoSettingsNamed(
            f"no settings object is named: pass --settings module.path.object, or write "
            f"`settings` into [rrq.executors.{name}] of {config_path}"
        )
    return path
