"""`EmbeddedRedis`: starts a private server, tells its address, ends it.

The server lives in a directory of its own and is reached by a unix socket there, or by a
loopback port.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

from rrq.dsn import mask_dsn
from rrq.embedded.binary import find_server_binary
from rrq.embedded.guard import LAUNCHER, Guard
from rrq.exc import EmbeddedRedisError

DEFAULT_PORT = 6379
LOOPBACK = ("localhost", "127.0.0.1")

LONGEST_SOCKET_PATH_BYTES = 99
"""macOS takes 103, Linux 107."""

_STOP_SECONDS = 10.0
_LOG_LINES_SHOWN = 8


class EmbeddedRedis:
    """A Redis or Valkey server that belongs to this process.

    Args:
        tcp: listen on a free loopback port instead of a unix socket.
        port: listen on this loopback port.
        persistence: keep an append-only file (fsync every second), so that the data outlives
            `kill` and `restart`. Without it a restarted server is empty.
        options: further arguments of the server, such as `["--maxmemory", "10mb"]`; they come
            last and so overrule ours.
        binary: the server program; `None` looks for one, see `find_server_binary`.
        start_timeout_seconds: how long the server may take until it answers.

    The object may be handed between threads, but used by one at a time; in async code,
    `await asyncio.to_thread(server.start)`.
    """

    def __init__(
        self,
        *,
        tcp: bool = False,
        port: int | None = None,
        persistence: bool = False,
        options: Sequence[str] = (),
        binary: str | os.PathLike[str] | None = None,
        start_timeout_seconds: float = 15.0,
    ) -> None:
        self._tcp = tcp or port is not None
        self._wanted_port = port
        self._persistence = persistence
        self._options = list(options)
        self._binary = binary
        self._start_timeout_seconds = start_timeout_seconds
        self._directory: Path | None = None
        self._port: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: Guard | None = None
        self._kept = False

    @classmethod
    def at(cls, dsn: str) -> EmbeddedRedis:
        """A server, not started yet, for a loopback address that is in somebody's configuration.

        Raises:
            EmbeddedRedisError: the address is not one that we can listen on, or is taken.
        """
        parts = urlsplit(dsn)
        if parts.scheme != "redis" or parts.hostname not in LOOPBACK or parts.password:
            raise EmbeddedRedisError(
                f"An embedded Redis cannot stand in for {mask_dsn(dsn)}: set `redis_dsn` to "
                "redis://localhost:PORT/0"
            )
        port = parts.port or DEFAULT_PORT
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                raise EmbeddedRedisError(
                    f"Something listens at localhost:{port} already: leave out "
                    "--embedded-redis to use it, or configure another port"
                )
        return cls(port=port)

    def __enter__(self) -> EmbeddedRedis:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._kept:
            self.stop()

    # -- its life -----------------------------------------------------------------------

    def start(self) -> None:
        """Start the server and return when it answers; nothing happens if it runs.

        After `kill` it starts again in the same directory, at the same address.

        Raises:
            EmbeddedRedisError: no server program was found, or it ended or kept silent; the
                message then holds the last lines of its log.
        """
        if self.running:
            return
        binary = find_server_binary() if self._binary is None else Path(self._binary)
        fresh = self._directory is None
        if fresh:
            self._move_in()
        try:
            self._launch(binary)
            self._wait_until_ready(binary)
        except BaseException:
            if fresh:
                self.stop()
            else:
                self.kill()
            raise

    def stop(self) -> None:
        """End the server and remove its directory with all its data."""
        # Nothing is left to be saved, so nothing is gained by waiting for a good order.
        self._end(signal.SIGKILL)
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = self._port = None
        if self._guard is not None:
            self._guard.leave()
            self._guard = None
        self._kept = False

    def kill(self) -> None:
        """End the server at once with SIGKILL. Its directory stays, for `start`."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """End the server in good order and start it in the same directory, at the same address.

        Raises:
            EmbeddedRedisError: as `start`.
        """
        self._end(signal.SIGTERM)
        self.start()

    def keep(self) -> None:
        """Let the server outlive this process; its directory then stays too.

        Only `stop`, or somebody else with `SHUTDOWN`, ends it from now on.
        """
        if self._guard is not None:
            self._guard.leave()
            self._guard = None
        self._kept = True

    def flush(self) -> None:
        """Empty every database of the server.

        Raises:
            EmbeddedRedisError: it does not run, or refuses.
        """
        answer = self._ask("FLUSHALL")
        if answer != "OK":
            raise EmbeddedRedisError(f"The embedded Redis server refused FLUSHALL: {answer}")

    # -- what it is ---------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether the server process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def dsn(self) -> str:
        """The address for `RRQSettings.redis_dsn`; it stays the same until `stop`.

        Raises:
            EmbeddedRedisError: the server was not started.
        """
        if self._port is not None:
            return f"redis://127.0.0.1:{self._port}/0"
        return f"unix://{self._socket_path}?db=0"

    @property
    def directory(self) -> Path:
        """Where the server keeps its socket, log and data.

        Raises:
            EmbeddedRedisError: the server was not started.
        """
        if self._directory is None:
            raise EmbeddedRedisError("The embedded Redis server was not started: call start()")
        return self._directory

    @property
    def pid(self) -> int:
        """The id of the server process.

        Raises:
            EmbeddedRedisError: the server does not run.
        """
        if self._process is None or not self.running:
            raise EmbeddedRedisError("The embedded Redis server does not run: call start()")
        return self._process.pid

    def version(self) -> str:
        """Name and version of the server, such as `Valkey 9.1.0` or `Redis 7.2.5`.

        Raises:
            EmbeddedRedisError: it does not run.
        """
        facts = self._facts()
        if "valkey_version" in facts:
            return f"Valkey {facts['valkey_version']}"
        return f"Redis {facts.get('redis_version', 'of unknown version')}"

    def log_lines(self, limit: int = _LOG_LINES_SHOWN) -> list[str]:
        """The last lines of the server's log, at most `limit`.

        Raises:
            EmbeddedRedisError: the server was not started.
        """
        try:
            text = self._log_path.read_text(errors="replace")
        except FileNotFoundError:
            return []
        return [line for line in text.splitlines() if line.strip()][-limit:]

    # -- starting -----------------------------------------------------------------------

    def _move_in(self) -> None:
        self._directory = _short_directory()
        try:
            self._guard = Guard(self._directory)
        except BaseException:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None
            raise
        if self._tcp:
            self._port = self._wanted_port or _free_port()

    def _launch(self, binary: Path) -> None:
        command = [str(binary), *self._arguments(), *self._options]
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", LAUNCHER, "sh", str(self._log_path), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if self._guard is None else self._guard.orders,
            stderr=subprocess.DEVNULL,
            cwd=self.directory,
            # An unknown locale in the caller's environment would keep Valkey from starting.
            env={**os.environ, "LC_ALL": "C"},
            start_new_session=True,
        )

    def _arguments(self) -> list[str]:
        if self._port is None:
            address = ["--port", "0", "--unixsocket", str(self._socket_path)]
            address += ["--unixsocketperm", "700"]
        else:
            # The usual backlog of 511 is more than most kernels grant, which it warns about.
            address = ["--bind", "127.0.0.1", "--port", str(self._port), "--tcp-backlog", "128"]
        appendonly = "yes" if self._persistence else "no"
        return [
            *address,
            *("--dir", str(self.directory), "--daemonize", "no", "--save", ""),
            *("--appendonly", appendonly, "--appendfsync", "everysec"),
        ]

    def _wait_until_ready(self, binary: Path) -> None:
        process = self._process
        assert process is not None
        deadline = time.monotonic() + self._start_timeout_seconds
        while time.monotonic() < deadline:
            try:
                # A stranger on our port would answer PING too, but not with our pid.
                if self._ask("PING") == "PONG" and self._facts()["process_id"] == str(process.pid):
                    return
            except (EmbeddedRedisError, KeyError):
                pass
            try:
                process.wait(timeout=0.005)
            except subprocess.TimeoutExpired:
                continue
            raise self._start_error(binary, _ending(process.returncode))
        waited = f"did not answer within {self._start_timeout_seconds:g} seconds"
        raise self._start_error(binary, waited)

    def _start_error(self, binary: Path, what: str) -> EmbeddedRedisError:
        log = "\n".join(f"  {line}" for line in self.log_lines())
        return EmbeddedRedisError(
            f"The embedded Redis server {binary} {what}; "
            + (f"its last words:\n{log}" if log else "it said nothing")
        )

    # -- ending -------------------------------------------------------------------------

    def _end(self, how: signal.Signals) -> None:
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(how)
            # One that a fault test froze would never hear the signal.
            process.send_signal(signal.SIGCONT)
            try:
                process.wait(timeout=_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._process = None
        if self._guard is not None:
            self._guard.forget_server()

    # -- talking ------------------------------------------------------------------------

    def _facts(self) -> dict[str, str]:
        lines = self._ask("INFO server").splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def _ask(self, command: str) -> str:
        """The answer to one command, without a Redis client: that would be a heavy import."""
        address = ("127.0.0.1", self._port) if self._port is not None else str(self._socket_path)
        family = socket.AF_INET if self._port is not None else socket.AF_UNIX
        try:
            with socket.socket(family) as connection:
                connection.settimeout(5.0)
                connection.connect(address)
                connection.sendall(f"{command}\r\n".encode())
                with connection.makefile("rb") as answers:
                    first = answers.readline().decode()
                    if first.startswith("$"):
                        return answers.read(int(first[1:])).decode()
                    return first[1:].strip()
        except OSError as error:
            raise EmbeddedRedisError(
                f"The embedded Redis server at {self.dsn} does not answer: {error}"
            ) from error

    @property
    def _socket_path(self) -> Path:
        return self.directory / "redis.sock"

    @property
    def _log_path(self) -> Path:
        return self.directory / "server.log"


def _short_directory() -> Path:
    for root in (tempfile.gettempdir(), "/tmp"):
        directory = Path(tempfile.mkdtemp(prefix="rrq-", dir=root))
        if len(os.fsencode(directory / "redis.sock")) <= LONGEST_SOCKET_PATH_BYTES:
            return directory
        directory.rmdir()
    raise AssertionError("a path below /tmp is short")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _ending(returncode: int) -> str:
    if returncode < 0:
        return f"was ended by {signal.Signals(-returncode).name}"
    return f"exited with status {returncode}"
