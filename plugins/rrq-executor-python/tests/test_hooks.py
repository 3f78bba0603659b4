"""`on_startup` and `on_shutdown`, once in each process."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Start

APP = """
import contextvars
from rrq import JobRegistry, PythonExecutorSettings

opened = contextvars.ContextVar("opened", default="no")

def write(text):
    with open("diary", "a") as diary:
        diary.write(text + " ")

{hooks}

async def work(ctx):
    write("work")
    return opened.get()

job_registry = JobRegistry()
job_registry.register("work", work)
settings = PythonExecutorSettings(
    job_registry=job_registry, on_startup=on_startup, on_shutdown=on_shutdown
)
"""

ASYNC = """
async def on_startup():
    opened.set("yes")
    write("up")

async def on_shutdown():
    write("down")
"""

PLAIN = ASYNC.replace("async ", "")


@pytest.mark.parametrize("hooks", [ASYNC, PLAIN], ids=["async", "plain"])
def test_the_hooks_run_once_around_all_jobs(start: Start, tmp_path: Path, hooks: str) -> None:
    (tmp_path / "app.py").write_text(APP.format(hooks=hooks))
    runtime = start(settings="app:settings", cwd=tmp_path)
    assert runtime.call("work")["result"] == "yes"
    assert runtime.call("work")["status"] == "success"
    runtime.end()
    assert (tmp_path / "diary").read_text() == "up work work down "


@pytest.mark.parametrize(
    "failure", ["raise OSError('no database')", "raise SystemExit('no database')"]
)
def test_a_failing_start_up_ends_the_process_before_hello(
    start: Start, tmp_path: Path, failure: str
) -> None:
    hooks = ASYNC.replace('write("up")', failure)
    (tmp_path / "app.py").write_text(APP.format(hooks=hooks))
    runtime = start(settings="app:settings", cwd=tmp_path)
    assert runtime.next_line() is None
    assert runtime.wait() == 1
    first_line = runtime.log().splitlines()[0]
    assert first_line.startswith("rrq-executor: on_startup failed: ")
    assert first_line.endswith(": no database")
    assert 'app.py", line' in runtime.log()
    assert not (tmp_path / "diary").exists()


def test_a_failing_shutdown_is_in_the_log_and_in_the_exit_status(
    start: Start, tmp_path: Path
) -> None:
    hooks = ASYNC.replace('write("down")', "1 / 0")
    (tmp_path / "app.py").write_text(APP.format(hooks=hooks))
    runtime = start(settings="app:settings", cwd=tmp_path)
    runtime.call("work")
    runtime.end()
    assert runtime.wait() == 1
    assert "rrq-executor: on_shutdown failed: ZeroDivisionError: division by zero" in runtime.log()
