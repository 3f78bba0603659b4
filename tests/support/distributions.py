"""Distributions made for one test, and the real command `rrq` that finds them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from textwrap import dedent
from typing import Any

import pytest

from tests.support.preloaded import Program, fork


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """An empty directory on Python's path, to put distributions into."""
    return Site(tmp_path)


class Site:
    """A directory of installed distributions, and a home and a working directory beside it."""

    def __init__(self, root: Path) -> None:
        self.path = root / "site"
        self.home = root / "home"
        self.work = root / "work"
        for directory in (self.path, self.home, self.work):
            directory.mkdir()

    def install(
        self,
        distribution: str,
        source: str,
        *,
        plugin: str | None = None,
        version: str = "1.0",
        module: str | None = None,
    ) -> None:
        """Put a module there, and the metadata of a distribution that has it as a plugin.

        Args:
            distribution: as in `rrq-good`; its module is then `rrq_good`.
            source: of the module.
            plugin: the entry point's name, by default what follows `rrq-`.
            version: of the distribution.
            module: what the entry point names, by default the module.
        """
        name = distribution.replace("-", "_")
        (self.path / f"{name}.py").write_text(dedent(source))
        metadata = self.path / f"{name}-{version}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
            f"Summary: The distribution {distribution}\n"
        )
        entry_point = plugin or distribution.removeprefix("rrq-")
        (metadata / "entry_points.txt").write_text(
            f"[rrq.plugins]\n{entry_point} = {module or name}\n"
        )

    def environment(self, **variables: str) -> dict[str, str]:
        """What a process needs to find the distributions, and nothing of this one's RRQ_*."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RRQ_")}
        for name in ("XDG_CACHE_HOME", "PYDANTIC_DISABLE_PLUGINS"):
            kept.pop(name, None)
        return {**kept, "HOME": str(self.home), "PYTHONPATH": str(self.path), **variables}

    def rrq(
        self, *arguments: str, cold: bool = False, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the command `rrq` to its end.

        Args:
            cold: start Python for it, so that nothing is imported but what it imports.
            variables: added to its environment.
        """
        if cold:
            return self._start([str(rrq_command()), *arguments], variables)
        return self._fork("rrq", arguments, variables)

    def python(self, code: str, *, cold: bool = False, **variables: str) -> str:
        """What a Python program that finds the distributions prints; it must succeed.

        Args:
            cold: start Python for it, so that nothing is imported but what it imports.
            variables: added to its environment.
        """
        if cold:
            ran = self._start([sys.executable, "-c", dedent(code)], variables)
        else:
            ran = self._fork("code", [dedent(code)], variables)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def _start(
        self, command: Sequence[str], variables: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env=self.environment(**variables),
            cwd=self.work,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def _fork(
        self, program: Program, words: Sequence[str], variables: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        with TemporaryFile() as stdout, TemporaryFile() as stderr:
            process = fork(
                program,
                words,
                self.work,
                self.environment(**variables),
                stdout=stdout.fileno(),
                stderr=stderr.fileno(),
            )
            try:
                code = process.wait(60)
            finally:
                process.kill()
            told = []
            for output in (stdout, stderr):
                output.seek(0)
                told.append(output.read().decode())
        return subprocess.CompletedProcess([program, *words], code, *told)

    def plugin(self, name: str, *arguments: str, **variables: str) -> dict[str, Any]:
        """What `rrq plugins show NAME --json` tells."""
        ran = self.rrq("plugins", "show", name, "--json", *arguments, **variables)
        assert ran.returncode == 0, ran.stderr
        shown: dict[str, Any] = json.loads(ran.stdout)
        return shown

    def listed(self, **variables: str) -> dict[str, dict[str, Any]]:
        """What `rrq plugins list --json` tells, by the plugin's name."""
        ran = self.rrq("plugins", "list", "--json", **variables)
        assert ran.returncode == 0, ran.stderr
        return {one["name"]: one for one in json.loads(ran.stdout)}


def rrq_command() -> Path:
    """The console script of the environment that runs the tests."""
    return Path(sys.executable).parent / "rrq"
