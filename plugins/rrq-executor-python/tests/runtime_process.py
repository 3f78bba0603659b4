"""`RuntimeProcess`: a real `rrq-executor`, driven over its pipes as the orchestrator does."""

from __future__ import annotations

import itertools
import json
import os
import queue
import select
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.preloaded import fork

FEATURES = "hello,cancel,progress"
PATIENCE_SECONDS = 20.0

Message = dict[str, Any]


class RuntimeProcess:
    """One process with the handlers of `handlers.py`, unless `settings` names others."""

    def __init__(
        self,
        log: Path,
        *,
        settings: str | None = "handlers.settings",
        options: Sequence[str] = (),
        environment: dict[str, str] | None = None,
        cwd: Path = Path(__file__).parent,
        features: str = FEATURES,
    ) -> None:
        self._log = log
        own = {name: value for name, value in os.environ.items() if not name.startswith("RRQ_")}
        words = [*([] if settings is None else ["--settings", settings]), *options]
        theirs, requests = os.pipe()
        outcomes, their_outcomes = os.pipe()
        self.stdin, self.stdout = os.fdopen(requests, "wb", 0), os.fdopen(outcomes, "rb", 0)
        with (
            os.fdopen(theirs) as stdin,
            os.fdopen(their_outcomes, "w") as stdout,
            log.open("w") as stderr,
        ):
            self.process = fork(
                "executor",
                words,
                cwd,
                {
                    **own,
                    "RRQ_PROTOCOL_FEATURES": features,
                    "RRQ_WORKER_ID": "rrq_worker_1",
                    **(environment or {}),
                },
                stdin=stdin.fileno(),
                stdout=stdout.fileno(),
                stderr=stderr.fileno(),
            )
        self._numbers = itertools.count(1)
        self._held: list[bytes] | None = None
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        self._unclaimed: list[Message] = []
        self._stop_reading = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def request(
        self,
        function_name: str,
        *args: Any,
        job_id: str | None = None,
        context: Message | None = None,
        protocol_version: str = "1",
        **kwargs: Any,
    ) -> str:
        """Send a request; returns its job id."""
        job_id = job_id or f"job-{next(self._numbers)}"
        self.send(
            {
                "protocol_version": protocol_version,
                "job_id": job_id,
                "function_name": function_name,
                "args": args,
                "kwargs": kwargs,
                "context": {
                    "job_id": job_id,
                    "attempt": 1,
                    "enqueue_time": "2026-01-01T12:00:00.123456Z",
                    "queue_name": "rrq:queue:default",
                    **(context or {}),
                },
            }
        )
        return job_id

    def call(self, function_name: str, *args: Any, **options: Any) -> Message:
        """Send a request and wait for its outcome."""
        return self.outcome(self.request(function_name, *args, **options))

    def cancel(self, job_id: str) -> None:
        self.send({"type": "cancel", "job_id": job_id})

    def send(self, message: Message) -> None:
        self.send_line(json.dumps(message).encode())

    def hold_requests(self) -> None:
        """Let what is sent from now on wait, to arrive in one piece."""
        self._held = []

    def send_held(self) -> None:
        """Send what was held."""
        lines, self._held = self._held, None
        self.send_line(b"\n".join(lines or []))

    def send_line(self, line: bytes) -> None:
        if self._held is not None:
            self._held.append(line)
            return
        remaining = memoryview(line + b"\n")
        while remaining:
            remaining = remaining[self.stdin.write(remaining) :]

    def next_message(self) -> Message:
        """The next line of stdout that nobody has asked for."""
        if self._unclaimed:
            return self._unclaimed.pop(0)
        line = self.next_line()
        assert line is not None, f"stdout ended; stderr:\n{self.log()}"
        message = json.loads(line)
        assert isinstance(message, dict)
        return message

    def next_line(self) -> bytes | None:
        """The next line of stdout, None at its end."""
        try:
            return self._lines.get(timeout=PATIENCE_SECONDS)
        except queue.Empty:
            raise AssertionError(f"no line came; stderr:\n{self.log()}") from None

    def outcome(self, job_id: str) -> Message:
        """Wait for the outcome of one request; other messages stay for later."""
        return self.find(lambda one: one.get("job_id") == job_id and "status" in one)

    def find(self, wanted: Any) -> Message:
        """Wait for the first message that `wanted` accepts; other messages stay for later."""
        passed: list[Message] = []
        while not wanted(message := self.next_message()):
            passed.append(message)
        self._unclaimed[:0] = passed
        return message

    def close_stdin(self) -> None:
        self.stdin.close()

    def close_stdout(self) -> None:
        """Read no more, as an orchestrator that died."""
        self._stop_reading.set()
        # The reader waits in `select`, not in `read`, so that the pipe really closes.
        self._reader.join(timeout=PATIENCE_SECONDS)
        self.stdout.close()

    def wait(self) -> int:
        """The exit status."""
        return self.process.wait(timeout=PATIENCE_SECONDS)

    def end(self) -> list[Message]:
        """Close stdin and wait; returns what was left on stdout."""
        self.close_stdin()
        self.wait()
        rest = self._unclaimed
        while (line := self.next_line()) is not None:
            rest.append(json.loads(line))
        return rest

    def log(self) -> str:
        """What it has written to stderr."""
        return self._log.read_text(errors="replace")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join(timeout=PATIENCE_SECONDS)
        self.stdin.close()
        self.stdout.close()

    def _read(self) -> None:
        begun = b""
        while not self._stop_reading.is_set():
            if not select.select([self.stdout], [], [], 0.05)[0]:
                continue
            if not (chunk := self.stdout.read(65536)):
                break
            *lines, begun = (begun + chunk).split(b"\n")
            for line in lines:
                self._lines.put(line)
        self._lines.put(begun or None)
