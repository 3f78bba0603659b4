"""`TestAgent`: Datadog's own agent for tests, which validates what ddtrace sends and returns it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.ports import free_port
from tests.support.waiting import eventually_blocking

CHECKS = "meta_tracer_version_header,trace_content_length,trace_count_header,trace_dd_service"

Span = dict[str, Any]


class TestAgent:
    """The agent at a port of this machine."""

    __test__ = False

    def __init__(self, port: int, otlp_port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.otlp_url = f"http://127.0.0.1:{otlp_port}"

    def environment(self, **more: str) -> dict[str, str]:
        """What sends a process's traces here."""
        return {"DD_TRACE_AGENT_URL": self.url, **more}

    def spans(self) -> list[Span]:
        """Every span that has come."""
        return [span for trace in self._get("/test/session/traces") for span in trace]

    def span(self, name: str, job_id: str, attempt: int | None = None) -> Span:
        """The one span of this name and job; waits until it has come."""

        def found() -> list[Span]:
            return [
                span
                for span in self.spans()
                if span["name"] == name
                and span["meta"].get("rrq.job_id") == job_id
                and (attempt is None or span["metrics"].get("rrq.attempt") == attempt)
            ]

        (span,) = eventually_blocking(found, what=f"{name} of {job_id}")
        return span

    def otlp_spans(self) -> dict[str, tuple[str, str, str]]:
        """The ids of the trace, the span and its parent, in hexadecimal digits, by the span's
        name, of all that came from OpenTelemetry."""
        received = self._get("/test/session/traces", self.otlp_url)
        return {
            span["name"]: tuple(
                base64.b64decode(span.get(key, "")).hex()
                for key in ("trace_id", "span_id", "parent_span_id")
            )
            for message in received
            for resource in message["resource_spans"]
            for scope in resource["scope_spans"]
            for span in scope["spans"]
        }

    def named(self, name: str) -> Span:
        """The one span of this name; waits until it has come."""

        def found() -> list[Span]:
            return [span for span in self.spans() if span["name"] == name]

        (span,) = eventually_blocking(found, what=name)
        return span

    def objections(self) -> str:
        """What the agent found wrong with the requests, or nothing."""
        assert self._get("/test/trace_check/summary"), "the agent checked nothing"
        try:
            self._read("/test/trace_check/failures")
        except urllib.error.HTTPError as error:
            return error.read().decode()
        return ""

    def requested(self) -> set[str]:
        """The paths that processes have posted to."""
        return {request["url"].removeprefix(self.url) for request in self._requests()}

    def reporting_processes(self) -> set[str]:
        """The runtime ids of the processes whose ddtrace has reported about itself."""
        return {event["runtime_id"] for event in self._get("/test/session/apmtelemetry")}

    def is_up(self) -> bool:
        """Whether it answers."""
        try:
            self._read("/info")
        except OSError:
            return False
        return True

    def _requests(self) -> list[dict[str, Any]]:
        requests: list[dict[str, Any]] = self._get("/test/session/requests")
        return [request for request in requests if request["method"] == "POST"]

    def _get(self, path: str, url: str | None = None) -> Any:
        return json.loads(self._read(path, url))

    def _read(self, path: str, url: str | None = None) -> bytes:
        with urllib.request.urlopen((url or self.url) + path, timeout=10) as response:
            body: bytes = response.read()
        return body


@contextmanager
def running_agent(directory: Path) -> Iterator[TestAgent]:
    """The agent as a process, with its files in this directory."""
    port, otlp_http, otlp_grpc = free_port(), free_port(), free_port()
    command = [
        Path(sys.executable).parent / "ddapm-test-agent",
        f"--port={port}",
        f"--otlp-http-port={otlp_http}",
        f"--otlp-grpc-port={otlp_grpc}",
        f"--snapshot-dir={directory}",
    ]
    # As an option it takes no list of checks.
    checking = {"ENABLED_CHECKS": CHECKS, "DD_POOL_TRACE_CHECK_FAILURES": "true"}
    environment = {**os.environ, **checking}
    with (directory / "agent.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=directory, env=environment, stdout=log, stderr=log)
    agent = TestAgent(port, otlp_http)
    try:
        eventually_blocking(agent.is_up, what="Datadog's test agent")
        yield agent
    finally:
        process.terminate()
        process.wait(10)
