"""The configuration's page in the docs and the settings say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rrq.config import check_references, load_settings
from rrq.config.environment import RESERVED_VARIABLES
from rrq.config.problems import SCALAR_KEYS
from rrq.exc import ConfigError
from rrq.settings import CronJob, RRQSettings
from tests.support.configuration import leave_all_configuration

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "configuration.md"


@pytest.fixture(autouse=True)
def empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_all_configuration(tmp_path, monkeypatch)


def rows() -> dict[str, list[str]]:
    """The cells of every table row, by the first code span in it."""
    found: dict[str, list[str]] = {}
    for line in PAGE.read_text().splitlines():
        if match := re.match(r"\| `([^`]+)`", line):
            found.setdefault(match[1], [cell.strip() for cell in line.strip("|").split("|")])
    return found


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.S)


@pytest.mark.parametrize("key", SCALAR_KEYS)
def test_every_scalar_key_is_documented_with_default_unit_and_variable(key: str) -> None:
    _, default, unit, variable, meaning = rows()[key]
    actual = RRQSettings.model_fields[key].default
    written = "the server's" if actual is None else f"`{actual}`"
    assert default.replace('"', "") == written
    assert variable == f"`RRQ_{key.upper()}`"
    assert meaning
    assert unit or not isinstance(actual, int | float)
    assert not key.endswith("_seconds") or unit == "seconds"


def test_every_table_and_every_other_variable_is_documented() -> None:
    text = PAGE.read_text()
    for key in (*RRQSettings.model_fields, *CronJob.model_fields, *RESERVED_VARIABLES):
        assert f"`{key}`" in text


def test_the_page_documents_no_key_that_is_not_there() -> None:
    known = {
        *RRQSettings.model_fields,
        *CronJob.model_fields,
        "routing",
        "type",
        "disabled",
        "w3c_owner",
    }
    assert {key for key in rows() if re.fullmatch("[a-z_]+", key)} <= known


def test_the_examples_of_the_page_are_valid_and_complete() -> None:
    for example in blocks("toml"):
        Path("rrq.toml").write_text(example)
        loaded = load_settings()
        assert loaded.warnings == []
        assert check_references(loaded.settings) == []


def test_the_python_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    for example in blocks("python"):
        exec(compile(example, str(PAGE), "exec"), {})
    assert "max_lost = 5  # default" in capsys.readouterr().out


def test_the_mistakes_of_the_page_read_as_they_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def message() -> str:
        with pytest.raises(ConfigError) as caught:
            load_settings()
        return str(caught.value)

    said = []
    Path("rrq.toml").write_text("[rrq]\n\n\nworker_concurency = 1\n")
    said.append(message())
    Path("rrq.toml").write_text("[rrq]\n\n\n\n\n\nretry_jitter = 2\n")
    said.append(message())
    Path("rrq.toml").write_text("")
    monkeypatch.setenv("RRQ_MAX_LOST", "many")
    said.append(message())
    assert blocks("text")[-1].splitlines() == said
