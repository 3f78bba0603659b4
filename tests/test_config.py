"""Which configuration file is read, and what is said about one that is wrong."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from rrq.config import load_settings, load_toml_settings
from rrq.exc import ConfigError, ConfigNotFound
from rrq.settings import RRQSettings
from tests.support.configuration import leave_all_configuration, write


@pytest.fixture(autouse=True)
def empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_all_configuration(tmp_path, monkeypatch)


def message_of(text: str | bytes) -> str:
    """What is said about a file with this text; always one or two lines."""
    write(text)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    message = str(caught.value)
    assert len(message.splitlines()) <= 2
    return message


# -- which file ---------------------------------------------------------------------------


def test_the_given_file_wins_over_the_variable_and_that_over_the_current_directory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write('key_prefix = "here"')
    assert load_settings().settings.key_prefix == "here"
    assert load_settings().reason == "./rrq.toml"

    monkeypatch.setenv("RRQ_CONFIG", str(write('key_prefix = "variable"', "variable.toml")))
    assert load_settings().settings.key_prefix == "variable"
    assert load_settings().reason == "RRQ_CONFIG"

    given = write('key_prefix = "given"', "given.toml")
    loaded = load_settings(given)
    assert (loaded.settings.key_prefix, loaded.path, loaded.reason) == ("given", given, "--config")
    assert load_toml_settings(str(given)).key_prefix == "given"


def test_without_a_file_a_command_works_from_defaults_and_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RRQ_MAX_LOST", "2")
    loaded = load_settings()
    assert loaded.settings == RRQSettings(max_lost=2)
    assert (loaded.path, loaded.reason, loaded.warnings) == (None, "no file", [])
    assert loaded.origins["max_lost"] == "RRQ_MAX_LOST"
    assert loaded.origins["lease_seconds"] == "default"


def test_without_a_file_a_worker_and_load_toml_settings_say_how_to_give_one() -> None:
    with pytest.raises(ConfigNotFound, match=r"--config.*RRQ_CONFIG"):
        load_settings(require_file=True)
    with pytest.raises(FileNotFoundError, match=r"no rrq\.toml in the current directory"):
        load_toml_settings()


def test_a_named_file_must_be_there_even_for_a_command_that_needs_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ConfigNotFound, match=r"^gone\.toml: there is no .* \(--config\)$"):
        load_settings("gone.toml")
    monkeypatch.setenv("RRQ_CONFIG", "gone/too.toml")
    with pytest.raises(FileNotFoundError, match=r"^gone/too\.toml: .* \(RRQ_CONFIG\)$"):
        load_settings()


def test_a_link_to_nowhere_is_a_missing_file_rather_than_none() -> None:
    Path("rrq.toml").symlink_to("gone.toml")
    with pytest.raises(ConfigNotFound, match=r"^rrq\.toml: "):
        load_settings()


def test_a_variable_set_to_nothing_names_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RRQ_CONFIG", " ")
    assert load_settings().reason == "no file"


def test_a_tilde_means_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(Path.cwd()))
    write('key_prefix = "home"', "mine.toml")
    assert load_settings("~/mine.toml").settings.key_prefix == "home"


# -- what a file may look like --------------------------------------------------------------


@pytest.mark.parametrize("content", ["", "\n# nothing yet\n", "[rrq]\n", b"\xef\xbb\xbf"])
def test_an_empty_file_gives_the_defaults(content: str | bytes) -> None:
    write(content)
    assert load_toml_settings() == RRQSettings()


def test_keys_stand_at_the_top_level_or_below_rrq() -> None:
    keys = 'max_lost = 3\n[{0}executors.go]\ncmd = ["./go"]\npool_size = 2\n'
    write(keys.format(""))
    top_level = load_toml_settings()
    write("[rrq]\n" + keys.format("rrq."))
    assert load_toml_settings() == top_level
    assert top_level.max_lost == 3
    assert top_level.executors["go"].type == "stdio"
    assert top_level.executors["go"].transport_options() == {"cmd": ["./go"], "pool_size": 2}


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm() -> None:
    write(b"\xef\xbb\xbf[rrq]\r\nmax_lost = 3\r\nlease_seconds = 4\r\n")
    loaded = load_settings()
    assert (loaded.settings.max_lost, loaded.settings.lease_seconds) == (3, 4)
    assert loaded.origins["lease_seconds"] == "rrq.toml:3"


def test_beside_the_rrq_table_others_may_keep_theirs_and_our_own_keys_are_warned_about() -> None:
    write('redis_dsn = "redis://elsewhere"\n[rrq]\nmax_lost = 3\n[tool.other]\nx = 1\n')
    loaded = load_settings()
    assert loaded.settings == RRQSettings(max_lost=3)
    assert loaded.warnings == [
        "rrq.toml:1: 'redis_dsn' stands outside of [rrq] and has no effect there"
    ]


def test_load_toml_settings_logs_the_warnings(caplog: pytest.LogCaptureFixture) -> None:
    write("max_lost = 1\n[rrq]\n")
    with caplog.at_level(logging.WARNING, logger="rrq.config"):
        load_toml_settings()
    assert "rrq.toml:1: 'max_lost' stands outside" in caplog.text


def test_routing_and_executor_routes_are_one_key() -> None:
    for name in ("routing", "executor_routes"):
        write(f'[rrq.{name}]\nimages = "go"\n"rrq:queue:mail" = "python"\n')
        assert load_toml_settings().executor_routes == {"images": "go", "rrq:queue:mail": "python"}
    message = message_of('[rrq.routing]\na = "b"\n[rrq.executor_routes]\na = "b"\n')
    assert (
        message == "rrq.toml:1: 'routing' and 'executor_routes' are the same key; keep one of them"
    )


def test_tables_of_plugins_and_executors_take_any_key() -> None:
    write('[rrq.plugins]\ndisabled = ["otel"]\n[rrq.plugins.audit]\nlevel = { deep = [1] }\n')
    plugins = load_toml_settings().plugins
    assert plugins.disabled == ["otel"]
    assert plugins.table("audit") == {"level": {"deep": [1]}}


def test_names_of_queues_follow_the_prefix_wherever_it_comes_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RRQ_KEY_PREFIX", "{shop}")
    assert load_settings().settings.default_queue_name == "{shop}:queue:default"


# -- what is wrong with a file ----------------------------------------------------------------


def test_a_directory_is_not_a_file() -> None:
    Path("conf").mkdir()
    with pytest.raises(ConfigError, match=r"^conf is a directory; name the file in it"):
        load_settings("conf")
    Path("rrq.toml").mkdir()
    with pytest.raises(ConfigError, match=r"^rrq\.toml is a directory"):
        load_settings()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_named_with_the_reason() -> None:
    write("").chmod(0)
    with pytest.raises(ConfigError, match=r"^rrq\.toml cannot be read: Permission denied"):
        load_settings()


def test_a_path_that_no_system_takes_is_an_error_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings("a\0b")


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ("[rrq]\nmax_lost = \n", "rrq.toml:2:12: not valid TOML: "),
        ("[rrq]\ntimezone = Europe/Berlin\n", "rrq.toml:2:12: not valid TOML: "),
        ("max_lost = 1\nmax_lost = 2\n", "rrq.toml:2:13: not valid TOML: "),
        ("[rrq.routing]\na = 'b'\n[rrq.routing]\n", "rrq.toml:3:13: not valid TOML: "),
        ('[rrq]\nkey_prefix = """x\n', "rrq.toml: not valid TOML: "),
        ("x = " + "[" * 5000, "rrq.toml: "),
        (b"[rrq]\nkey_prefix = '\xe9'\n", "rrq.toml:2: not UTF-8"),
        ("[rrq]\n".encode("utf-16"), "rrq.toml is UTF-16; save it as UTF-8"),
    ],
)
def test_a_file_that_is_not_toml_is_told_with_its_line(content: str | bytes, place: str) -> None:
    assert message_of(content).startswith(place)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "[rrq]\nmax_lost = 1\nworker_concurency = 4\n",
            "rrq.toml:3: unknown key 'rrq.worker_concurency'. Did you mean \"worker_concurrency\"?",
        ),
        ("redis-dsn = ''\n", "rrq.toml:1: unknown key 'redis-dsn'. Did you mean \"redis_dsn\"?"),
        ("[rrq]\nqqqq = 1\n", "rrq.toml:2: unknown key 'rrq.qqqq'."),
        ("\n[rqr]\nmax_lost = 1\n", "rrq.toml:2: unknown key 'rqr'. Did you mean \"rrq\"?"),
        (
            '[rrq.executor.go]\ncmd = ["x"]\n',
            "rrq.toml:1: unknown key 'rrq.executor'. Did you mean \"executors\"?",
        ),
        (
            '[[rrq.cron_jobs]]\nfunction_name="a"\nschedule="* * * * *"\n'
            '[[rrq.cron_jobs]]\nfunction_name="b"\nschedul="* * * * *"\n',
            "rrq.toml:6: unknown key 'rrq.cron_jobs[1].schedul'. Did you mean \"schedule\"?\n"
            "rrq.toml:4: 'rrq.cron_jobs[1].schedule' is missing",
        ),
        (
            '[[rrq.cron_jobs]]\nfunction_name="a"\n',
            "rrq.toml:1: 'rrq.cron_jobs[0].schedule' is missing",
        ),
        (
            '[rrq.cron_jobs]\nfunction_name="a"\n',
            "rrq.toml:1: 'rrq.cron_jobs' is a table, expected an array of tables: "
            "write [[rrq.cron_jobs]]",
        ),
        (
            '[rrq.plugins]\ndisable = ["otel"]\n',
            "rrq.toml:2: 'rrq.plugins.disable' is a list, expected a plugin's table. "
            'Did you mean "disabled"?',
        ),
    ],
)
def test_an_unknown_or_missing_key_is_told_with_line_and_remedy(content: str, message: str) -> None:
    assert message_of(content) == message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("max_lost = 'many'", "1: 'max_lost' is 'many', expected a whole number of at least 0"),
        ("max_lost = -1", "1: 'max_lost' is -1, expected a whole number of at least 0"),
        ("max_lost = true", "1: 'max_lost' is true, expected a whole number of at least 0"),
        ("max_lost = 1.5", "1: 'max_lost' is 1.5, expected a whole number of at least 0"),
        ("max_lost = [1]", "1: 'max_lost' is a list, expected a whole number of at least 0"),
        ("retry_jitter = 2", "1: 'retry_jitter' is 2, expected a number from 0 to 1"),
        ("lease_seconds = 0.1", "1: 'lease_seconds' is 0.1, expected a number greater than 0.1"),
        ("lease_seconds = inf", "1: 'lease_seconds' is inf, expected a number greater than 0.1"),
        ("key_prefix = ''", "1: 'key_prefix' is '', expected a string that is not empty"),
        ("key_prefix = 7", "1: 'key_prefix' is 7, expected a string that is not empty"),
        ("timezone = 07:00:00", "1: 'timezone' is a time, expected a string"),
        ("executors = ['go']", "1: 'executors' is a list, expected a table"),
        ("\n[executors]\ngo = './go'", "3: 'executors.go' is './go', expected a table"),
        ("[executors.go]\ntype = 3", "2: 'executors.go.type' is 3, expected a string"),
        ("[routing]\nmail = 3", "2: 'routing.mail' is 3, expected a string"),
        (
            "[routing]\n'rrq:queue:a.b' = []",
            "2: 'routing.\"rrq:queue:a.b\"' is a list, expected a string",
        ),
        ("plugins = 'otel'", "1: 'plugins' is 'otel', expected a table"),
        ("plugins.disabled = 'otel'", "1: 'plugins.disabled' is 'otel', expected a list"),
        (
            "[plugins]\ndisabled = [\n  'otel',\n  3,\n]",
            "2: 'plugins.disabled[1]' is 3, expected a string",
        ),
        (
            "[[cron_jobs]]\nfunction_name='a'\nschedule='* * * * *'\nmisfire='maybe'",
            "4: 'cron_jobs[0].misfire' is 'maybe', expected 'skip' or 'run'",
        ),
        (
            "[[cron_jobs]]\nfunction_name='a'\nschedule='* * * * *'\nargs={a=1}",
            "4: 'cron_jobs[0].args' is a table, expected a list",
        ),
        ("rrq = 3", "1: 'rrq' must be a table: write [rrq]"),
    ],
)
def test_a_wrong_value_is_told_with_line_key_value_and_what_is_expected(
    content: str, message: str
) -> None:
    assert message_of(content) == f"rrq.toml:{message}"


