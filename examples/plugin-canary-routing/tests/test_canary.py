"""Which jobs go to the canary, and what `rrq check` tells of it."""

from __future__ import annotations

from typing import Any

import rrq_canary

from rrq.hookspecs import RoutableJob
from rrq.settings import RRQSettings

EXECUTORS = {"stable": {"cmd": ["stable"]}, "next": {"cmd": ["next"]}}


def settings(percent: float, executor: str = "next") -> RRQSettings:
    canary = {"executor": executor, "percent": percent}
    plugins: Any = {"canary": {"functions": {"send_email": canary}}}
    return RRQSettings.model_validate({"executors": EXECUTORS, "plugins": plugins})


def routed(of: RRQSettings, job_id: str, function: str = "send_email", attempt: int = 1) -> Any:
    job = RoutableJob(
        job_id=job_id,
        function_name=function,
        queue_name="default",
        attempt=attempt,
        args=b"[]",
        kwargs=b"{}",
    )
    return rrq_canary.rrq_route(job, tuple(EXECUTORS), of)


def test_about_the_percentage_of_jobs_goes_to_the_canary() -> None:
    of = settings(20)
    chosen = sum(routed(of, f"job-{number}") == "next" for number in range(10_000))
    assert 1_800 < chosen < 2_200


def test_none_and_all_are_exact() -> None:
    ids = [f"job-{number}" for number in range(1_000)]
    nobody, everybody = settings(0), settings(100)
    assert {routed(nobody, one) for one in ids} == {None}
    assert {routed(everybody, one) for one in ids} == {"next"}


def test_a_job_goes_the_same_way_at_every_attempt_and_on_every_worker() -> None:
    one, other = settings(50), settings(50)
    for number in range(100):
        job_id = f"job-{number}"
        assert routed(one, job_id) == routed(other, job_id, attempt=4)


def test_a_higher_percentage_keeps_the_jobs_of_a_lower_one() -> None:
    low, high = settings(10), settings(30)
    ids = [f"job-{number}" for number in range(1_000)]
    assert {one for one in ids if routed(low, one)} < {one for one in ids if routed(high, one)}


def test_other_functions_take_their_usual_way() -> None:
    assert routed(settings(100), "job", function="charge_card") is None


async def test_a_canary_without_its_executor_is_passed_over_and_the_check_says_so() -> None:
    of = settings(100, executor="gone")
    assert routed(of, "job") is None
    (check,) = rrq_canary.rrq_checks(of)
    assert await check.probe() == (
        "failed",
        "No such executor: gone (for send_email). Add it to [rrq.executors].",
    )


async def test_the_check_lists_the_canaries() -> None:
    (check,) = rrq_canary.rrq_checks(settings(12.5))
    assert await check.probe() == ("ok", "12.5 % of send_email to next.")
