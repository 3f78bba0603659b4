"""The frame of the command line: how it starts, what it imports, how it fails and exits."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.distributions import Site, rrq_command

NOISY = """
    print("imported")
    import rrq
    from rrq.cli.groups import command_group

    @rrq.hookimpl
    def rrq_commands(app):
        @app.command("honk")
        def honk():
            print("Honk.")
"""


def command(body: str, name: str = "try") -> str:
    """A plugin with one command that does this."""
    return f"""
    import rrq

    @rrq.hookimpl
    def rrq_commands(app):
        @app.command("{name}")
        def attempt():
            {body}
    """


def test_a_plugins_commands_stand_under_a_heading_of_their_own(site: Site) -> None:
    site.install("rrq-goose", NOISY)

    lines = site.rrq("--help").stdout.splitlines()

    heading = lines.index("Commands of plugin goose:")
    assert lines[heading + 1].split() == ["honk"]
    assert lines.index("Commands:") < heading


def test_a_plugins_command_runs(site: Site) -> None:
    site.install("rrq-goose", NOISY)

    ran = site.rrq("honk")

    assert ran.returncode == 0
    assert ran.stdout.endswith("Honk.\n")


def test_a_command_of_our_own_is_built_without_any_plugin(site: Site) -> None:
    site.install("rrq-goose", NOISY)

    ran = site.rrq("plugins", "--help")

    assert ran.returncode == 0
    assert "imported" not in ran.stderr


def test_the_version_names_the_plugins_without_importing_them(site: Site) -> None:
    from rrq import __version__

    site.install("rrq-goose", NOISY, version="4.2")

    ran = site.rrq("--version")

    assert ran.stdout.splitlines()[0] == f"rrq {__version__}"
    assert "goose 4.2 (rrq-goose)" in ran.stdout.splitlines()
    assert "imported" not in ran.stderr


def test_without_plugins_their_commands_are_unknown_and_the_error_says_why(site: Site) -> None:
    site.install("rrq-goose", NOISY)

    ran = site.rrq("--no-plugins", "honk")

    assert ran.returncode == 2
    assert ran.stderr.splitlines() == [
        'error: No such command "honk".',
        "Plugins are switched off by --no-plugins.",
    ]


def test_a_misspelt_command_is_wrong_usage_and_the_nearest_is_named(site: Site) -> None:
    ran = site.rrq("plugns")

    assert ran.returncode == 2
    assert 'error: No such command "plugns". Did you mean "plugins"?' in ran.stderr
    assert "`rrq plugins list`" in ran.stderr


def test_a_misspelt_subcommand_and_option_are_answered_in_two_lines(site: Site) -> None:
    for arguments, message in (
        (("plugins", "lst"), 'error: No such command "lst". Did you mean "list"?'),
        (("plugins", "list", "--jsn"), "error: No such option: --jsn"),
    ):
        ran = site.rrq(*arguments)

        assert ran.returncode == 2
        assert ran.stdout == ""
        lines = ran.stderr.splitlines()
        assert len(lines) == 2
        assert lines[0].startswith(message)
        assert lines[1].startswith("Try `rrq plugins")


def test_without_a_command_the_help_is_shown_as_wrong_usage(site: Site) -> None:
    for arguments in ((), ("plugins",)):
        ran = site.rrq(*arguments)

        assert ran.returncode == 2
        assert ran.stdout.startswith(" ".join(("Usage: rrq", *arguments)))


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("from rrq.exc import RRQError; raise RRQError('no luck')", 1, "error: no luck\n"),
        ("from rrq.exc import ConfigError; raise ConfigError('bad key')", 2, "error: bad key\n"),
        ("raise KeyboardInterrupt", 130, ""),
        ("import typer; raise typer.Exit(7)", 7, ""),
        ("import typer; raise typer.Abort", 1, "Nothing was done.\n"),
        ("return 3", 0, ""),
    ],
    ids=["error", "configuration", "interrupt", "exit code", "declined", "answer"],
)
def test_what_a_command_raises_becomes_an_exit_code_and_no_traceback(
    site: Site, body: str, code: int, said: str
) -> None:
    site.install("rrq-try", command(body))

    ran = site.rrq("try")

    assert (ran.returncode, ran.stdout, ran.stderr) == (code, "", said)


def test_a_bug_in_a_command_keeps_its_traceback(site: Site) -> None:
    site.install("rrq-try", command("1 / 0"))

    ran = site.rrq("try")

    assert ran.returncode == 1
    assert "Traceback" in ran.stderr
    assert "rrq_try.py" in ran.stderr
    assert "ZeroDivisionError" in ran.stderr


def test_control_c_ends_a_command_quietly(site: Site) -> None:
    site.install("rrq-try", command("import time; print('on', flush=True); time.sleep(60)"))
    process = subprocess.Popen(
        [str(rrq_command()), "try"],
        env=site.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "on\n"

    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)

    assert (process.returncode, said) == (130, "")


@pytest.mark.parametrize("body", ["print('one line')", "print('many lines\\n' * 100_000)"])
def test_a_reader_that_left_is_no_reason_to_complain(site: Site, body: str) -> None:
    site.install("rrq-try", command(body))
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ran = subprocess.run(
            [str(rrq_command()), "try"],
            env=site.environment(),
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writer)

    assert (ran.returncode, ran.stderr) == (1, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is full")
@pytest.mark.parametrize("body", ["print('one line')", "print('many lines\\n' * 100_000)"])
def test_a_full_disk_is_told_in_one_line(site: Site, body: str) -> None:
    site.install("rrq-try", command(body))

    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [str(rrq_command()), "try"],
            env=site.environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )

    assert ran.returncode == 1
    assert ran.stderr == "error: Nothing more can be written: No space left on device\n"


def test_two_plugins_share_a_group(site: Site) -> None:
    for name in ("a", "b"):
        site.install(
            f"rrq-{name}",
            f"""
            import rrq
            from rrq.cli.groups import command_group

            @rrq.hookimpl
            def rrq_commands(app):
                @command_group(app, "birds", "Look after birds.").command("{name}")
                def feed():
                    print("{name} is fed")
            """,
        )

    assert site.rrq("birds", "a").stdout == "a is fed\n"
    assert site.rrq("birds", "b").stdout == "b is fed\n"
    assert site.listed()["b"]["commands"] == ["birds b"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise RuntimeError('no goose')", "rrq_commands: RuntimeError: no goose"),
        ("app.command('plugins')(print)", "`rrq plugins` is a command of rrq.cli.plugins already"),
        ("app.command('honk')(print)", "`rrq honk` is a command of goose already"),
        ("app.command('odd')(odd)", "rrq_commands: "),
        ("app.callback()(print)", "it replaces the options of `rrq` itself"),
    ],
    ids=["raises", "takes ours", "takes another's", "cannot be built", "callback"],
)
def test_a_plugin_whose_commands_are_wrong_loses_them_and_no_other_does(
    site: Site, source: str, reason: str
) -> None:
    site.install("rrq-goose", NOISY)
    site.install(
        "rrq-wrong",
        f"""
        import rrq

        def odd(when: int | str):
            pass

        @rrq.hookimpl
        def rrq_commands(app):
            app.command("left-behind")(lambda: None)
            {source}
        """,
    )

    shown = site.rrq("--help")
    record = site.listed()["wrong"]

    assert shown.returncode == 0
    assert "left-behind" not in shown.stdout
    assert "honk" in shown.stdout
    assert record["status"] == "failed"
    assert reason in record["reason"]
    assert record["commands"] == []
    assert site.rrq("honk").stdout.endswith("Honk.\n")


def test_completion_knows_the_commands_of_plugins(site: Site) -> None:
    site.install("rrq-goose", NOISY.replace('print("imported")', ""))

    ran = site.rrq(
        _RRQ_COMPLETE="complete_bash", COMP_WORDS="rrq hon", COMP_CWORD="1", COMP_LINE="rrq hon"
    )

    assert ran.stdout.split() == ["honk"]
    assert ran.stderr == ""


def test_the_executor_group_names_the_package_when_nobody_offers_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from rrq.cli import options
    from rrq.cli.executor_check import ExecutorGroup
    from rrq.plugins import Plugins

    monkeypatch.setattr(options, "plugins", lambda config: Plugins())

    advice = ExecutorGroup(name="executor").advice("python")

    assert advice == "To have `rrq executor python`: pip install rrq-executor-python"


def test_a_broken_configuration_does_not_stand_in_the_way_of_the_help(site: Site) -> None:
    Path(site.work / "rrq.toml").write_text("[rrq\n")

    ran = site.rrq("--help")

    assert ran.returncode == 0
    assert "Usage: rrq" in ran.stdout
