"""The plugin `stdio`: offers the transport of that name."""

from __future__ import annotations
