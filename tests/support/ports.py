"""Ports of this machine for servers that a test, or what it tests, will start."""

from __future__ import annotations

import socket


def free_port() -> int:
    """A loopback port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
