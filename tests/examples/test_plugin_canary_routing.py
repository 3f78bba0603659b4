"""The routing plugin: its own tests, and a worker that follows it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rrq import JobRequest, SyncRRQClient
from rrq.settings import RRQSettings
from tests.support.places import Place


def test_the_plugin_passes_its_own_tests(passes_its_own_tests: Callable[[str], None]) -> None:
    passes_its_own_tests("plugin-canary-routing")


def test_a_percentage_of_the_jobs_is_run_by_the_next_release(
    example: Callable[[str], Place], installed: Path, redis_dsn: str
) -> None:
    place = example("plugin-canary-routing")
    variables = {"RRQ_REDIS_DSN": redis_dsn, "PYTHONPATH": str(installed)}
    with SyncRRQClient(RRQSettings(redis_dsn=redis_dsn)) as client:
        jobs = client.enqueue_many(
            [JobRequest("send_email", ["a@example.org"], job_id=f"job-{n}") for n in range(200)]
        )
        place.run("rrq", "worker", "run", "--burst", **variables)
        releases = [client.wait(job, timeout=5) for job in jobs if job]

    assert releases.count("stable") + releases.count("next") == 200
    assert 20 < releases.count("next") < 60
