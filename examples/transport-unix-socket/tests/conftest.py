"""Executors that run beside the tests, as a service manager would keep them running."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent


class Service:
    """An executor that is started again whenever it has ended."""

    def __init__(self, address: str, delay_seconds: float = 0.0) -> None:
        self.address = address
        self._command = [sys.executable, str(HERE / "contract_server.py"), address]
        self._delay_seconds = delay_seconds
        self._is_wanted = True
        self._process = self._start()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    def kill(self) -> None:
        """End the process; another one follows."""
        self._process.kill()

    def stop(self) -> None:
        """End it for good."""
        self._is_wanted = False
        while self._keeper.is_alive():
            self._process.kill()
            self._keeper.join(0.05)

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*self._command, str(self._delay_seconds)],
            env={**os.environ, "PYTHONPATH": str(HERE.parent)},
            stderr=subprocess.DEVNULL,
        )

    def _keep(self) -> None:
        while True:
            self._process.wait()
            if not self._is_wanted:
                return
            self._process = self._start()


class Services:
    """The executors of one run of the tests, each started when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, Service] = {}

    def service(self, name: str, delay_seconds: float = 0.0) -> Service:
        """The executor of this name."""
        if name not in self._running:
            self._running[name] = Service(f"unix:{self._folder / name}", delay_seconds)
        return self._running[name]

    def nowhere(self) -> str:
        """An address at which nobody listens."""
        return f"unix:{self._folder / 'nowhere'}"

    def stop(self, *names: str) -> None:
        """End these, or all."""
        for name in names or tuple(self._running):
            if service := self._running.pop(name, None):
                service.stop()


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    """Executors that live as long as the tests; nobody's worker started them."""
    # Short: the path of a socket may have about 100 bytes.
    folder = Path(tempfile.mkdtemp(prefix="rrq-"))
    services = Services(folder)
    yield services
    services.stop()
    shutil.rmtree(folder)
