"""Environments: one a library, with the versions that `NAME.txt` pins, made once and kept."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent.parent
CHECKOUT = BENCHMARKS.parent
CACHE = BENCHMARKS / ".peers"

OUR_PACKAGES = (".", "plugins/rrq-executor-stdio", "plugins/rrq-executor-python")

NAMES = ("rrq", "saq", "arq", "streaq", "taskiq", "dramatiq", "celery", "rq", "huey")

INSTALL_SECONDS = 180


class PeerFailed(Exception):
    """Something of this library did not work; the message is for the page."""


def python_of(name: str) -> Path:
    """The library's own Python, with everything installed.

    Raises:
        PeerFailed: it could not be installed.
    """
    pins = BENCHMARKS / "peers" / f"{name}.txt"
    place = CACHE / name
    python = place / "bin" / "python"
    stamp = place / "installed"
    wanted = hashlib.sha256(pins.read_bytes() + sys.version.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(exist_ok=True)
    # Ours is installed from this checkout as it stands, in place: it is what is to be measured.
    ours = [word for path in OUR_PACKAGES for word in ("--editable", str(CHECKOUT / path))]
    try:
        _install(place, ["--requirement", str(pins), *(ours if name == "rrq" else [])])
    except (OSError, subprocess.SubprocessError) as error:
        raise PeerFailed(f"could not be installed: {last_line(error)}") from error
    stamp.write_text(wanted)
    return python


def surroundings(settings: Mapping[str, str]) -> dict[str, str]:
    """The environment variables for a module of this folder."""
    # No variable of RRQ's may change what is measured.
    kept = {key: value for key, value in os.environ.items() if not key.startswith("RRQ_")}
    return {**kept, "PYTHONPATH": str(BENCHMARKS), "PYTHONWARNINGS": "ignore", **settings}


def last_line(error: Exception) -> str:
    """The last thing that a failed program said."""
    said = getattr(error, "stderr", None) or str(error)
    if isinstance(said, bytes):
        said = said.decode(errors="replace")
    return (said.strip().splitlines() or ["nothing was said"])[-1][:200]


def _install(place: Path, what: Sequence[str]) -> None:
    uv = shutil.which("uv") or str(CHECKOUT / ".uv/bin/uv")
    python = str(place / "bin" / "python")
    if Path(uv).exists():
        _call([uv, "venv", "--quiet", "--python", sys.executable, str(place)])
        _call([uv, "pip", "install", "--quiet", "--python", python, *what])
    else:
        _call([sys.executable, "-m", "venv", str(place)])
        _call([python, "-m", "pip", "install", "--quiet", *what])


def _call(command: Sequence[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_SECONDS, cwd=CHECKOUT)
