"""`rrq worker run` on bad input: what it says, in how many lines, and that nothing stays behind.

The fixture `place` fails a test that leaves a process.
"""

from __future__ import annotations

import signal
import socket

import pytest

from tests.support.places import Place
from tests.support.ports import free_port

ENDS_WITHIN_SECONDS = 15.0

PYTHON = '[rrq.executors.python]\ntype = "python"\npool_size = 1\nsettings = "{}"\n'


def refuses(place: Place, *options: str, code: int = 2, **variables: str) -> str:
    """What a worker says, beside its announcement, that must not start."""
    ended = place.start("rrq", "worker", "run", *options, **variables).wait(ENDS_WITHIN_SECONDS)
    assert ended.code == code, ended.stderr
    assert ended.stdout == ""
    announcement = ("Configuration: ", "Worker rrq_worker_")
    lines = [line for line in ended.stderr.splitlines() if not line.startswith(announcement)]
    return "\n".join(lines)


def configure(place: Place, executor: str, redis_dsn: str = "redis://localhost:6379/0") -> None:
    """An `rrq.toml` in which the executor's table begins at line 3."""
    place.write("rrq.toml", f'[rrq]\nredis_dsn = "{redis_dsn}"\n{executor}')


# -- the configuration ------------------------------------------------------------------


def test_a_file_that_is_not_there_is_named_with_who_named_it(place: Place) -> None:
    said = refuses(place, "--config", "no.toml")
    assert said == "error: no.toml: there is no such configuration file (--config)"

    said = refuses(place, RRQ_CONFIG="no.toml")
    assert said == "error: no.toml: there is no such configuration file (RRQ_CONFIG)"


def test_without_any_file_the_three_ways_to_have_one_are_told(place: Place) -> None:
    said = refuses(place).splitlines()

    assert said == [
        "error: No configuration file: there is no rrq.toml in the current directory.",
        "Make one with `rrq init`, name one with --config, or set RRQ_CONFIG.",
    ]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "[rrq\n",
            "rrq.toml:1:5: not valid TOML: Expected ']' at the end of a table declaration",
        ),
        (
            "[rrq]\nworker_concurency = 3\n",
            "rrq.toml:2: unknown key 'rrq.worker_concurency'. Did you mean \"worker_concurrency\"?",
        ),
        (
            "[rrq]\nmax_lost = 1\n",
            "rrq.toml: No executor is configured: a worker needs at least [rrq.executors.python].",
        ),
        (
            '[rrq.executors.pithon]\ncmd = ["cat"]\n',
            "rrq.toml: There is no executor 'python', which 'default_executor_name' names; "
            'configured are pithon. Did you mean "pithon"?',
        ),
    ],
    ids=["broken TOML", "unknown key", "no executor", "no default executor"],
)
def test_a_mistake_in_the_file_is_told_in_one_line(place: Place, written: str, said: str) -> None:
    place.write("rrq.toml", written)

    assert refuses(place) == f"error: {said}"


def test_a_mistake_in_an_executors_table_is_told_in_one_line(place: Place) -> None:
    configure(place, '[rrq.executors.python]\ncmdd = ["cat"]\n')

    assert refuses(place) == (
        'error: rrq.toml:4: [rrq.executors.python] has an unknown key "cmdd". Did you mean "cmd"?'
    )


def test_the_password_of_a_wrong_dsn_is_not_shown(place: Place) -> None:
    configure(place, PYTHON, "http://user:geheim@example.com/0")

    said = refuses(place)

    assert said.startswith("error: rrq.toml:2: 'rrq.redis_dsn' is 'http://***@example.com/0': it")
    assert "geheim" not in said
    assert len(said.splitlines()) == 2


@pytest.mark.parametrize(
    ("type_name", "said"),
    [
        (
            "stdioo",
            'No plugin offers executor type "stdioo". Did you mean "stdio"? '
            "Known types: python, stdio.",
        ),
        (
            "python",
            'Executor type "python" cannot be used: plugin python (rrq-executor-python {}) '
            "is disabled by the configuration.",
        ),
    ],
)
def test_an_executor_type_that_nobody_offers_is_named(
    place: Place, type_name: str, said: str
) -> None:
    from rrq import __version__

    configure(place, f'[rrq.executors.python]\ntype = "{type_name}"\n')

    told = refuses(place, code=1, RRQ_DISABLED_PLUGINS="python" * (type_name == "python"))

    # Which types there are depends on what else is installed.
    assert (
        told.partition(" Known")[0]
        == f"error: rrq.toml:4: {said.format(__version__)}".partition(" Known")[0]
    )


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--log-format", "xml", "'xml' is neither console nor json."),
        ("--log-level", "loud", "there is no log level 'loud': debug, info, warning or error"),
        ("--queue", "", "a queue needs a name."),
        ("--queue", "rrq:queue:", "a queue needs a name."),
    ],
)
def test_a_wrong_value_of_an_option_is_wrong_usage(
    place: Place, option: str, value: str, said: str
) -> None:
    configure(place, PYTHON.format("handlers:settings"))

    assert refuses(place, option, value).splitlines() == [
        f"error: Invalid value for {option}: {said}",
        "Try `rrq worker run --help`.",
    ]


