"""Finding, isolating, configuring and listing plugins.

`manager.py` has the one object that the rest of RRQ asks; the other modules are its parts.
"""

from rrq.plugins.configuration import plugin_configuration
from rrq.plugins.manager import BUILTIN, PACKAGES, Plugins, load_plugins
from rrq.plugins.records import PluginRecord

__all__ = [
    "BUILTIN",
    "PACKAGES",
    "PluginRecord",
    "Plugins",
    "load_plugins",
    "plugin_configuration",
]
