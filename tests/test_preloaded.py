"""What is forked for a test is such a process as a start would have made."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tests.support.preloaded import Forked, fork, may_be_preloaded
from tests.support.waiting import eventually_blocking

ENVIRONMENT = {**os.environ, "MINE": "a=b\nc", "TZ": "Asia/Tokyo", "PYTHONPATH": "/nowhere"}

SELF_PORTRAIT = """
    import gc, os, signal, sys, threading, time

    def is_open(descriptor):
        try:
            return bool(os.fstat(descriptor))
        except OSError:
            return False

    print("in", os.getcwd(), "with", sorted(os.environ.items()), "read", sys.stdin.read())
    print("signals", signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGCHLD))
    print("time zone", time.tzname, "collects", gc.isenabled(), "threads", threading.active_count())
    print("main", __name__, sys.modules["__main__"].__dict__["is_open"] is is_open)
    print("argv", sys.argv, "path", [one for one in sys.path if one not in ("", os.getcwd())])
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        print(stream.fileno(), stream.encoding, stream.errors, stream.line_buffering)
    print("open", [descriptor for descriptor in range(3, 64) if is_open(descriptor)])
"""


class Output:
    """Starts a program in both ways, and has the files that it writes to."""

    def __init__(self, folder: Path) -> None:
        self.stdout, self.stderr = folder / "stdout", folder / "stderr"
        self._folder = folder

    def forked(self, code: str) -> Forked:
        with self.stdout.open("wb") as stdout, self.stderr.open("wb") as stderr:
            return fork(
                "code",
                [dedent(code)],
                self._folder,
                ENVIRONMENT,
                stdout=stdout.fileno(),
                stderr=stderr.fileno(),
            )

    def started(self, code: str) -> subprocess.Popen[bytes]:
        with self.stdout.open("wb") as stdout, self.stderr.open("wb") as stderr:
            return subprocess.Popen(
                [sys.executable, "-c", dedent(code)],
                cwd=self._folder,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )


@pytest.fixture
def output(tmp_path: Path) -> Output:
    return Output(tmp_path)


def test_a_forked_process_sees_itself_as_a_started_one_does(output: Output) -> None:
    assert output.started(SELF_PORTRAIT).wait(20) == 0
    started = output.stdout.read_text()

    assert output.forked(SELF_PORTRAIT).wait(20) == 0, output.stderr.read_text()

    assert output.stdout.read_text().splitlines() == started.splitlines()


@pytest.mark.parametrize(
    "code",
    [
        "import sys; sys.exit(7)",
        "import sys; sys.exit('no luck')",
        "1 / 0",
        "import atexit; atexit.register(print, 'at the end'); print('first')",
        "import threading; threading.Timer(0.1, print, ['late']).start()",
        "import os; os._exit(3)",
        "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
        "raise KeyboardInterrupt",
    ],
)
def test_a_forked_process_ends_as_a_started_one_does(output: Output, code: str) -> None:
    ends = []
    for start in (output.started, output.forked):
        ended = start(code).wait(20)
        last = output.stderr.read_text().splitlines()[-1:]
        ends.append((ended, output.stdout.read_text(), last))

    assert ends[0] == ends[1]


def test_a_forked_process_can_be_told_to_end(output: Output) -> None:
    process = output.forked("import time; print('up', flush=True); time.sleep(600)")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    eventually_blocking(output.stdout.read_text, 20, "its start")
    assert process.poll() is None

    process.send_signal(signal.SIGINT)

    assert process.wait(20) == process.returncode == -signal.SIGINT
    process.kill()


def test_what_python_reads_when_it_starts_is_left_to_a_start(tmp_path: Path) -> None:
    assert may_be_preloaded({**os.environ, "PYTHONPATH": str(tmp_path)})
    assert not may_be_preloaded({**os.environ, "PYTHONWARNINGS": "error"})
    assert not may_be_preloaded({**os.environ, "LC_ALL": "tr_TR.ISO-8859-9"})
    (tmp_path / "sitecustomize.py").touch()
    assert not may_be_preloaded({**os.environ, "PYTHONPATH": str(tmp_path)})
