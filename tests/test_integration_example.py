"""`examples/integration_test.py` runs its scenarios, and tells of results that are wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import redis

SCRIPT = Path(__file__).parents[1] / "examples" / "integration_test.py"

FORGETFUL = """
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps({"job_id": request["job_id"], "status": "success"}), flush=True)
"""
"""An executor that carries out everything, and keeps no result."""


def test_every_job_of_a_scenario_ends_as_it_must_in_an_emptied_database(redis_dsn: str) -> None:
    redis.Redis.from_url(redis_dsn).set("mine", "gone")

    ran = run("--scenario", "python", "--count", "40", "--redis-dsn", redis_dsn)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "38 COMPLETED, 2 FAILED" in ran.stdout.replace("python: ", "")
    assert ran.stdout.splitlines()[-1] == "summary: python ok"
    assert redis.Redis.from_url(redis_dsn).get("mine") is None


def test_without_an_address_it_has_a_redis_of_its_own_and_tells_how_far_it_is() -> None:
    ran = run("--scenario", "python", "--count", "3", "--log-interval", "0")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert [line for line in ran.stdout.splitlines() if "verified" in line] == [
        f"python: {number} of 3 verified" for number in (1, 2, 3)
    ]


def test_a_scenario_has_a_thousand_jobs_unless_told_otherwise() -> None:
    ran = run("--help")

    assert "jobs in each scenario (1000)" in " ".join(ran.stdout.split())


def test_an_executor_in_rust_that_was_never_built_is_told_what_to_do(tmp_path: Path) -> None:
    script = Path(shutil.copy(SCRIPT, tmp_path))

    ran = run("--scenario", "rust", "--no-build-rust", script=script, CARGO_TARGET_DIR=tmp_path)

    assert ran.returncode == 1
    assert "leave out --no-build-rust, and it is built" in ran.stderr


def test_a_result_that_is_not_as_it_must_be_is_told_and_fails_the_run(
    redis_dsn: str, tmp_path: Path
) -> None:
    (tmp_path / "forgetful.py").write_text(FORGETFUL)
    redis.Redis.from_url(redis_dsn).set("mine", "kept")
    command = f"{sys.executable} {tmp_path / 'forgetful.py'}"

    ran = run(
        "--scenario", "rust", "--count", "3", "--redis-dsn", redis_dsn,
        "--rust-executor-cmd", command, "--no-flush",
    )  # fmt: skip

    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "result is None, not {'args': [0" in ran.stdout
    assert ran.stdout.splitlines()[-1] == "summary: rust FAILED"
    assert redis.Redis.from_url(redis_dsn).get("mine") == b"kept"


def run(
    *options: str, script: Path = SCRIPT, **variables: Path
) -> subprocess.CompletedProcess[str]:
    """Run the script to its end."""
    command = [sys.executable, str(script), *options]
    environment = {**os.environ, **{name: str(value) for name, value in variables.items()}}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
