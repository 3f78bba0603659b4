"""`rrq worker watch`: what makes it restart its worker, and that no mistake or signal upsets it.

The fixture `place` fails a test that leaves a process.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from redis import Redis

from rrq.job import JobStatus
from rrq.settings import RRQSettings
from rrq.sync_client import SyncRRQClient
from rrq.watch.changes import Selection
from tests.support.places import Place, Running
from tests.support.shops import furnish
from tests.support.terminals import CTRL_C, Terminal
from tests.support.waiting import eventually_blocking

WORKER = "Worker rrq_worker_"


def handlers(body: str) -> str:
    """A module with one handler, `answer`."""
    return f"""
        import asyncio
        from pathlib import Path

        from rrq import JobRegistry, PythonExecutorSettings

        async def answer(ctx):
            {body}

        registry = JobRegistry()
        registry.register("answer", answer)
        settings = PythonExecutorSettings(job_registry=registry)
    """


@pytest.fixture
def shop(place: Place, settings: RRQSettings) -> Place:
    """A place with a handler that returns "one", and a configuration with two processes."""
    return furnish(place, settings.redis_dsn, handlers('return "one"'), pool_size=2)


def started(shop: Place, *options: str) -> Running:
    """`rrq worker watch`, with its worker up."""
    running = shop.start("rrq", "worker", "watch", *options)
    running.said(WORKER)
    return running


def restarted(running: Running, times: int = 1) -> None:
    """Wait until a worker was announced once more, so many times."""

    def is_announced() -> bool:
        return running.stderr.count(WORKER) > times

    eventually_blocking(is_announced, 20, f"restart number {times}")


def answer(producer: SyncRRQClient) -> object:
    """What the handler returns now."""
    job = producer.enqueue("answer")
    assert job is not None
    return producer.wait(job, timeout=20)


# -- restarting -------------------------------------------------------------------------


def test_every_change_is_named_and_the_next_job_runs_the_new_code(
    shop: Place, producer: SyncRRQClient
) -> None:
    running = started(shop)
    assert running.stderr.startswith(f"Watching {shop.directory}\n")

    # As long as each other, and within a second or so: no trace of old bytecode may stay.
    for number, word in enumerate(("two", "six"), 1):
        shop.write("handlers.py", handlers(f'return "{word}"'))
        restarted(running, number)
        assert answer(producer) == word

    ended = running.stop(signal.SIGINT)
    assert ended.code == 0
    assert ended.stderr.count("\nChanged: handlers.py\nRestarting worker...\n") >= 2


def test_a_success_is_logged_and_each_executor_has_one_process(
    shop: Place, producer: SyncRRQClient, redis_dsn: str
) -> None:
    running = started(shop, "--queue", "mail")
    job = producer.enqueue("answer", _queue_name="mail")
    assert job is not None

    said = running.said(f"Job {job.id} completed")

    assert f"INFO    rrq.worker: Job {job.id} completed" in said
    with Redis.from_url(redis_dsn) as keys:
        (key,) = keys.scan_iter("rrq:health:worker:*")
        health = json.loads(keys.get(key) or "")
    assert health["queues"] == ["mail"]
    assert health["executors"]["python"]["processes"] == 1
    assert running.stop(signal.SIGINT).code == 0


def test_a_job_that_goes_on_for_long_runs_again_with_the_new_code(
    shop: Place, producer: SyncRRQClient
) -> None:
    shop.write("handlers.py", handlers('Path("inside").touch(); await asyncio.sleep(60)'))
    running = started(shop)
    job = producer.enqueue("answer")
    assert job is not None
    eventually_blocking((shop.directory / "inside").exists, 20, "a running job")

    shop.write("handlers.py", handlers('return "anew"'))

    assert producer.wait(job, timeout=20) == "anew"
    ended = producer.get_job(job.id)
    assert ended is not None
    assert (ended.status, ended.current_retries) == (JobStatus.COMPLETED, 0)
    assert ended.lost_count == 0
    assert running.stop(signal.SIGINT).code == 0


def test_what_git_ignores_or_no_pattern_names_restarts_nothing(shop: Place) -> None:
    shop.run("git", "init", "--quiet")
    shop.write(".gitignore", "generated.py\n")
    running = started(shop, "--ignore-pattern", "tests")

    shop.write("generated.py", "x = 1\n")
    shop.write("tests/test_handlers.py", "x = 1\n")
    shop.write("node_modules/tool.py", "x = 1\n")
    shop.write("notes.txt", "x\n")
    shop.write("handlers.py", handlers('return "two"'))
    restarted(running)

    ended = running.stop(signal.SIGINT)
    changes = {line for line in ended.stderr.splitlines() if line.startswith("Changed")}
    assert changes == {"Changed: handlers.py"}


# -- mistakes ---------------------------------------------------------------------------


def test_a_mistake_in_code_or_configuration_is_shown_and_the_next_change_mends_it(
    shop: Place, producer: SyncRRQClient
) -> None:
    right = (shop.directory / "rrq.toml").read_text()
    running = started(shop)

    shop.write("handlers.py", "def answer(:\n")
    said = running.said("The worker ended, exit code 1. Waiting for a change.")
    assert "SyntaxError" in said
    shop.write("rrq.toml", right.replace("pool_size", "pool_sise"))
    said = running.said("The worker ended, exit code 2. Waiting for a change.")
    assert 'Did you mean "pool_size"?' in said
    shop.write("handlers.py", handlers('return "mended"'))
    shop.write("rrq.toml", right)

    assert answer(producer) == "mended"
    assert running.stop(signal.SIGINT).code == 0


def test_a_directory_that_is_not_there_is_wrong_usage(shop: Place) -> None:
    ended = shop.run("rrq", "worker", "watch", "--path", "src", code=2)

    assert ended.stderr.splitlines()[0] == (
        "error: Invalid value for --path: there is no directory 'src'."
    )


def test_without_watchfiles_it_is_told_what_to_install(shop: Place) -> None:
    shop.write("without/watchfiles.py", "raise ImportError\n")

    ended = shop.run("rrq", "worker", "watch", code=1, PYTHONPATH=str(shop.directory / "without"))

    assert ended.stderr == (
        "error: `rrq worker watch` needs watchfiles: pip install 'rrq[watch]'\n"
    )


# -- its end ----------------------------------------------------------------------------


def test_ctrl_c_on_a_terminal_ends_it_cleanly(shop: Place) -> None:
    terminal = Terminal(["rrq", "worker", "watch"], shop.directory, shop.environment())
    terminal.shows(WORKER)

    terminal.type(CTRL_C)

    assert terminal.wait(10) == 0
    assert "Traceback" not in terminal.written


def test_its_worker_does_not_outlive_it_even_if_it_is_killed(shop: Place) -> None:
    running = started(shop)

    running.stop(signal.SIGKILL)

    eventually_blocking(lambda: not shop.processes(), 10, "the end of the worker")


# -- which files count ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("handlers.py", True),
        ("deep/er/handlers.py", True),
        ("handlers.pyc", False),
        (".venv/lib/x.py", False),
        ("deep/__pycache__/x.py", False),
        ("tests/deep/x.py", False),
        ("src/tests_of_mine.py", True),
        ("skip_me.py", False),
        ("../elsewhere.py", False),
    ],
)
def test_a_file_counts_by_its_name_and_the_directories_above_it(
    tmp_path: Path, path: str, counts: bool
) -> None:
    # What stands above the watched directory has no say.
    root = tmp_path / "venv"
    selection = Selection(root, ["*.py"], ["tests", "skip_*"])

    assert selection.has(os.path.normpath(root / path)) is counts


def test_a_file_that_git_tracks_counts_though_a_rule_would_ignore_it(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.py\n")
    for name in ("tracked.py", "untracked.py"):
        (tmp_path / name).touch()
    for command in (["init", "--quiet"], ["add", "--force", "tracked.py"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    selection = Selection(tmp_path, ["*.py"])

    changed = selection.changed(str(tmp_path / name) for name in ("untracked.py", "tracked.py"))

    assert changed == ["tracked.py"]
