import pytest
from pydantic import BaseModel

from rrq.orchestrator.lane import Lane, Waiting
from rrq.protocol import ExecutionOutcome, ExecutionRequest
from rrq.store.leases import TurnedAway
from rrq.transport import Transport, TransportContext, TransportStatus

from .claims import a_claim


class NoOptions(BaseModel):
    pass


class OfCapacity(Transport):
    """A transport that is asked for nothing but its capacity."""

    config_model = NoOptions

    def __init__(self, capacity: int) -> None:
        super().__init__(NoOptions(), TransportContext(executor_name="x", worker_id="w"))
        self.slots = capacity

    @property
    def capacity(self) -> int:
        return self.slots

    async def start(self) -> None:
        raise NotImplementedError

    async def execute(self, request: ExecutionRequest) -> ExecutionOutcome:
        raise NotImplementedError

    async def stop(self, grace_seconds: float) -> None:
        raise NotImplementedError

    def describe(self) -> TransportStatus:
        raise NotImplementedError


def lane_of(capacity: int) -> Lane:
    return Lane("x", OfCapacity(capacity))


def finish(lane: Lane, jobs: int, now: float, run_seconds: float = 0.001) -> None:
    for _ in range(jobs):
        lane.started()
        lane.ended(now, run_seconds)


def test_a_lane_that_finished_nothing_yet_asks_for_what_it_can_start() -> None:
    lane = lane_of(4)
    assert lane.room(100.0) == 4
    lane.started()
    assert lane.room(100.0) == 3


def test_a_lane_reads_as_many_jobs_ahead_as_it_finished_lately() -> None:
    lane = lane_of(1)
    finish(lane, 30, 100.01)
    lane.started()
    assert lane.room(100.06) == 30


def test_after_one_short_job_the_next_one_is_read_ahead() -> None:
    lane = lane_of(1)
    finish(lane, 1, 100.0)
    lane.started()
    assert lane.room(100.01) == 1
    assert lane.may_wait(100.01)


def test_what_was_finished_a_while_ago_is_no_reason_to_read_ahead() -> None:
    lane = lane_of(1)
    finish(lane, 20, 100.0)
    lane.started()
    assert lane.room(101.0) == 0
    assert not lane.may_wait(101.0)


@pytest.mark.parametrize("jobs", [1, 32])
def test_the_ends_of_long_jobs_are_no_reason_to_read_ahead_however_many_come_at_once(
    jobs: int,
) -> None:
    lane = lane_of(jobs)
    finish(lane, jobs, 100.0, run_seconds=0.2)
    for _ in range(jobs):
        lane.started()
    assert lane.room(100.01) == 0
    assert not lane.may_wait(100.01)
    assert lane.executor_room(100.01).is_full


def test_a_long_job_among_short_ones_does_not_stop_the_reading_ahead() -> None:
    lane = lane_of(2)
    finish(lane, 10, 100.0)
    finish(lane, 1, 100.0, run_seconds=5.0)
    lane.started()
    lane.started()
    assert lane.room(100.01) == 10


def test_a_lane_asks_for_more_only_when_half_of_its_read_ahead_is_used_up() -> None:
    lane = lane_of(1)
    finish(lane, 20, 100.0)
    lane.started()
    for n in range(11):
        lane.ready.append(Waiting(a_claim(job_id=str(n)), 100.0))
    assert lane.room(100.01) == 0
    lane.ready.popleft()
    assert lane.room(100.01) == 10


def test_a_lane_without_a_live_process_asks_for_nothing() -> None:
    lane = lane_of(0)
    finish(lane, 20, 100.0)
    assert lane.room(100.01) == 0


def test_what_waits_for_longer_than_100_ms_is_overdue_and_the_rest_stays() -> None:
    lane = lane_of(1)
    lane.ready.append(Waiting(a_claim(job_id="old"), 100.0))
    lane.ready.append(Waiting(a_claim(job_id="new"), 100.09))
    assert [claim.job_id for claim in lane.overdue(100.15)] == ["old"]
    assert [waiting.claim.job_id for waiting in lane.ready] == ["new"]


def test_a_lane_is_full_when_it_starts_nothing_now_and_reads_nothing_ahead() -> None:
    lane = lane_of(1)
    assert not lane.executor_room(100.0).is_full
    lane.started()
    assert lane.executor_room(100.0).is_full
    finish(lane, 20, 100.01)
    lane.transport.slots = 2  # type: ignore[attr-defined]
    assert not lane.executor_room(100.02).is_full


def test_a_lane_recalls_as_many_turned_away_jobs_as_it_can_start_the_first_ones_first() -> None:
    lane = lane_of(2)
    lane.started()
    jobs = [TurnedAway("x", "default", str(n), "1") for n in range(3)]
    for job in jobs:
        lane.turned_away(job)
    assert lane.executor_room(100.0).turned_away == 3
    assert lane.recall() == jobs[:1]
    lane.ended(100.0, 0.001)
    assert lane.recall() == jobs[1:]
    assert lane.recall() == []


def test_a_lane_for_which_nothing_was_found_is_not_asked_for_until_a_while_later() -> None:
    lane = lane_of(1)
    lane.found_nothing(100.0)
    assert lane.room(100.04) == 0
    assert lane.room(100.06) == 1
    lane.found_nothing(100.1)
    lane.look_now()
    assert lane.room(100.11) == 1
