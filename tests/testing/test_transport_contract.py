"""The contract of a transport finds each promise that is broken.

The transport that these are made from passes all of it, in the tests of the stdio plugin.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from rrq.exc import ExecutorLost, ExecutorStartError
from rrq.testing.transport import GARBAGE, TransportContract
from rrq.transport import TransportContext
from rrq_executor_stdio import StdioConfig, StdioTransport
from tests.support.documents import CHECKOUT
from tests.support.once import once
from tests.testing import wrong_transports as wrong

EXECUTOR = CHECKOUT / "plugins/rrq-executor-stdio/tests/executors/many_at_once.py"

PATIENCE_SECONDS = 1.0
"""How long the contract waits here for what will not happen."""

AT_ONCE = 8

FAILED = pytest.fail.Exception
"""What `pytest.raises` raises when nothing was raised."""

# For each point of the contract, who breaks it and what it fails with.
WRONG: dict[str, tuple[type[wrong.Right], type[BaseException]]] = {
    "a_started_transport_takes_as_many_requests_as_its_executors_do": (
        wrong.TakesOneAtATime,
        AssertionError,
    ),
    "an_executor_that_cannot_start_is_reported_with_what_it_printed": (
        wrong.StartsWithoutAWord,
        AssertionError,
    ),
    "a_request_to_an_executor_that_starts_slowly_is_answered": (
        wrong.StartsInAHurry,
        ExecutorStartError,
    ),
    "a_stop_during_the_start_leaves_nothing_running": (wrong.StopsOnlyWhenItIsUp, TimeoutError),
    "arguments_and_results_pass_through_unchanged": (wrong.CountsInFloats, AssertionError),
    "what_a_request_tells_of_its_job_arrives_unchanged": (wrong.ForgetsTheTrace, AssertionError),
    "json_text_that_is_spread_over_lines_arrives_whole": (wrong.SendsTheFirstLine, ExecutorLost),
    "megabytes_pass_in_both_directions": (wrong.RefusesMegabytes, TypeError),
    "an_error_outcome_comes_back_with_its_type_and_message": (
        wrong.ForgetsTheErrorType,
        AssertionError,
    ),
    "more_requests_than_capacity_wait_and_each_gets_its_own_outcome": (
        wrong.RefusesWhenItIsFull,
        ExecutorLost,
    ),
    "what_became_of_a_request_is_told_once": (wrong.TellsTheAbandoned, AssertionError),
    "a_long_request_does_not_hold_up_another": (wrong.RunsOneAfterAnother, TimeoutError),
    "a_request_that_is_to_run_alone_is_answered_and_others_after_it": (
        wrong.StaysAlone,
        TimeoutError,
    ),
    "the_same_job_twice_at_once_gets_two_outcomes": (wrong.GivesTwinsOneOutcome, AssertionError),
    "a_flood_in_the_log_stops_no_request": (wrong.ReadsNoLog, TimeoutError),
    "progress_is_passed_on": (wrong.KeepsProgressToItself, AssertionError),
    "a_request_whose_executor_dies_is_lost_with_penalty": (
        wrong.ForgivesEveryLoss,
        AssertionError,
    ),
    "a_request_whose_executor_dies_is_not_sent_to_another": (wrong.SendsTheLostAgain, TimeoutError),
    "a_dead_executor_is_replaced_and_the_change_is_told": (wrong.TellsOfNoChange, AssertionError),
    "the_end_of_one_executor_does_not_touch_another": (wrong.EndsThemTogether, ExecutorLost),
    "a_malformed_answer_costs_the_executor_its_place": (wrong.TakesGarbageForAnAnswer, FAILED),
    "a_cancelled_request_stops_and_gives_its_place_back": (
        wrong.LetsTheCancelledRun,
        AssertionError,
    ),
    "a_cancelled_request_leaves_its_neighbour_alone": (
        wrong.CancelsByEndingTheProcess,
        ExecutorLost,
    ),
    "a_request_that_is_cancelled_while_it_waits_is_never_carried_out": (
        wrong.SendsTheCancelledLater,
        TimeoutError,  # it holds the place of the next one
    ),
    "a_neighbour_of_a_request_that_does_not_stop_is_not_to_blame": (
        wrong.BlamesEveryJob,
        AssertionError,
    ),
    "a_request_that_does_not_stop_takes_room_until_its_executor_is_replaced": (
        wrong.CountsTheCancelledAsGone,
        AssertionError,
    ),
    "a_transport_that_was_not_started_takes_nothing_and_can_be_stopped": (
        wrong.HasRoomBeforeItStarts,
        AssertionError,
    ),
    "a_stop_lets_a_running_request_finish": (wrong.StopsWithoutGrace, AssertionError),
    "a_request_that_outlasts_the_grace_is_lost_without_penalty": (
        wrong.BlamesEveryJob,
        AssertionError,
    ),
    "a_stop_with_nothing_to_wait_for_does_not_use_its_grace": (wrong.UsesItsGrace, TimeoutError),
    "a_second_stop_cuts_the_grace_of_the_first": (wrong.StopsOnce, TimeoutError),
    "a_stopped_transport_refuses_requests_without_penalty": (wrong.BlamesEveryJob, AssertionError),
    "a_stop_leaves_no_process_behind": (wrong.LeavesItsProcesses, AssertionError),
    "a_stop_leaves_no_task_behind": (wrong.LeavesATask, AssertionError),
    "a_request_that_runs_gets_no_more_than_its_own_timeout": (wrong.GrantsTime, AssertionError),
    "the_transport_tells_how_it_is_doing": (wrong.SaysNothingOfItself, AssertionError),
}


class Judge(TransportContract):
    """The contract of one wrong transport; it is ended rightly after that."""

    soon_seconds = PATIENCE_SECONDS

    def __init__(self, transport: type[wrong.Right]) -> None:
        self.kind = transport
        self.made: list[wrong.Right] = []

    def make_transport(
        self,
        context: TransportContext,
        *,
        executors: int = 1,
        in_flight: int = 1,
        start: str = "normal",
    ) -> wrong.Right:
        config = StdioConfig(
            cmd=[sys.executable, str(EXECUTOR), start, str(in_flight)],
            pool_size=executors,
            cancel_grace_seconds=0.5,
        )
        self.made.append(self.kind(config, context))
        return self.made[-1]

    async def failure(self, name: str, folder: Path, **parameters: str) -> BaseException | None:
        """What a test of the contract fails with."""
        test = getattr(self, f"test_{name}")
        if "tmp_path" in inspect.signature(test).parameters:
            parameters["tmp_path"] = folder  # type: ignore[assignment]
        try:
            await test(**parameters)
        except (Exception, FAILED) as failure:
            return failure
        finally:
            for transport in self.made:
                with suppress(Exception):
                    await StdioTransport.stop(transport, 0)
        return None


@pytest.fixture(scope="session")
def failures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What each point of the contract says of its wrong transport, judged once a test run."""

    def judge(directory: Path) -> None:
        said = asyncio.run(judged_side_by_side(directory))
        (directory / "failures.json").write_text(json.dumps(said))

    directory = once(tmp_path_factory, "wrong_transports", judge)
    told: dict[str, list[dict[str, Any]]] = json.loads((directory / "failures.json").read_text())
    return told


