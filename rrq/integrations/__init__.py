"""One-line switches for applications that set their tracing up by hand.

An installed plugin (`rrq-otel`, `rrq-ddtrace`, `rrq-logfire`) is active in a worker without any.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def plugin_module(package: str, distribution: str) -> Any:
    """A tracing plugin's package.

    Raises:
        ImportError: it is not installed; the message says what to install.
    """
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise ImportError(
            f"This needs the plugin {distribution}: pip install {distribution}"
        ) from None
