"""`executor_options`: `[rrq.executors.NAME]`, checked against the model of its transport."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from rrq.config.problems import dotted, shown
from rrq.exc import ConfigError
from rrq.suggestion import did_you_mean

if TYPE_CHECKING:
    from rrq.config.loading import LoadedSettings
    from rrq.plugins import Plugins
    from rrq.settings import ExecutorConfig, RRQSettings

Model = TypeVar("Model", bound=BaseModel)


def executor_options(
    name: str, config: ExecutorConfig, model: type[Model], loaded: LoadedSettings | None = None
) -> Model:
    """An executor's table, without `type`, as its transport wants it.

    Args:
        name: NAME in `[rrq.executors.NAME]`.
        model: the transport's `config_model`.
        loaded: where the table comes from, for the message.

    Raises:
        ConfigError: the table does not fit; for each mistake a line that names the place, the
            key and what is expected.
    """
    try:
        return model.model_validate(config.transport_options())
    except ValidationError as error:
        problems = error.errors(include_url=False)
    if unknown := [problem for problem in problems if problem["type"] == "extra_forbidden"]:
        # A misspelt key is most often the reason why another one is missing.
        problems = unknown + [one for one in problems if one["type"] not in _ABOUT_KEYS]
    raise ConfigError.of(
        [
            place(("executors", name, *problem["loc"]), loaded)
            + f"[rrq.executors.{name}] {_sentence(problem, config.type, model)}"
            for problem in problems
        ]
    )


def with_pool_size(settings: RRQSettings, plugins: Plugins, size: int) -> RRQSettings:
    """The settings with this many processes for each executor of a kind that has a pool.

    Raises:
        PluginError: no plugin offers an executor's type.
    """
    executors = {
        name: config.model_copy(update={"pool_size": size})
        if "pool_size" in plugins.transport(config.type).config_model.model_fields
        else config
        for name, config in settings.executors.items()
    }
    return settings.model_copy(update={"executors": executors})


def place(path: tuple[str | int, ...], loaded: LoadedSettings | None) -> str:
    """`rrq.toml:12: `, the file alone for a key that is not there, or nothing without a file."""
    if loaded is None or loaded.path is None:
        return ""
    # The members of a list have no line of their own.
    origins = (loaded.origins.get(dotted(path[:length])) for length in range(len(path), 0, -1))
    return f"{next((one for one in origins if one and one != 'default'), loaded.path)}: "


def _sentence(problem: Any, type_name: str, model: type[BaseModel]) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    kind = problem["type"]
    if kind == "extra_forbidden":
        known = ["type", *model.model_fields]
        hint = did_you_mean(key, known) or f" Known to type {type_name} are {', '.join(known)}."
        return f'has an unknown key "{key}".{hint}'
    if kind == "missing":
        return f"{key} is missing: type {type_name} needs it"
    if kind == "value_error":
        return f"{key}: {str(problem['msg']).removeprefix('Value error, ')}"
    if kind == "too_short":
        return f"{key} has too few members: expected at least {problem['ctx']['min_length']}"
    value = shown(("executors", "", *problem["loc"]), problem["input"])
    return f"{key} is {value}, expected {_expected(problem)}"


def _expected(problem: Any) -> str:
    limits = problem.get("ctx", {})
    if template := _BY_KIND.get(problem["type"]):
        return template.format_map(limits)
    return str(problem["msg"]).removeprefix("Input should be ")


_ABOUT_KEYS = ("extra_forbidden", "missing")

_BY_KIND = {
    "string_type": "a string",
    "string_too_short": "a string that is not empty",
    "list_type": "a list",
    "dict_type": "a table",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "greater_than": "a number greater than {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
}
