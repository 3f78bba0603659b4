"""`[rrq.executors.NAME]`, checked against the model of its transport: what a mistake is told as."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from rrq.config import load_settings
from rrq.config.executors import executor_options
from rrq.exc import ConfigError
from rrq.settings import ExecutorConfig
from tests.support.configuration import leave_all_configuration, write


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid")

    cmd: list[str] = Field(min_length=1)
    pool_size: int = Field(default=1, ge=1)
    wait_seconds: float = Field(default=1.0, gt=0)
    env: dict[str, str] = Field(default_factory=dict)
    api_token: int = 0
    mode: Literal["fast", "safe"] = "safe"
    name: str = Field(default="x", min_length=1)

    @field_validator("name")
    @classmethod
    def _must_be_lower_case(cls, name: str) -> str:
        if name != name.lower():
            raise ValueError(f"{name!r} is not lower case")
        return name


@pytest.fixture(autouse=True)
def _nothing_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_all_configuration(tmp_path, monkeypatch)


def refusal(table: str) -> str:
    """The message about an executor's table, which begins at line 2 of the file."""
    write(f"[rrq.executors.shop]\n{table}\n")
    loaded = load_settings()
    with pytest.raises(ConfigError) as error:
        executor_options("shop", loaded.settings.executors["shop"], Table, loaded)
    return str(error.value)


def test_a_sound_table_becomes_its_transports_model() -> None:
    options = executor_options("shop", ExecutorConfig(cmd=["cat"], pool_size=2), Table)

    assert options == Table(cmd=["cat"], pool_size=2)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('cmdd = ["cat"]', 'rrq.toml:2: {} has an unknown key "cmdd". Did you mean "cmd"?'),
        ('tipe = "stdio"', 'rrq.toml:2: {} has an unknown key "tipe". Did you mean "type"?'),
        (
            'cmd = ["cat"]\nqqq = 1',
            'rrq.toml:3: {} has an unknown key "qqq". Known to type stdio are type, cmd, '
            "pool_size, wait_seconds, env, api_token, mode, name.",
        ),
        ("pool_size = 1", "rrq.toml: {} cmd is missing: type stdio needs it"),
        ('cmd = "cat"', "rrq.toml:2: {} cmd is 'cat', expected a list"),
        ("cmd = []", "rrq.toml:2: {} cmd has too few members: expected at least 1"),
        ('cmd = ["cat", 3]', "rrq.toml:2: {} cmd.1 is 3, expected a string"),
        (
            'cmd = ["cat"]\npool_size = 0',
            "rrq.toml:3: {} pool_size is 0, expected a number of at least 1",
        ),
        (
            'cmd = ["cat"]\npool_size = 1.5',
            "rrq.toml:3: {} pool_size is 1.5, expected a whole number",
        ),
        (
            'cmd = ["cat"]\nwait_seconds = 0',
            "rrq.toml:3: {} wait_seconds is 0, expected a number greater than 0.0",
        ),
        ('cmd = ["cat"]\nenv = 3', "rrq.toml:3: {} env is 3, expected a table"),
        ('cmd = ["cat"]\nenv.A = ["x"]', "rrq.toml:3: {} env.A is a list, expected a string"),
        (
            'cmd = ["cat"]\nmode = "slow"',
            "rrq.toml:3: {} mode is 'slow', expected 'fast' or 'safe'",
        ),
        (
            'cmd = ["cat"]\nname = ""',
            "rrq.toml:3: {} name is '', expected a string that is not empty",
        ),
        ('cmd = ["cat"]\nname = "X"', "rrq.toml:3: {} name: 'X' is not lower case"),
    ],
)
def test_a_mistake_is_told_with_its_place_what_it_is_and_what_is_expected(
    table: str, said: str
) -> None:
    assert refusal(table) == said.format("[rrq.executors.shop]")


def test_of_several_mistakes_each_has_its_line_the_unknown_key_the_first_one() -> None:
    said = refusal('pool_size = 0\nwait_seconds = 0\ncmd = ["cat"]\nqqq = 1')

    assert [line.split(" Known")[0] for line in said.splitlines()] == [
        'rrq.toml:5: [rrq.executors.shop] has an unknown key "qqq".',
        "rrq.toml:2: [rrq.executors.shop] pool_size is 0, expected a number of at least 1",
        "rrq.toml:3: [rrq.executors.shop] wait_seconds is 0, expected a number greater than 0.0",
    ]


def test_what_may_be_a_secret_is_not_shown() -> None:
    said = refusal('cmd = ["cat"]\napi_token = "geheim"')

    assert said == "rrq.toml:3: [rrq.executors.shop] api_token is '***', expected a whole number"


def test_without_a_file_the_table_alone_is_the_place() -> None:
    with pytest.raises(ConfigError) as error:
        executor_options("shop", ExecutorConfig(), Table)

    assert str(error.value) == "[rrq.executors.shop] cmd is missing: type stdio needs it"
