"""`rrq top` as people start it: on a terminal of its own, in a pipe, and where neither will do."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import pytest

from rrq.cli.main import run
from tests.support.terminals import CTRL_C, Terminal

from .shop import RUNNING, Shop

LEAVES_THE_SCREEN = r"\x1b\[\?1049l"
COLOUR = r"\x1b\[(\d+;)*([349][0-7]|10[0-7]|[34]8;[25];[\d;]+)m"


def test_on_a_terminal_it_is_live_and_control_c_leaves_it_as_it_was(shop: Shop) -> None:
    terminal = _terminal(shop, "--interval", "0.2")
    terminal.shows("no such address")
    assert re.search(COLOUR, terminal.written)

    terminal.type(b"3\r")
    terminal.shows(f"Job {RUNNING}")
    terminal.type(CTRL_C)

    assert terminal.wait(within_seconds=10) == 0
    assert re.search(LEAVES_THE_SCREEN, terminal.written)
    assert "Traceback" not in terminal.written


def test_no_color_leaves_out_colours_and_sigterm_leaves_the_terminal_as_it_was(shop: Shop) -> None:
    terminal = _terminal(shop, NO_COLOR="1")
    terminal.shows("no such address")

    terminal.process.send_signal(signal.SIGTERM)

    assert terminal.wait(within_seconds=10) == 0
    assert re.search(LEAVES_THE_SCREEN, terminal.written)
    assert not re.search(COLOUR, terminal.written)


def test_in_a_pipe_one_look_is_printed_as_plain_text(shop: Shop) -> None:
    ended = shop.place.run("rrq", "top")

    lines = ended.stdout.splitlines()
    assert lines[0].startswith("rrq top ")
    assert [line.partition(":")[0] for line in lines if re.match(r"[A-Z][a-z]+[a-z ]*:", line)] == [
        "Queues",
        "Workers",
        "Running jobs",
        "Failures",
    ]
    (running,) = [line for line in lines if line.startswith(RUNNING)]
    assert running.split()[1:3] == ["render", "slow"]
    assert running.endswith("███░░░░░░░ 30% 3/10 page 3")
    assert "\x1b" not in ended.stdout
    assert ended.stderr == ""


def test_one_look_can_be_confined_to_queues_of_any_redis(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["top", "--queue", "rrq:queue:reports", "--redis-dsn", shop.settings.redis_dsn])

    text = capsys.readouterr().out
    assert code == 0
    assert "Queues: 1 queue\n" in text
    assert RUNNING not in text


def test_a_queue_that_is_not_there_is_an_error_with_the_nearest_name(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["top", "--once", "--queue", "reprots", "--redis-dsn", shop.settings.redis_dsn])

    assert code == 1
    assert capsys.readouterr().err == (
        'error: There is no queue reprots. Did you mean "reports"?\n'
    )


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("rrq top < /dev/null", "stdin is no terminal, which `rrq top` needs"),
        ("TERM=dumb rrq top", "This terminal cannot draw a screen"),
    ],
)
def test_where_no_screen_can_be_drawn_another_way_is_named(
    shop: Shop, command: str, message: str
) -> None:
    words = ["/bin/sh", "-c", command]
    terminal = Terminal(words, shop.place.directory, shop.place.environment(), NO_COLOR="1")

    assert terminal.wait(within_seconds=20) == 1
    assert terminal.written == f"error: {message}: `rrq top --once` prints one look.\n"


def test_without_redis_it_says_so_and_ends(capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["top", "--once", "--redis-dsn", "redis://127.0.0.1:1/0"])

    out, err = capsys.readouterr()
    assert (code, out) == (1, "")
    assert err.startswith("error: Redis cannot be reached at 127.0.0.1:1")


@pytest.mark.parametrize("interval", ["0", "-1", "soon"])
def test_an_interval_that_is_none_is_wrong_usage(
    interval: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["top", "--interval", interval]) == 2
    assert "--interval" in capsys.readouterr().err


def test_the_help_of_rrq_lists_it_without_importing_what_it_draws_with() -> None:
    code = """if True:
        import sys
        from rrq.cli.main import run
        assert run(["--help"]) == 0
        print(sorted({"textual", "rich", "redis", "asyncio"} & set(sys.modules)))
    """
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert re.search(r"Commands of plugin top:\n  top +Watch queues", ran.stdout)
    assert ran.stdout.splitlines()[-1] == "[]"


def _terminal(shop: Shop, *options: str, **variables: str) -> Terminal:
    place = shop.place
    words = ["rrq", "top", *options]
    return Terminal(words, place.directory, place.environment(), columns=80, **variables)
