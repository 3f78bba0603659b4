"""`describe`: one plugin in full, with the keys of its configuration and their current values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rrq.exc import ConfigError, PluginError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from rrq.plugins import Plugins
    from rrq.plugins.records import PluginRecord
    from rrq.settings import RRQSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationKey:
    """One key of a table.

    Attributes:
        name: as it is written in the table.
        type: as in `string` or `integer or null`.
        default: None also if the key is required.
        required: whether the table must have it.
        description: what it means, if the model says so.
        value: what is in force, with secrets masked; None where no table was read.
    """

    name: str
    type: str
    default: Any = None
    required: bool = False
    description: str | None = None
    value: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginDescription:
    """One plugin in full.

    Attributes:
        record: what is known of it.
        keys: of `[rrq.plugins.NAME]`; None if the plugin declares no model.
        schema: the same as JSON Schema.
        problem: why there are no current values.
        executor_keys: by the executor type that it offers, the keys of `[rrq.executors.NAME]`.
    """

    record: PluginRecord
    keys: tuple[ConfigurationKey, ...] | None = None
    schema: dict[str, Any] | None = None
    problem: str | None = None
    executor_keys: dict[str, tuple[ConfigurationKey, ...]] = field(default_factory=dict)


def describe(plugins: Plugins, name: str, settings: RRQSettings | None) -> PluginDescription:
    """What there is to say of a plugin; current values only with settings.

    Raises:
        PluginError: no plugin of this name is installed.
    """
    record = plugins.record(name)
    executor_keys = {
        kind: _keys_of(transport.config_model, {})
        for kind, transport in plugins.transports().items()
        if kind in record.transports and hasattr(transport, "config_model")
    }
    model, values, problem = None, {}, None
    try:
        if record.config_model and plugins.is_active(name):
            model = plugins.config_model(name)
            if model and settings is not None:
                values = _values_in_force(plugins, name, settings)
    except (ConfigError, PluginError) as error:
        problem = str(error)
    return PluginDescription(
        record=record,
        keys=_keys_of(model, values) if model else None,
        schema=model.model_json_schema() if model else None,
        problem=problem,
        executor_keys=executor_keys,
    )


def _values_in_force(plugins: Plugins, name: str, settings: RRQSettings) -> dict[str, Any]:
    from rrq.config.problems import mask_secrets

    configuration = plugins.configuration(name, settings)
    values = configuration.model_dump(mode="json") if configuration else {}
    return {key: mask_secrets(("plugins", name, key), value) for key, value in values.items()}


def _keys_of(model: type[BaseModel], values: dict[str, Any]) -> tuple[ConfigurationKey, ...]:
    schema = model.model_json_schema(by_alias=False)
    required = schema.get("required", [])
    return tuple(
        ConfigurationKey(
            name=_written_name(model, name),
            type=_type_of(about),
            default=about.get("default"),
            required=name in required,
            description=about.get("description"),
            value=values.get(name),
        )
        for name, about in schema.get("properties", {}).items()
    )


def _written_name(model: type[BaseModel], name: str) -> str:
    alias = model.model_fields[name].validation_alias or name
    choices = getattr(alias, "choices", [alias])
    return next((one for one in choices if isinstance(one, str)), name)


def _type_of(about: dict[str, Any]) -> str:
    """A JSON Schema's type in words."""
    if options := about.get("anyOf"):
        return " or ".join(_type_of(option) for option in options)
    if choices := about.get("enum"):
        return " or ".join(repr(choice) for choice in choices)
    if reference := about.get("$ref"):
        return str(reference).rpartition("/")[2]
    if about.get("type") == "array":
        return f"array of {_type_of(about.get('items', {}))}"
    return str(about.get("type", "any"))
