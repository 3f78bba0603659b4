"""The command, called as the command line calls it, on a real server."""

from __future__ import annotations

import json
import threading

import pytest
import typer
from redis import Redis
from rrq_drained import rrq_commands
from typer.testing import CliRunner

from rrq import SyncRRQClient
from rrq.settings import RRQSettings


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    rrq_commands(app)
    return app


def test_empty_queues_are_drained_at_once(app: typer.Typer, rrq_redis_dsn: str) -> None:
    ran = CliRunner().invoke(app, ["mail", "default", "--redis-dsn", rrq_redis_dsn, "--json"])

    assert ran.exit_code == 0, ran.output
    assert json.loads(ran.stdout) == [
        {"queue": "mail", "waiting": 0},
        {"queue": "default", "waiting": 0},
    ]


def test_a_job_that_waits_is_waited_for_no_longer_than_said(
    app: typer.Typer, rrq_settings: RRQSettings
) -> None:
    with SyncRRQClient(rrq_settings) as client:
        client.enqueue("send_email", _queue_name="mail")
    dsn = str(rrq_settings.redis_dsn)

    ran = CliRunner().invoke(app, ["mail", "--timeout", "0.3", "--redis-dsn", dsn])

    assert ran.exit_code == 1
    assert "mail\t1" in ran.stdout


def test_the_command_ends_when_the_last_job_was_taken(
    app: typer.Typer, rrq_settings: RRQSettings
) -> None:
    dsn = str(rrq_settings.redis_dsn)
    with SyncRRQClient(rrq_settings) as client:
        client.enqueue("send_email", _queue_name="mail")
    with Redis.from_url(dsn) as redis:
        taking = threading.Timer(0.3, redis.delete, ["rrq:queue:mail"])
        taking.start()

        ran = CliRunner().invoke(app, ["mail", "--timeout", "30", "--redis-dsn", dsn])
        taking.join()

    assert ran.exit_code == 0, ran.output
    assert "mail\t0" in ran.stdout
