"""`Place`: a directory in which commands run, with every process that they start.

The fixture `place` gives a test one for the command `rrq` of this checkout, and fails the test
if anything that was started there outlives it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from tests.support.distributions import rrq_command
from tests.support.preloaded import Forked, fork, may_be_preloaded
from tests.support.processes import processes_of
from tests.support.waiting import eventually_blocking

MARK = "TEST_PLACE"
"""The environment variable by which a place knows what was started in it."""

ENDS_WITHIN_SECONDS = 30.0


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A place of this test's own, where no process may be left at its end."""
    directory = tmp_path / "place"
    directory.mkdir()
    place = Place(directory, rrq_command().parent)
    yield from place.lend()


class Place:
    """A directory to run commands in.

    Args:
        directory: where; it must exist.
        programs: the `bin` directory that comes first on the PATH.

    Attributes:
        temporary: where its commands put their temporary files.
    """

    def __init__(self, directory: Path, programs: Path) -> None:
        self.directory = directory
        self._programs = programs
        self._is_this_checkout = programs == rrq_command().parent
        self._id = uuid.uuid4().hex
        self._started: list[Running] = []
        # Short, for the path of a socket must fit below it.
        self.temporary = Path(tempfile.mkdtemp(prefix="place-", dir="/tmp"))

    def lend(self, patience_seconds: float = 5.0) -> Iterator[Place]:
        """This place, for a fixture, which then ends what still runs there.

        Raises:
            AssertionError: something did, for longer than the patience.
        """
        try:
            yield self
            with suppress(AssertionError):
                eventually_blocking(lambda: not self.processes(), patience_seconds)
            left = self.processes()
        finally:
            for pid in self.processes():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            shutil.rmtree(self.temporary, ignore_errors=True)
        assert not left, f"these processes outlived their test: {left}"

    def write(self, name: str, text: str) -> Path:
        """A file there; the text may be indented as a whole."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
        return path

    def run(
        self,
        *command: str | Path,
        code: int | None = 0,
        within_seconds: float = ENDS_WITHIN_SECONDS,
        **variables: str,
    ) -> Ended:
        """Run a command to its end.

        Args:
            code: the exit code that it must have; None is any.
            within_seconds: how long it may take.
            variables: added to its environment.
        """
        ended = self.start(*command, **variables).wait(within_seconds)
        if code is not None:
            assert ended.code == code, f"{ended.command} exited with {ended.code}:\n{ended.stderr}"
        return ended

    def start(self, *command: str | Path, cold: bool = False, **variables: str) -> Running:
        """Start a command, and return at once.

        Args:
            cold: start Python for `rrq` too, instead of forking a process that has it imported.
            variables: added to its environment.
        """
        environment = self.environment(**variables)
        running = Running(
            [str(word) for word in command],
            self.directory,
            environment,
            f".output-{len(self._started) + 1}",
            preloaded=not cold and self._is_this_checkout and may_be_preloaded(environment),
        )
        self._started.append(running)
        return running

    def environment(self, **variables: str) -> dict[str, str]:
        """Ours, without what would tell RRQ or Python anything, and with the mark of the place."""
        misleading = ("RRQ_", "PYTHON", "VIRTUAL_ENV", "COV_", "COVERAGE", "XDG_")
        kept = {name: text for name, text in os.environ.items() if not name.startswith(misleading)}
        path = f"{self._programs}{os.pathsep}{kept.get('PATH', os.defpath)}"
        ours = {"PATH": path, "TMPDIR": str(self.temporary), MARK: self._id}
        return {**kept, **ours, **variables}

    def processes(self) -> dict[int, str]:
        """The command line of every process that lives and was started here, by its id."""
        # What was forked has the mark, but the system does not show it.
        forked = {
            running.process.pid: running.command
            for running in self._started
            if isinstance(running.process, Forked) and running.process.poll() is None
        }
        return forked | processes_of(MARK, self._id, self.temporary)


@dataclass(frozen=True)
class Ended:
    """What a command said, and its exit code; negative is the signal that ended it."""

    command: str
    code: int
    stdout: str
    stderr: str


class Running:
    """A command that was started, with its output in files so that nobody need read it."""

    def __init__(
        self,
        command: Sequence[str],
        directory: Path,
        environment: dict[str, str],
        output: str,
        *,
        preloaded: bool,
    ) -> None:
        self.command = " ".join(command)
        self._stdout, self._stderr = (directory / f"{output}.{end}" for end in ("out", "err"))
        self.process: Forked | subprocess.Popen[bytes]
        program, *words = command
        with self._stdout.open("wb") as stdout, self._stderr.open("wb") as stderr:
            if preloaded and program == "rrq":
                self.process = fork(
                    "rrq",
                    words,
                    directory,
                    environment,
                    stdout=stdout.fileno(),
                    stderr=stderr.fileno(),
                )
                return
            self.process = subprocess.Popen(
                # The shell finds the program on the PATH of the place, not on ours.
                ["/bin/sh", "-c", 'exec "$@"', "sh", *command],
                cwd=directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )

    @property
    def stderr(self) -> str:
        """What it has said on stderr until now."""
        return self._stderr.read_text(errors="replace")

    def said(self, text: str, within_seconds: float = ENDS_WITHIN_SECONDS) -> str:
        """Wait until stderr has this text; returns all of stderr."""

        def heard() -> bool:
            if text not in self.stderr and self.process.poll() is not None:
                raise AssertionError(f"{self.command} ended without {text!r}:\n{self.stderr}")
            return text in self.stderr

        eventually_blocking(heard, within_seconds, f"{text!r} from {self.command}")
        return self.stderr

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self, within_seconds: float = ENDS_WITHIN_SECONDS) -> Ended:
        """Wait for its end.

        Raises:
            AssertionError: it did not end in time; it is killed then.
        """
        try:
            code = self.process.wait(within_seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(
                f"{self.command} did not end within {within_seconds:g} s:\n{self.stderr}"
            ) from None
        return Ended(self.command, code, self._stdout.read_text(errors="replace"), self.stderr)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> Ended:
        """Send it a signal and wait for its end."""
        self.tell(number)
        return self.wait()
