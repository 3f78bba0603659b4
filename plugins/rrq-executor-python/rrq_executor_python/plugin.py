"""The plugin `python`: offers the executor type of that name, and `rrq executor python`."""

from __future__ import annotations