def test_each_of_several_mistakes_has_its_own_line() -> None:
    write("[rrq]\nmax_lost = -1\nlease_secods = 3\nredis_dsn = 'localhost'\nlease_seconds = inf\n")

    with pytest.raises(ConfigError) as caught:
        load_settings()

    *lines, accepted = str(caught.value).splitlines()
    assert lines == [
        "rrq.toml:3: unknown key 'rrq.lease_secods'. Did you mean \"lease_seconds\"?",
        "rrq.toml:5: 'rrq.lease_seconds' is inf, expected a number greater than 0.1",
        "rrq.toml:2: 'rrq.max_lost' is -1, expected a whole number of at least 0",
        "rrq.toml:4: 'rrq.redis_dsn' is 'localhost': it does not begin with redis://, "
        "rediss:// or unix://.",
    ]
    assert accepted.startswith("Accepted are redis://")


def test_beyond_ten_mistakes_the_others_are_counted() -> None:
    write("[rrq]\n" + "".join(f"odd_{number} = 1\n" for number in range(12)))

    with pytest.raises(ConfigError) as caught:
        load_settings()

    lines = str(caught.value).splitlines()
    assert [line.split(":")[1] for line in lines[:-1]] == [str(line) for line in range(2, 12)]
    assert lines[-1] == "And 2 more problems."


def test_a_wrong_value_is_never_shown_in_full_length() -> None:
    message = message_of(f"max_lost = '{'x' * 10_000}'")
    assert len(message) < 200