# -- Redis ------------------------------------------------------------------------------


def test_a_redis_that_is_not_there_is_named_with_the_way_to_go_without(place: Place) -> None:
    port = free_port()
    configure(place, PYTHON.format("handlers:settings"), f"redis://:geheim@localhost:{port}/0")

    said = refuses(place, code=1)

    assert said.startswith(f"error: Redis cannot be reached at localhost:{port} (")
    assert "`rrq worker run --embedded-redis`" in said
    assert "geheim" not in said
    assert len(said.splitlines()) == 1


def test_an_embedded_redis_takes_nobodys_port(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        configure(place, PYTHON.format("handlers:settings"), f"redis://localhost:{port}/0")

        said = refuses(place, "--embedded-redis", code=1)

    assert said == (
        f"error: Something listens at localhost:{port} already: leave out --embedded-redis "
        "to use it, or configure another port"
    )


@pytest.mark.parametrize(
    ("dsn", "shown"),
    [
        ("redis://example.com:6379/0", "redis://example.com:6379/0"),
        ("redis://:geheim@localhost:6379/0", "redis://:***@localhost:6379/0"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock"),
    ],
)
def test_an_embedded_redis_stands_in_for_a_local_address_only(
    place: Place, dsn: str, shown: str
) -> None:
    configure(place, PYTHON.format("handlers:settings"))

    said = refuses(place, "--embedded-redis", "--redis-dsn", dsn, code=1)

    assert said == (
        f"error: An embedded Redis cannot stand in for {shown}: set `redis_dsn` to "
        "redis://localhost:PORT/0"
    )


# -- executors that do not come up ------------------------------------------------------


def test_a_program_that_does_not_exist_is_named_with_where_it_was_looked_for(
    place: Place, redis_dsn: str
) -> None:
    configure(place, '[rrq.executors.python]\ncmd = ["no-such-program"]\n', redis_dsn)

    said = refuses(place, code=1)

    assert said.startswith(
        "error: executor 'python' cannot start: there is no program 'no-such-program' in PATH ("
    )
    assert len(said.splitlines()) == 1


def test_an_executor_that_dies_at_once_has_the_last_word(place: Place, redis_dsn: str) -> None:
    configure(
        place,
        '[rrq.executors.python]\npool_size = 2\ncmd = ["sh", "-c", "echo no licence >&2; exit 3"]',
        redis_dsn,
    )

    error, words = refuses(place, code=1).splitlines()[-2:]

    assert error.startswith("error: executor 'python' process ")
    assert error.endswith(" exited with status 3 while it started:")
    assert words == "no licence"


HANDLERS = """
    from rrq import JobRegistry, PythonExecutorSettings

    def refuse():
        raise RuntimeError("no database")

    number = 3
    settings = PythonExecutorSettings(job_registry=JobRegistry())
    refusing = PythonExecutorSettings(job_registry=JobRegistry(), on_startup=refuse)
"""


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("handler:settings", "handler:settings: there is no module 'handler'; looked in "),
        ("handlers:seting", "has no 'seting'. It has: settings, refusing."),
        ("handlers:number", "handlers:number is a int, not a PythonExecutorSettings. It has: "),
        ("broken:settings", "importing broken raised ValueError: no such region"),
        ("handlers:refusing", "on_startup failed: RuntimeError: no database"),
    ],
    ids=["no module", "no attribute", "wrong type", "broken module", "on_startup"],
)
def test_settings_that_cannot_be_used_are_told_with_the_reason(
    place: Place, redis_dsn: str, settings: str, said: str
) -> None:
    place.write("handlers.py", HANDLERS)
    place.write("broken.py", 'raise ValueError("no such region")\n')
    configure(place, PYTHON.format(settings), redis_dsn)

    told = refuses(place, code=1)
    error, *words = told[told.index("error: ") :].splitlines()

    assert error.startswith("error: executor 'python' process ")
    assert error.endswith(" exited with status 1 while it started:")
    assert words[0].startswith("rrq-executor: ")
    assert said in words[0]
    # The user's own code has its traceback, and nothing of ours is in it.
    assert ("Traceback" in told) == (settings in ("broken:settings", "handlers:refusing"))
    assert "site-packages" not in told
    assert "rrq_executor_python/" not in told


def test_a_worker_that_is_stopped_while_its_executors_start_does_not_wait_for_them(
    place: Place, redis_dsn: str
) -> None:
    place.write(
        "handlers.py",
        """
        import sys
        import time
        from rrq import JobRegistry, PythonExecutorSettings

        def start():
            print("loading the model", file=sys.stderr, flush=True)
            time.sleep(600)

        settings = PythonExecutorSettings(job_registry=JobRegistry(), on_startup=start)
        """,
    )
    configure(place, PYTHON.format("handlers:settings"), redis_dsn)
    worker = place.start("rrq", "worker", "run")
    worker.said("loading the model")

    worker.tell(signal.SIGTERM)

    assert worker.wait(ENDS_WITHIN_SECONDS).code == 0