async def judged_side_by_side(directory: Path) -> dict[str, list[dict[str, Any]]]:
    """The kinds of each failure and its text; more than one for a test with parameters."""
    # What a wrong transport leaves behind is no news here.
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    turns = asyncio.Semaphore(AT_ONCE)

    async def judged(name: str) -> list[dict[str, Any]]:
        cases = [{"garbage": one} for one in GARBAGE] if "malformed" in name else [{}]
        found = []
        async with turns:
            for number, case in enumerate(cases):
                folder = directory / f"{name}-{number}"
                folder.mkdir(exist_ok=True)
                failure = await Judge(WRONG[name][0]).failure(name, folder, **case)
                kinds = [kind.__qualname__ for kind in type(failure).__mro__]
                found.append({"kinds": kinds, "text": repr(failure)})
        return found

    answers = await asyncio.gather(*(judged(name) for name in WRONG))
    return dict(zip(WRONG, answers, strict=True))


@pytest.mark.parametrize("name", WRONG)
def test_the_contract_fails_a_transport_that_breaks_it(
    name: str, failures: dict[str, list[dict[str, Any]]]
) -> None:
    kind, expected = WRONG[name]
    for failure in failures[name]:
        assert expected.__qualname__ in failure["kinds"], f"{kind.__name__}: {failure['text']}"


def test_every_point_of_the_contract_is_broken_by_someone() -> None:
    points = {name for name in dir(TransportContract) if name.startswith("test_")}
    assert points == {f"test_{name}" for name in WRONG}
