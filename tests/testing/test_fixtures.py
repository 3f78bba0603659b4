"""The fixtures as the tests of somebody else's project use them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

THEIR_TESTS = """
from redis import Redis

def test_the_first_test_writes(rrq_settings):
    client = Redis.from_url(rrq_settings.redis_dsn)
    assert client.dbsize() == 0
    client.set("left", "behind")

def test_the_next_test_finds_the_same_server_empty(rrq_redis_dsn, rrq_redis_server, rrq_settings):
    assert rrq_redis_dsn == rrq_redis_server.dsn == rrq_settings.redis_dsn
    assert Redis.from_url(rrq_redis_dsn).dbsize() == 0

def test_a_private_server_keeps_its_data_when_it_is_killed(rrq_private_redis, rrq_redis_server):
    Redis.from_url(rrq_private_redis.dsn).set("kept", "yes")
    rrq_private_redis.kill()
    assert rrq_redis_server.running
    rrq_private_redis.start()
    assert Redis.from_url(rrq_private_redis.dsn).get("kept") == b"yes"
"""


def test_a_project_that_loads_the_fixtures_gets_an_emptied_server_in_every_test(
    tmp_path: Path,
) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["rrq.testing.fixtures"]\n')
    (tmp_path / "test_theirs.py").write_text(THEIR_TESTS)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "3 passed" in run.stdout
    assert "warning" not in run.stdout.lower()
