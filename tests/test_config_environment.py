"""What the environment, `.env` and the command line have to say about the settings."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from rrq.config import load_settings
from rrq.exc import ConfigError
from rrq.settings import RRQSettings
from tests.support.configuration import leave_all_configuration, write


@pytest.fixture(autouse=True)
def empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_all_configuration(tmp_path, monkeypatch)


def test_every_scalar_key_has_a_variable_that_wins_over_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scalars = {
        name: field
        for name, field in RRQSettings.model_fields.items()
        if name not in ("executors", "executor_routes", "cron_jobs", "plugins")
    }
    values: dict[str, object] = {}
    for name, field in scalars.items():
        value = {int: "77", float: "0.75"}.get(field.annotation, "text")
        values[name] = value
        monkeypatch.setenv(f"RRQ_{name.upper()}", value)
    values["redis_dsn"] = "redis://from-environment/7"
    monkeypatch.setenv("RRQ_REDIS_DSN", "redis://from-environment/7")
    write("lease_seconds = 1\nmax_lost = 1\n")

    loaded = load_settings()
    assert loaded.settings == RRQSettings.model_validate(values)
    assert loaded.origins["lease_seconds"] == "RRQ_LEASE_SECONDS"
    assert loaded.warnings == []


@pytest.mark.parametrize("text", ["", "  "])
def test_a_variable_set_to_nothing_is_not_set(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("RRQ_MAX_LOST", text)
    write("max_lost = 1")
    assert load_settings().settings.max_lost == 1
    assert load_settings().origins["max_lost"] == "rrq.toml:1"


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("RRQ_MAX_LOST", "many", "RRQ_MAX_LOST is 'many', expected a whole number of at least 0"),
        ("RRQ_MAX_LOST", "-1", "RRQ_MAX_LOST is '-1', expected a whole number of at least 0"),
        (
            "RRQ_LEASE_SECONDS",
            "inf",
            "RRQ_LEASE_SECONDS is inf, expected a number greater than 0.1",
        ),
        ("RRQ_RETRY_JITTER", "10%", "RRQ_RETRY_JITTER is '10%', expected a number from 0 to 1"),
    ],
)
def test_a_variable_that_does_not_parse_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, message: str
) -> None:
    write("max_lost = 1")
    monkeypatch.setenv(variable, text)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert str(caught.value) == message


def test_a_variable_near_a_known_one_is_warned_about_and_others_are_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable in (
        "RRQ_REDIS_URL",
        "RRQ_MAXLOST",
        "RRQ_EXECUTORS",
        "RRQ_CONFIGS",
        "RRQ_DASHBOARD_COLOUR",
        "RRQ_WORKER_ID",
        "RRQ_TRACE_HOOKS",
    ):
        monkeypatch.setenv(variable, "x")
    assert load_settings().warnings == [
        "RRQ_CONFIGS is unknown; did you mean 'RRQ_CONFIG'?",
        "RRQ_EXECUTORS has no effect: 'executors' is set in the file only",
        "RRQ_MAXLOST is unknown; did you mean 'RRQ_MAX_LOST'?",
        "RRQ_REDIS_URL is unknown; did you mean 'RRQ_REDIS_DSN'?",
    ]


def test_disabled_plugins_of_the_environment_are_added_to_those_of_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RRQ_DISABLED_PLUGINS", "ddtrace, otel,,")
    assert load_settings().settings.plugins.disabled == ["ddtrace", "otel"]
    assert load_settings().origins["plugins.disabled"] == "RRQ_DISABLED_PLUGINS"
    write('[rrq.plugins]\ndisabled = ["otel"]\n')
    loaded = load_settings()
    assert loaded.settings.plugins.disabled == ["otel", "ddtrace"]
    assert loaded.origins["plugins.disabled"] == "rrq.toml:2 and RRQ_DISABLED_PLUGINS"
    write("[rrq.plugins]\ndisabled = 'otel'\n")
    with pytest.raises(ConfigError, match="expected a list"):
        load_settings()


def test_the_dsn_of_the_command_line_wins_over_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    write("redis_dsn = 'redis://file'")
    monkeypatch.setenv("RRQ_REDIS_DSN", "redis://variable")
    loaded = load_settings(redis_dsn="redis://option")
    assert loaded.settings.redis_dsn == "redis://option"
    assert loaded.origins["redis_dsn"] == "--redis-dsn"


@pytest.mark.parametrize("origin", ["file", "variable", "option"])
def test_a_dsn_that_is_none_is_told_with_its_origin_the_accepted_forms_and_no_password(
    monkeypatch: pytest.MonkeyPatch, origin: str
) -> None:
    dsn = "http://:s3cret@host"
    if origin == "file":
        write(f"[rrq]\nredis_dsn = '{dsn}'\n")
    elif origin == "variable":
        monkeypatch.setenv("RRQ_REDIS_DSN", dsn)
    with pytest.raises(ConfigError) as caught:
        load_settings(redis_dsn=dsn if origin == "option" else None)
    start = {
        "file": "rrq.toml:2: 'rrq.redis_dsn'",
        "variable": "RRQ_REDIS_DSN",
        "option": "--redis-dsn",
    }[origin]
    first, second = str(caught.value).splitlines()
    assert first.startswith(f"{start} is 'http://***@host': it does not begin with redis://")
    assert re.search("redis://.*rediss://.*unix://", second)
    assert "s3cret" not in str(caught.value)


def test_a_password_is_not_shown_when_the_dsn_has_the_wrong_type() -> None:
    for line in ("redis_dsn = ['redis://:s3cret@host']", "max_lost = 'redis://:s3cret@host'"):
        write(line)
        with pytest.raises(ConfigError) as caught:
            load_settings()
        assert "s3cret" not in str(caught.value)


# -- .env ---------------------------------------------------------------------------------------


def test_dotenv_is_read_and_the_real_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dotenv")
    write("key_prefix = 'named'\n", "named.toml")
    write(
        "RRQ_CONFIG=named.toml\nexport RRQ_MAX_LOST=2\nRRQ_LEASE_SECONDS=9\nRRQ_TIMEZONE='UTC'\n"
        "OTHER=1\n",
        ".env",
    )
    monkeypatch.setenv("RRQ_LEASE_SECONDS", "4")
    monkeypatch.setenv("RRQ_TIMEZONE", "")
    loaded = load_settings()
    assert loaded.settings == RRQSettings(key_prefix="named", max_lost=2, lease_seconds=4)
    assert loaded.origins["max_lost"] == "RRQ_MAX_LOST (.env)"
    assert loaded.origins["lease_seconds"] == "RRQ_LEASE_SECONDS"
    assert loaded.reason == "RRQ_CONFIG"
    assert "RRQ_MAX_LOST" not in os.environ


def test_a_wrong_value_in_dotenv_is_said_to_come_from_there() -> None:
    pytest.importorskip("dotenv")
    write("RRQ_MAX_LOST=many\n", ".env")
    with pytest.raises(ConfigError, match=r"^RRQ_MAX_LOST \(\.env\) is 'many'"):
        load_settings()


def test_without_python_dotenv_a_dotenv_that_matters_is_warned_about(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "dotenv", None)
    write("# RRQ_KEY_PREFIX=no\nOTHER=1\n", ".env")
    assert load_settings().warnings == []
    write("RRQ_MAX_LOST=2\n", ".env")
    loaded = load_settings()
    assert loaded.settings.max_lost == 5
    assert loaded.warnings == [
        ".env sets RRQ_MAX_LOST, but is not read: python-dotenv is not installed"
    ]
    monkeypatch.setenv("RRQ_MAX_LOST", "2")
    assert load_settings().warnings == []


def test_a_dotenv_that_cannot_be_read_is_a_warning() -> None:
    write(b"RRQ_MAX_LOST=\xff\n", ".env")
    assert load_settings().warnings == [".env cannot be read: not UTF-8"]
    Path(".env").unlink()
    Path(".env").mkdir()
    assert load_settings().warnings == []
