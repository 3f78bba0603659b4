"""`[rrq.plugins.NAME]`: a plugin's own table, checked against the model that it declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from rrq.exc import ConfigError, PluginError
from rrq.suggestion import did_you_mean

if TYPE_CHECKING:
    from pydantic import BaseModel

    from rrq.settings import RRQSettings

    Model = TypeVar("Model", bound=BaseModel)


def plugin_configuration(settings: RRQSettings, name: str, model: type[Model]) -> Model:
    """A plugin's table as its model; the defaults where the configuration has no such table.

    Raises:
        ConfigError: the table does not fit the model; the message names the table and the key.
    """
    from pydantic import ValidationError

    table = table_of(settings, name)
    unknown = _unknown_keys(table, model)
    problems = [_unknown(name, key, model) for key in unknown]
    try:
        configuration = model.model_validate(table)
    except ValidationError as error:
        problems += _problems(name, error, told=unknown)
        raise ConfigError.of(problems) from error
    if problems:
        raise ConfigError.of(problems)
    return configuration


def table_of(settings: RRQSettings, name: str) -> dict[str, Any]:
    """A plugin's table as the configuration has it, empty if it has none.

    Raises:
        ConfigError: what stands there is not a table.
    """
    entry = (settings.plugins.model_extra or {}).get(name, {})
    if not isinstance(entry, Mapping):
        raise ConfigError(
            f"[rrq.plugins] {name} is not a table.{did_you_mean(name, ['disabled'])} "
            f"A plugin's keys go into [rrq.plugins.{name}]."
        )
    return dict(entry)


def model_of(name: str, plugin: object) -> type[BaseModel] | None:
    """The model that a plugin declares as `config_model`, a class or `"module:Class"`.

    Raises:
        PluginError: it declares something else, or the class cannot be imported.
    """
    from pydantic import BaseModel

    declared = getattr(plugin, "config_model", None)
    if declared is None:
        return None
    try:
        model = _imported(declared) if isinstance(declared, str) else declared
    except Exception as error:
        raise PluginError(f"Plugin {name}: config_model {declared!r}: {error}") from error
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise PluginError(f"Plugin {name}: config_model {declared!r} is not a pydantic model")
    return model


def known_keys(model: type[BaseModel]) -> list[str]:
    """The keys that a table may have, as they are written there."""
    keys = []
    for name, field in model.model_fields.items():
        alias = field.validation_alias or field.alias
        choices = getattr(alias, "choices", [alias])
        keys += [choice for choice in choices if isinstance(choice, str)] or [name]
        if alias and _accepts_names(model):
            keys.append(name)
    return list(dict.fromkeys(keys))


def _accepts_names(model: type[BaseModel]) -> bool:
    config = model.model_config
    return bool(config.get("populate_by_name") or config.get("validate_by_name"))


def _unknown_keys(table: Mapping[str, Any], model: type[BaseModel]) -> list[str]:
    # Whatever the model itself says of extra keys but "allow": a typo is never passed over.
    if model.model_config.get("extra") == "allow":
        return []
    known = known_keys(model)
    return [key for key in table if key not in known]


def _unknown(name: str, key: str, model: type[BaseModel]) -> str:
    known = known_keys(model)
    return (
        f'[rrq.plugins.{name}] has an unknown key "{key}".{did_you_mean(key, known)} '
        f"Known keys: {', '.join(known) or 'none'}."
    )


def _problems(name: str, error: Any, told: Sequence[str]) -> list[str]:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    places = [".".join(map(str, problem["loc"])) for problem in problems]
    return [
        f"[rrq.plugins.{name}] {place}: {problem['msg']}".replace(" : ", ": ")
        for place, problem in zip(places, problems, strict=True)
        if place not in told
    ]


def _imported(path: str) -> Any:
    module, _, attribute = path.partition(":")
    return getattr(import_module(module), attribute)
