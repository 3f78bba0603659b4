"""Where the settings come from: a TOML file, the environment, `.env`, the command line.

    settings = load_toml_settings("rrq.toml")

`docs/reference/configuration.md` has all keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rrq.config.loading import LoadedSettings as LoadedSettings
    from rrq.config.loading import check_references as check_references
    from rrq.config.loading import effective_configuration as effective_configuration
    from rrq.config.loading import load_settings as load_settings
    from rrq.config.loading import load_toml_settings as load_toml_settings
    from rrq.dsn import mask_dsn as mask_dsn

__all__ = [
    "LoadedSettings",
    "check_references",
    "effective_configuration",
    "load_settings",
    "load_toml_settings",
    "mask_dsn",
]


def __getattr__(name: str) -> Any:
    # Lazily, so that what only reads a file's text does not wait for pydantic.
    if name in __all__:
        from rrq import dsn
        from rrq.config import loading

        return getattr(dsn if name == "mask_dsn" else loading, name)
    raise AttributeError(f"module 'rrq.config' has no attribute {name!r}")
