"""A directory with an `rrq.toml`, in which workers and commands run as users run them."""

from __future__ import annotations

from pathlib import Path

from tests.support.places import Ended, Place, Running

REPOSITORY = Path(__file__).parents[2]

CONFIGURATION = """
[rrq]
worker_shutdown_grace_period_seconds = 1
worker_health_check_interval_seconds = 1

[rrq.executors.python]
type = "python"
settings = "tests.security.handlers:settings"
pool_size = 1
max_in_flight = 4
"""


def configure(place: Place, more: str = "") -> None:
    """Write the configuration of a worker that runs the handlers of these tests."""
    place.write("rrq.toml", CONFIGURATION + more)


def start_worker(place: Place, dsn: str, *options: str, **variables: str) -> Running:
    """A worker that has said what it runs."""
    worker = place.start(
        "rrq",
        "worker",
        "run",
        *options,
        RRQ_REDIS_DSN=dsn,
        PYTHONPATH=str(REPOSITORY),
        **variables,
    )
    worker.said("Redis ")
    return worker


def rrq(place: Place, dsn: str, *words: str, code: int | None = 0, **variables: str) -> Ended:
    """Run one command to its end."""
    return place.run("rrq", *words, code=code, RRQ_REDIS_DSN=dsn, **variables)
