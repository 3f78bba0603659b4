"""The command line learns which plugins are off at once, and from broken files too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rrq.plugins.disabled import disabled_plugin_names
from tests.support.configuration import leave_all_configuration


@pytest.fixture(autouse=True)
def empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_all_configuration(tmp_path, monkeypatch)


def test_names_come_from_the_file_and_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert disabled_plugin_names() == frozenset()
    monkeypatch.setenv("RRQ_DISABLED_PLUGINS", " otel ,ddtrace,")
    Path("rrq.toml").write_text('[rrq.plugins]\ndisabled = ["audit"]\n')
    assert disabled_plugin_names() == {"otel", "ddtrace", "audit"}


def test_the_file_is_chosen_as_the_settings_choose_it(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("rrq.toml").write_text('[plugins]\ndisabled = ["here"]\n')
    assert disabled_plugin_names() == {"here"}
    Path("variable.toml").write_text('[plugins]\ndisabled = ["variable"]\n')
    monkeypatch.setenv("RRQ_CONFIG", "variable.toml")
    assert disabled_plugin_names() == {"variable"}
    Path("given.toml").write_text('[plugins]\ndisabled = ["given"]\n')
    assert disabled_plugin_names("given.toml") == {"given"}


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("[rrq]\nredis_dsn = oops\n[rrq.plugins]\ndisabled = ['a']\n", {"a"}),
        ("[rrq.plugins]\r\ndisabled = ['a']\r\n[rrq]\r\nredis_dsn oops\r\n", {"a"}),
        ("[rrq.plugins]\ndisabled = ['a'\n", set()),
        ("[rrq.plugins]\ndisabled = 'a'\n", {"a"}),
        ("[rrq.plugins]\ndisabled = ['a', 3, {}]\n", {"a"}),
        ("[rrq.plugins]\ndisabled = 3\n", set()),
        ("rrq = 3 # disabled\n", set()),
        ("[rrq]\nplugins = 'disabled'\n", set()),
        ("disabled = " + "[" * 5000, set()),
        ("disabled =\n" * 100, set()),
    ],
)
def test_a_broken_file_says_what_can_be_read_of_it(content: str, names: set[str]) -> None:
    Path("rrq.toml").write_text(content)
    assert disabled_plugin_names() == names


def test_a_file_that_cannot_be_read_says_nothing() -> None:
    assert disabled_plugin_names("gone.toml") == frozenset()
    assert disabled_plugin_names(".") == frozenset()
    assert disabled_plugin_names("a\0b") == frozenset()
    Path("rrq.toml").write_bytes(b"disabled = '\xff'")
    assert disabled_plugin_names() == frozenset()


def test_a_pipe_is_left_for_the_settings_to_read() -> None:
    reader, writer = os.pipe()
    try:
        os.write(writer, b"[plugins]\ndisabled = ['a']\n")
        assert disabled_plugin_names(f"/dev/fd/{reader}") == frozenset()
        assert os.read(reader, 9) == b"[plugins]"
    finally:
        os.close(reader)
        os.close(writer)


def test_reading_them_imports_nothing_heavy() -> None:
    program = (
        "import sys; from rrq.plugins.disabled import disabled_plugin_names;"
        "disabled_plugin_names();"
        "print([name for name in ('pydantic', 'tomllib', 'asyncio', 'difflib',"
        " 'redis', 'rrq.settings') if name in sys.modules])"
    )
    Path("rrq.toml").write_text('[rrq.executors.go]\ncmd = ["go"]\n')
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
