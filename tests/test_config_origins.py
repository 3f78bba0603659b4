"""Where every value comes from, how it is shown, and whether it fits the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from rrq.config import check_references, effective_configuration, load_settings
from rrq.settings import RRQSettings
from tests.support.configuration import leave_all_configuration, write


@pytest.fixture(autouse=True)
def empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_all_configuration(tmp_path, monkeypatch)


def test_every_value_has_its_line_its_variable_or_is_a_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RRQ_LEASE_SECONDS", "3")
    write(
        """[rrq]
max_lost = 1  # "quoted" [not a table]
key_prefix = '''
rrq'''
executors.go.cmd = [
  "a", # ]
  "b",
]
[rrq.executors.python]
type = "python"
env = { A = "1" }

[rrq.routing]
"rrq:queue:x.y" = "go"

[[rrq.cron_jobs]]
function_name = "a"
schedule = "* * * * *"
[[rrq.cron_jobs]]
function_name = "b"
schedule = "* * * * *"
[rrq.cron_jobs.kwargs]
depth = 2
"""
    )
    origins = load_settings().origins
    expected = {
        "lease_seconds": "RRQ_LEASE_SECONDS",
        "max_lost": "rrq.toml:2",
        "key_prefix": "rrq.toml:3",
        "executors.go.cmd": "rrq.toml:5",
        "executors.go.type": "default",
        "executors.python.type": "rrq.toml:10",
        "executors.python.env.A": "rrq.toml:11",
        'executor_routes."rrq:queue:x.y"': "rrq.toml:14",
        "cron_jobs[0].schedule": "rrq.toml:18",
        "cron_jobs[0].kwargs": "default",
        "cron_jobs[1].schedule": "rrq.toml:21",
        "cron_jobs[1].kwargs.depth": "rrq.toml:23",
        "cron_jobs[1].misfire": "default",
        "max_retry_delay_seconds": "default",
        "plugins.disabled": "default",
    }
    assert {key: origins[key] for key in expected} == expected


def test_keys_behind_a_very_long_statement_still_name_the_file() -> None:
    long_list = "[\n" + "1,\n" * 300 + "]"
    write(f"plugins.audit.numbers = {long_list}\nmax_lost = 1\n")
    loaded = load_settings()
    assert loaded.settings.max_lost == 1
    assert loaded.origins["max_lost"] == "rrq.toml"


def test_the_effective_configuration_has_every_value_and_no_secret() -> None:
    write(
        """[rrq]
redis_dsn = "redis://:s3cret@host:6379/0"
[rrq.executors.token-service]
cmd = ["serve", "--redis", "redis://:s3cret@host"]
env = { DATABASE_PASSWORD = "s3cret", DATABASE_URL = "postgres://u:s3cret@db/x", MODE = "fast" }
[rrq.plugins.audit]
api_key = "s3cret"
max_tokens = 5
"""
    )
    rows = {key: (value, origin) for key, value, origin in effective_configuration(load_settings())}
    assert "s3cret" not in str(rows)
    assert rows["redis_dsn"] == ("redis://:***@host:6379/0", "rrq.toml:2")
    assert rows["executors.token-service.cmd"][0] == ["serve", "--redis", "redis://:***@host"]
    assert rows["executors.token-service.env.MODE"] == ("fast", "rrq.toml:5")
    assert rows["executors.token-service.env.DATABASE_URL"][0] == "postgres://***@db/x"
    assert rows["plugins.audit.api_key"] == ("***", "rrq.toml:7")
    assert rows["plugins.audit.max_tokens"] == (5, "rrq.toml:8")
    assert rows["timezone"] == (None, "default")
    assert rows["cron_jobs"] == ([], "default")
    assert {key.split(".")[0] for key in rows} == set(RRQSettings.model_fields)


def test_executors_that_are_named_but_not_configured_are_reported_with_the_known_ones() -> None:
    settings = RRQSettings.model_validate(
        {"executors": {"go": {}, "rust": {}}, "routing": {"mail": "rus", "images": "go"}}
    )
    assert check_references(settings) == [
        "There is no executor 'python', which 'default_executor_name' names; "
        "configured are go, rust.",
        "There is no executor 'rus', which the route of queue 'mail' names; "
        'configured are go, rust. Did you mean "rust"?',
    ]
    assert check_references(RRQSettings.model_validate({"executors": {"python": {}}})) == []
    assert check_references(RRQSettings()) == [
        "No executor is configured: a worker needs at least [rrq.executors.python]."
    ]
