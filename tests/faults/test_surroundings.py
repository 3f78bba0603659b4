"""What is wrong around a worker: its clock, its disk, an impatient supervisor, a deploy."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.faults.invariants import all_is_accounted_for, nothing_is_left
from tests.faults.rig import Rig
from tests.support.waiting import eventually

WRONG_CLOCK = """
import time, datetime

_offset = {offset}
_time, _datetime = time.time, datetime.datetime


class Wrong(_datetime):
    @classmethod
    def now(cls, tz=None):
        return _datetime.now(tz) + datetime.timedelta(seconds=_offset)


time.time = lambda: _time() + _offset
datetime.datetime = Wrong
"""


@pytest.mark.parametrize("hours", [-5, 5])
async def test_a_worker_whose_clock_is_hours_off_works_as_any_other(
    rig: Rig, tmp_path: Path, hours: int
) -> None:
    folder = tmp_path / "clock"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(WRONG_CLOCK.format(offset=hours * 3600))
    await rig.worker(environment={"PYTHONPATH": str(folder)}, cron_jobs=[])
    await rig.worker()

    quick = await rig.enqueue_many("quick", 50)
    deferred = [await rig.enqueue("quick", _defer_by=0.5) for _ in range(5)]
    failing = [await rig.enqueue("failing", _max_retries=2)]
    job_ids = [*quick, *deferred, *failing]
    await rig.all_ended(job_ids, 10)

    assert await all_is_accounted_for(rig, job_ids) == {"COMPLETED": 55, "FAILED": 1}
    await nothing_is_left(rig)


async def test_a_full_disk_for_the_log_stops_no_job(rig: Rig) -> None:
    rig.start_worker(log=Path("/dev/full"), log_level="debug")
    job_ids = [*await rig.enqueue_many("quick", 50), *await rig.enqueue_many("printing", 5)]
    await rig.all_ended(job_ids, 20)
    assert await all_is_accounted_for(rig, job_ids) == {"COMPLETED": 55}
    worker = rig.workers.pop()
    worker.send(signal.SIGTERM)
    await eventually(lambda: worker.process.poll() is not None, 10, "the end of the worker")
    assert worker.process.returncode == 0


async def test_a_supervisor_that_kills_soon_after_its_term_signal_loses_nothing(rig: Rig) -> None:
    worker = await rig.worker(worker_shutdown_grace_period_seconds=30.0)
    job_ids = await rig.enqueue_many("sleeping", 8, 1.0)
    await eventually(lambda: len(rig.ledger.starts()) == 8, 10, "eight runs")

    worker.send(signal.SIGTERM)
    await eventually(lambda: worker.lines("Stopping"), 5, "the signal's effect")
    worker.kill()

    await rig.worker()
    await rig.all_ended(job_ids, 10)
    assert await all_is_accounted_for(rig, job_ids) == {"COMPLETED": 8}
    await nothing_is_left(rig)


async def test_in_a_rolling_deploy_no_job_waits_and_none_is_charged(rig: Rig) -> None:
    old = await rig.worker()
    running = await rig.enqueue_many("sleeping", 8, 1.0)
    await eventually(lambda: len(rig.ledger.starts()) == 8, 10, "eight runs")

    await rig.worker()
    old.send(signal.SIGTERM)
    later = await rig.enqueue_many("quick", 100)
    await rig.all_ended(later, 3)
    await rig.all_ended(running, 10)

    assert await all_is_accounted_for(rig, [*running, *later]) == {"COMPLETED": 108}
    for job_id in [*running, *later]:
        assert len(rig.ledger.starts(job_id)) == 1
        assert await rig.field(job_id, "lost_count") == ""
    await nothing_is_left(rig)
