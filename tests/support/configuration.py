"""A place where nothing but the test itself configures RRQ."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def leave_all_configuration(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `place` the current directory, and take RRQ's variables out of the environment."""
    for name in [name for name in os.environ if name.startswith("RRQ_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(place)


def write(content: str | bytes, name: str = "rrq.toml") -> Path:
    """A file in the current directory, in UTF-8 unless it is bytes."""
    path = Path(name)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
