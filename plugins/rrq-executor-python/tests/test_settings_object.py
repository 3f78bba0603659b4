"""Which settings object a process takes, and what it says when there is none to take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .conftest import Start
from .runtime_process import RuntimeProcess

APP = """
from rrq import JobRegistry, PythonExecutorSettings, RRQSettings

async def redis_dsn(ctx):
    return ctx["settings"].redis_dsn

job_registry = JobRegistry()
job_registry.register("redis_dsn", redis_dsn)
first = PythonExecutorSettings(job_registry=job_registry)

class Deep:
    inside = PythonExecutorSettings(job_registry=job_registry)
"""

CONFIG = """
[rrq]
redis_dsn = "redis://configured:6379/3"

[rrq.executors.python]
type = "python"
settings = "shop.app.first"

[rrq.executors.other]
type = "python"
settings = "shop.app:nothing"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    (project / "shop").mkdir(parents=True)
    (project / "shop" / "app.py").write_text(APP)
    (project / "rrq.toml").write_text(CONFIG)
    return project


def is_ready(runtime: RuntimeProcess) -> bool:
    return runtime.next_message()["functions"] == ["redis_dsn"]


@pytest.mark.parametrize("path", ["shop.app.first", "shop.app:first", "shop.app:Deep.inside"])
def test_the_object_is_named_with_a_dot_or_a_colon(start: Start, project: Path, path: str) -> None:
    assert is_ready(start(settings=path, cwd=project))


@pytest.mark.parametrize("variable", ["RRQ_EXECUTOR_SETTINGS", "RRQ_EXECUTOR_CONFIG"])
def test_the_environment_can_name_the_object(start: Start, project: Path, variable: str) -> None:
    assert is_ready(start(settings=None, cwd=project, environment={variable: "shop.app.first"}))


def test_the_option_wins_over_the_environment(start: Start, project: Path) -> None:
    environment = {"RRQ_EXECUTOR_SETTINGS": "shop.nowhere.first"}
    assert is_ready(start(settings="shop.app.first", cwd=project, environment=environment))


@pytest.mark.parametrize(
    "choice",
    [{"environment": {"RRQ_EXECUTOR_CONFIG": "rrq.toml"}}, {"options": ["--config", "rrq.toml"]}],
    ids=["environment", "option"],
)
def test_a_configuration_gives_the_settings_and_names_the_object(
    start: Start, project: Path, choice: dict[str, Any]
) -> None:
    runtime = start(settings=None, cwd=project, **choice)
    assert runtime.call("redis_dsn")["result"] == "redis://configured:6379/3"


def test_an_object_without_settings_takes_those_that_its_worker_finds(
    start: Start, project: Path
) -> None:
    runtime = start(settings="shop.app.first", cwd=project)
    assert runtime.call("redis_dsn")["result"] == "redis://configured:6379/3"
    told = {"RRQ_REDIS_DSN": "redis://told:6379/0"}
    runtime = start(settings="shop.app.first", cwd=project, environment=told)
    assert runtime.call("redis_dsn")["result"] == "redis://told:6379/0"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("shop.app.frist", "has no 'frist'. It has: first."),
        (
            "shop.app.job_registry",
            "shop.app.job_registry is a JobRegistry, not a PythonExecutorSettings.",
        ),
        ("shop.ap.first", "there is no module 'shop.ap'; looked in the current directory "),
        ("shopp.app.first", "there is no module 'shopp'; looked in the current directory "),
        ("first", "'first' names no object: write module.path.object or module.path:object"),
        ("shop/app.py", "names no object: write module.path.object or module.path:object"),
        ("", "no settings object is named: pass --settings module.path.object or set "),
    ],
)
def test_a_wrong_name_is_told_in_one_line(
    start: Start, project: Path, path: str, message: str
) -> None:
    runtime = start(settings=path, cwd=project)
    assert runtime.wait() == (1 if path else 2)
    assert runtime.next_line() is None
    [line] = runtime.log().splitlines()
    assert line.startswith("rrq-executor: ")
    assert message in line


def test_an_executor_whose_configuration_names_nothing_says_where_to_write_it(
    start: Start, project: Path
) -> None:
    environment = {"RRQ_EXECUTOR_CONFIG": "rrq.toml", "RRQ_EXECUTOR_NAME": "third"}
    runtime = start(settings=None, cwd=project, environment=environment)
    assert runtime.wait() == 2
    assert "write `settings` into [rrq.executors.third] of rrq.toml" in runtime.log()


@pytest.mark.parametrize(
    ("source", "headline"),
    [
        ("1 / 0", "importing broken raised ZeroDivisionError: division by zero"),
        ("import no_such_library", "importing broken raised ModuleNotFoundError: "),
        ("def broken(:", "importing broken raised SyntaxError: "),
        ("raise SystemExit('no licence')", "importing broken raised SystemExit: no licence"),
    ],
)
def test_a_module_that_raises_is_shown_with_its_traceback_below_one_clear_line(
    start: Start, tmp_path: Path, source: str, headline: str
) -> None:
    (tmp_path / "broken.py").write_text(source)
    runtime = start(settings="broken.settings", cwd=tmp_path)
    assert runtime.wait() == 1
    first_line, *traceback = runtime.log().splitlines()
    assert first_line.startswith(f"rrq-executor: broken.settings: {headline}")
    assert any("broken.py" in line for line in traceback)
    assert "importlib" not in runtime.log()


def test_what_a_module_prints_while_it_is_imported_goes_to_the_log(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / "loud.py").write_text(
        "from rrq import PythonExecutorSettings\n"
        "print('importing')\n"
        "settings = PythonExecutorSettings()"
    )
    runtime = start(settings="loud.settings", cwd=tmp_path)
    assert runtime.next_message()["type"] == "hello"
    assert runtime.log() == "importing\n"


@pytest.mark.parametrize(
    "option", [("--max-in-flight", "0"), ("--grace-seconds", "-1"), ("--wrong", "1")]
)
def test_a_wrong_option_is_wrong_usage(start: Start, option: tuple[str, str]) -> None:
    runtime = start(options=option)
    assert runtime.wait() == 2
    assert option[0] in runtime.log()
