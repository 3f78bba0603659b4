"""`Server`: answers `/metrics`, `/healthz` and `/readyz` in a thread of its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder


class Answers(Protocol):
    """What is asked: a registry to scrape, and two questions that None answers with yes."""

    registry: CollectorRegistry

    def why_not_alive(self) -> str | None: ...

    def why_not_ready(self) -> str | None: ...


class Server:
    """Listens from the start on; answers once `start` was called.

    Raises:
        OSError: it cannot listen there.
    """

    def __init__(self, host: str, port: int, answers: Answers) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET

        class Listener(ThreadingHTTPServer):
            address_family = family
            daemon_threads = True

        self._listener = Listener((host, port), _handler(answers))
        bound_host, bound_port = self._listener.server_address[:2]
        named = str(bound_host)
        self.address = f"[{named}]:{bound_port}" if ":" in named else f"{named}:{bound_port}"

    def start(self) -> None:
        """Answer from now on."""
        threading.Thread(
            target=self._listener.serve_forever, name="rrq-prometheus", daemon=True
        ).start()

    def stop(self) -> None:
        """Close the port."""
        self._listener.shutdown()
        self._listener.server_close()


def _handler(answers: Answers) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10  # a client that says nothing keeps no thread
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                encode, content_type = choose_encoder(self.headers.get("Accept", ""))
                self._answer(200, encode(answers.registry), content_type)
            elif path == "/healthz":
                self._judge(answers.why_not_alive)
            elif path == "/readyz":
                self._judge(answers.why_not_ready)
            else:
                self._answer(404, b"Here are /metrics, /healthz and /readyz.\n")

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """A probe each second is no line in a log."""

        def _judge(self, why_not: Callable[[], str | None]) -> None:
            reason = why_not()
            self._answer(503 if reason else 200, f"{reason or 'ok'}\n".encode())

        def _answer(
            self, status: int, body: bytes, content_type: str = "text/plain; charset=utf-8"
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    return Handler
