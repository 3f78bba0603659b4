"""Which plugins are off, read fast and without complaint, before the command line is built.

`rrq.config` reads the same with everything else, and says what is wrong.
"""

from __future__ import annotations

import os
import re
from typing import Any

from rrq.config.environment import disabled_by_environment, read_environment
from rrq.config.file import choose_config_file, read_text
from rrq.exc import ConfigError

_BAD_LINES_PASSED_OVER = 20


def disabled_plugin_names(config: str | None = None) -> frozenset[str]:
    """The names in `[rrq.plugins] disabled` and `RRQ_DISABLED_PLUGINS`; never raises.

    A file that is missing or broken says what can still be read of it.

    Args:
        config: what `--config` says.
    """
    environment = read_environment()
    names = set(disabled_by_environment(environment))
    path, reason = choose_config_file(config, environment.values.get("RRQ_CONFIG"))
    # A pipe can be read only once, and `rrq.config` is yet to come.
    if path is not None and os.path.isfile(path):  # noqa: PTH113 - Path.is_file may raise
        try:
            text = read_text(path, reason)
        except ConfigError:
            text = ""
        # Parsing TOML costs more than the rest together, and few files switch a plugin off.
        if "disabled" in text:
            names |= _names(_readable_part(text))
    return frozenset(names)


def _names(document: dict[str, Any]) -> set[str]:
    table = document.get("rrq", document)
    plugins = table.get("plugins") if isinstance(table, dict) else None
    disabled = plugins.get("disabled") if isinstance(plugins, dict) else None
    names = [disabled] if isinstance(disabled, str) else disabled
    return {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()


def _readable_part(text: str) -> dict[str, Any]:
    """The document without the lines that TOML does not allow."""
    import tomllib

    lines = text.replace("\r\n", "\n").split("\n")
    for _ in range(_BAD_LINES_PASSED_OVER):
        try:
            return tomllib.loads("\n".join(lines))
        except RecursionError:
            return {}
        except ValueError as error:
            place = re.search(r"\(at line (\d+), column \d+\)", str(error))
            if not place:
                return {}
            lines[int(place[1]) - 1] = ""
    return {}
