"""Completing a command line: in a real bash, and as the scripts of zsh and fish ask for it."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rrq.cli.completion import BashLine
from rrq.client import RRQClient
from rrq.embedded import EmbeddedRedis
from rrq.settings import RRQSettings
from rrq.store.verdict import Verdict
from tests.support.places import Ended, Place
from tests.support.terminals import Terminal

HOSTILE = ["$(touch pwned)", "`touch pwned`", "\\$(touch pwned)", "';touch pwned;'", "a\nb"]

WORKER = "rrq_worker_a1"

CONFIGURATION = """
    [rrq]
    redis_dsn = "{dsn}"

    [[rrq.cron_jobs]]
    name = "nightly report"
    function_name = "report"
    schedule = "0 3 * * *"
"""


@pytest.fixture(scope="module")
def redis_with_names() -> Iterator[EmbeddedRedis]:
    """A server with a job in every state, and with names that mean harm."""

    async def fill(dsn: str) -> None:
        async with RRQClient(RRQSettings(redis_dsn=dsn)) as client:
            store = client.job_store
            await client.enqueue("send", _job_id="run-1", _queue_name="first")
            await client.enqueue("send", _job_id="end-1", _queue_name="first")
            await client.enqueue("send", _job_id="bad-1", _queue_name="first", _max_retries=1)
            claimed = await store.leases.claim(WORKER, ["first"], 3, park_ms=1000)
            kinds: list[Any] = ["complete", "fail"]
            for kind, claim in zip(kinds, claimed.claims[1:], strict=True):
                settled = Verdict(
                    job_id=claim.job_id, token=claim.token, kind=kind, queue="first", text="null"
                )
                await store.leases.settle([settled])
            await client.enqueue("send_mail", _job_id="wait-1", _queue_name="mail")
            await client.enqueue("send_mail", _job_id="wait:x:1", _queue_name="mail")
            await client.enqueue("send_mail", _job_id="wait on 2", _queue_name="mail:urgent")
            await client.enqueue("send", _job_id="-rf", _queue_name="-rf")
            for number, name in enumerate(HOSTILE):
                await client.enqueue("send", _job_id=f"wait{name}", _queue_name=f"m{name}")
                await client.enqueue(name, _job_id=f"{name}{number}", _queue_name="evil")
            told = {"executors": {"python": {"functions": ["resize", *HOSTILE]}}}
            await store.workers.heartbeat(WORKER, told, 600)

    with EmbeddedRedis() as server:
        asyncio.run(fill(server.dsn))
        yield server


@pytest.fixture
def dsn(redis_with_names: EmbeddedRedis) -> str:
    return redis_with_names.dsn


# -- which names ------------------------------------------------------------------------


def offered(words: str, name: str, incomplete: str, **typed: Any) -> list[str]:
    """What the parameter of a command offers, when these options were typed before it."""
    import typer

    from rrq.cli.app import build

    command: Any = typer.main.get_command(build(words.split()))
    for word in words.split():
        command = command.commands[word]
    context = command.make_context(words, [], resilient_parsing=True)
    context.params |= typed
    [parameter] = [one for one in command.params if one.name == name]
    return [item.value for item in parameter.shell_complete(context, incomplete)]


@pytest.mark.parametrize(
    ("words", "parameter", "incomplete", "values"),
    [
        ("queue inspect", "name", "m", {"mail", "mail:urgent"}),
        ("queue pause", "name", "rrq:queue:m", {"rrq:queue:mail", "rrq:queue:mail:urgent"}),
        ("queue resume", "name", "", {"default", "first", "mail", "mail:urgent", "evil"}),
        ("queue stats", "queue", "fi", {"first"}),
        ("worker run", "queue", "fi", {"first"}),
        ("dlq requeue", "target_queue", "fi", {"first"}),
        ("debug submit", "queue", "fi", {"first"}),
        ("job show", "job_id", "", {"run-1", "end-1", "bad-1", "wait-1", "wait:x:1", "wait on 2"}),
        ("job explain", "job_id", "end", {"end-1"}),
        ("job cancel", "job_id", "wait ", {"wait on 2"}),
        ("dlq inspect", "job_id", "", {"bad-1"}),
        ("dlq requeue", "job_id", "b", {"bad-1"}),
        ("dlq list", "dlq_name", "", {"default"}),
        ("dlq list", "function", "", {"send", "send_mail", "resize"}),
        ("job list", "function", "res", {"resize"}),
        ("job list", "status", "c", {"completed", "cancelled"}),
        ("job active", "worker", "", {WORKER}),
        ("debug submit", "function", "send_", {"send_mail"}),
        ("plugins show", "name", "std", {"stdio"}),
    ],
)
def test_a_parameter_offers_the_names_that_fit_and_none_that_mean_harm(
    dsn: str, words: str, parameter: str, incomplete: str, values: set[str]
) -> None:
    assert set(offered(words, parameter, incomplete, redis_dsn=dsn)) == values


def test_the_dead_letter_queue_that_was_typed_is_the_one_whose_jobs_are_offered(dsn: str) -> None:
    assert offered("dlq inspect", "job_id", "", redis_dsn=dsn, dlq_name="other") == []


def test_cron_jobs_are_offered_from_the_file_that_was_typed(dsn: str, tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    path.write_text(CONFIGURATION.format(dsn=dsn))

    assert offered("cron run", "name", "n", config=str(path)) == ["nightly report"]


def test_no_more_is_offered_than_anybody_reads(redis_dsn: str) -> None:
    async def fill() -> None:
        async with RRQClient(RRQSettings(redis_dsn=redis_dsn)) as client:
            keys, redis = client.job_store.keys, client.job_store.redis
            await redis.zadd(keys.leases, {f"j{number}": number for number in range(3000)})

    asyncio.run(fill())

    assert len(offered("job show", "job_id", "j", redis_dsn=redis_dsn)) == 200


# -- when something is wrong ------------------------------------------------------------


def test_a_redis_that_never_answers_is_waited_for_no_longer_than_a_third_of_a_second() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dsn = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        offered("queue inspect", "name", "x", redis_dsn=dsn)  # what is imported once is imported

        began = time.monotonic()
        values = offered("queue inspect", "name", "x", redis_dsn=dsn)
        seconds = time.monotonic() - began

    assert values == []
    assert 0.25 < seconds < 1.5


@pytest.mark.parametrize("config", ["missing.toml", "broken.toml"])
def test_a_configuration_that_cannot_be_read_offers_nothing(tmp_path: Path, config: str) -> None:
    (tmp_path / "broken.toml").write_text("[rrq")

    assert offered("queue inspect", "name", "", config=str(tmp_path / config)) == []


def test_whatever_is_wrong_nothing_is_said(place: Place) -> None:
    place.write("rrq.toml", "[rrq")

    for dsn in ("redis://127.0.0.1:1/0", "nonsense"):
        ended = asked(place, "fish", "rrq queue inspect x", RRQ_REDIS_DSN=dsn)
        assert (ended.stdout.strip(), ended.stderr) == ("", "")


# -- as the shells ask ------------------------------------------------------------------


def asked(place: Place, shell: str, line: str, **variables: str) -> Ended:
    """What the shell's script gets for a line, with the cursor at its end."""
    words = line.split(" ")
    asking = {
        "bash": {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    return place.run("rrq", code=None, _RRQ_COMPLETE=f"complete_{shell}", **{**asking, **variables})


@pytest.mark.parametrize(
    ("shell", "answer"),
    [
        ("bash", "wait-1\nwait:x:1\nwait\\ on\\ 2"),
        ("zsh", '_arguments \'*: :(("wait-1"\n"wait\\\\:x\\\\:1"\n"wait on 2"))\'\n'),
        ("fish", "wait-1\nwait:x:1\nwait on 2\n"),
    ],
)
def test_each_shell_gets_the_names_as_it_wants_them(
    place: Place, dsn: str, shell: str, answer: str
) -> None:
    ended = asked(place, shell, "rrq job show wait", RRQ_REDIS_DSN=dsn)

    assert (ended.code, ended.stdout, ended.stderr) == (0, answer, "")


def test_options_that_were_typed_before_lead_to_the_redis_that_is_asked(
    place: Place, dsn: str
) -> None:
    ended = asked(place, "fish", f"rrq queue inspect --redis-dsn {dsn} fi")

    assert ended.stdout == "first\n"


def test_fish_asks_first_whether_there_is_anything(place: Place, dsn: str) -> None:
    answers = {
        word: asked(
            place,
            "fish",
            f"rrq queue inspect {word}",
            RRQ_REDIS_DSN=dsn,
            _TYPER_COMPLETE_FISH_ACTION="is-args",
        ).code
        for word in ("fi", "nothing")
    }

    assert answers == {"fi": 0, "nothing": 1}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_is_shown_to_a_user_of_it(place: Place, shell: str) -> None:
    ended = place.run("rrq", code=0, _RRQ_COMPLETE=f"source_{shell}")

    assert f"_RRQ_COMPLETE=complete_{shell}" in ended.stdout


# -- in bash ----------------------------------------------------------------------------


class Bash:
    """A person's bash, with the completion that `rrq --install-completion` installed."""

    def __init__(self, place: Place, dsn: str) -> None:
        home = place.directory / "home"
        home.mkdir()
        place.write("rrq.toml", CONFIGURATION.format(dsn=dsn))
        environment = place.environment(HOME=str(home))
        installed = place.run("bash", "-c", "rrq --install-completion; true", HOME=str(home))
        assert "bash completion installed" in installed.stdout
        words = ["bash", "--rcfile", str(home / ".bashrc"), "-i"]
        # On a dumb terminal bash shows a changed line by writing it anew.
        self._terminal = Terminal(words, place.directory, environment, TERM="dumb")
        self._terminal.type(b"PS1='ready> '\n")
        self._terminal.shows("ready> $")

    def becomes(self, typed: str, line: str) -> None:
        """Wait until the line that was typed has become this one, at Tab."""
        self._terminal.type(typed.encode() + b"\t")
        # A single candidate is followed by a space.
        self._terminal.shows(rf"ready> {re.escape(line)}$")
        self._terminal.type(b"\x15")  # away with it

    def lists(self, typed: str, pattern: str) -> None:
        """Wait until a second Tab has listed candidates."""
        self._terminal.type(typed.encode() + b"\t\t")
        self._terminal.shows(pattern)
        self._terminal.type(b"\x15")

    def leave(self) -> None:
        self._terminal.type(b"exit\n")
        self._terminal.wait(10)


def test_in_bash_lines_are_completed_and_nothing_is_run(place: Place, dsn: str) -> None:
    bash = Bash(place, dsn)

    bash.becomes("rrq queue inspect rrq:queue:fi", "rrq queue inspect rrq:queue:first ")
    bash.becomes('rrq job show "wait o', 'rrq job show "wait on 2" ')
    bash.becomes("rrq queue stats --queue=fi", "rrq queue stats --queue=first ")
    bash.becomes("rrq cron run n", "rrq cron run nightly\\ report ")
    bash.lists("rrq queue inspect mail", r"mail +mail:urgent")
    bash.leave()

    assert not (place.directory / "pwned").exists()


@pytest.mark.parametrize(
    ("raw", "words", "kept", "is_quoted"),
    [
        (["rrq", "queue", "li"], ("rrq", "queue", "li"), "", False),
        (["rrq", "job", "show", "a", ":", "b"], ("rrq", "job", "show", "a:b"), "a:", False),
        (["rrq", "job", "show", "a", ":"], ("rrq", "job", "show", "a:"), "a:", False),
        (["rrq", "x", "--queue", "=", "m"], ("rrq", "x", "--queue=m"), "", False),
        (["rrq", "x", "--queue", "=", "a", ":", "b"], ("rrq", "x", "--queue=a:b"), "a:", False),
        (["rrq", "x", "a", ":", "b", "c"], ("rrq", "x", "a:b", "c"), "", False),
        (["rrq", "x", '"a b'], ("rrq", "x", "a b"), "", True),
        (["rrq", "x", "a\\ b"], ("rrq", "x", "a b"), "", False),
        (["rrq", "x", "a\\"], ("rrq", "x", "a"), "", False),
        (["rrq", "x", ""], ("rrq", "x", ""), "", False),
    ],
)
def test_the_words_of_bash_are_put_together(
    raw: list[str], words: tuple[str, ...], kept: str, is_quoted: bool
) -> None:
    line = BashLine.read({"COMP_WORDS": "\n".join(raw), "COMP_CWORD": str(len(raw) - 1)})

    assert (line.words, line.kept, line.is_quoted) == (words, kept, is_quoted)
