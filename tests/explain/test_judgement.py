"""Which reasons follow from which evidence, and which of them is the answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rrq.explain import Evidence, Reason, judge
from rrq.explain.evidence import HolderFacts, JobFacts, Place, QueueFacts, RunningJob
from rrq.explain.reason import CODES
from rrq.store.serving import ExecutorState, Serving

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


ENDED = ("COMPLETED", "FAILED", "CANCELLED")

JOB = JobFacts(
    function_name="send",
    status="PENDING",
    queue="mail",
    enqueued_at=ago(60),
    due_at=ago(60),
    max_attempts=5,
    timeout_seconds=300,
)
PYTHON = ExecutorState(
    name="python", capacity=2, in_flight=0, processes=1, functions=("send", "sum")
)
WORKER = Serving(
    worker_id="w1",
    status="idle (no jobs)",
    queues=("urgent", "mail"),
    executors={"python": PYTHON},
    routes={"urgent": "python", "mail": "python"},
)
WAITING = Evidence(
    job_id="j1",
    now=NOW,
    local_now=NOW,
    job=JOB,
    places=(Place(queue="mail", due_at=ago(0.02)),),
    queue=QueueFacts(name="mail", waiting=1, due=1),
    workers=(WORKER,),
    workers_alive=1,
)
LATER = replace(WAITING, places=(Place(queue="mail", due_at=NOW + timedelta(hours=2)),))
RUNNING = replace(
    WAITING,
    job=replace(JOB, status="ACTIVE", worker_id="w1", started_at=ago(5)),
    places=(),
    lease_until=NOW + timedelta(seconds=8),
)
RUNS = tuple(
    RunningJob(
        job_id=f"r{number}",
        worker_id="w1",
        function_name="sum",
        queue="urgent",
        started_at=ago(number),
    )
    for number in (10, 200)
)
FULL = replace(WAITING, running=RUNS, running_in_all=2)


def codes(evidence: Evidence) -> list[str]:
    return [reason.code for reason in judge(evidence)]


def only(evidence: Evidence) -> Reason:
    [reason] = judge(evidence)
    return reason


def with_worker(evidence: Evidence, **changes: object) -> Evidence:
    return replace(evidence, workers=(replace(WORKER, **changes),))  # type: ignore[arg-type]


def with_executor(evidence: Evidence, **changes: object) -> Evidence:
    return with_worker(evidence, executors={"python": replace(PYTHON, **changes)})  # type: ignore[arg-type]


# -- ended ------------------------------------------------------------------------------


def test_a_completed_job_says_when_and_where_and_how_to_run_it_again() -> None:
    done = replace(JOB, status="COMPLETED", ended_at=ago(90), worker_id="w1", failed_attempts=1)

    reason = only(replace(WAITING, job=done, places=(), expires_seconds=3600))

    assert reason.code == "completed"
    assert reason.text == (
        "It COMPLETED 1 m 30 s ago (2026-01-01 11:58:30 UTC), at attempt 2 on worker w1. "
        "It is kept for another 1 h."
    )
    assert reason.remedy.command == ("job", "replay", "j1")


def test_a_failed_job_is_requeued_from_its_dead_letter_queue() -> None:
    failed = replace(JOB, status="FAILED", failed_attempts=5, last_error="no luck\nTraceback")

    reason = only(replace(WAITING, job=failed, places=(), dlq="lost", is_dead_letter=True))

    assert reason.text == (
        "It FAILED after 5 failed attempts: no luck. It is in the dead letter queue lost."
    )
    assert reason.remedy.command == ("dlq", "requeue", "--dlq-name", "lost", "--job-id", "j1")


def test_a_failed_job_that_is_no_dead_letter_any_more_is_replayed() -> None:
    failed = replace(JOB, status="FAILED", failed_attempts=1)

    reason = only(replace(WAITING, job=failed, places=()))

    assert "not among the newest entries" in reason.text
    assert reason.remedy.command == ("job", "replay", "j1")


@pytest.mark.parametrize(
    ("function", "error", "code"),
    [
        ("sned", "No handler registered for function 'sned'", "handler_unknown"),
        ("pyton#send", "No executor configured for 'pyton'.", "executor_unknown"),
    ],
)
def test_a_job_that_failed_for_want_of_a_handler_is_told_what_the_workers_have(
    function: str, error: str, code: str
) -> None:
    failed = replace(JOB, status="FAILED", function_name=function, last_error=error)

    failure, why = judge(replace(WAITING, job=failed, places=(), is_dead_letter=True))

    assert (failure.code, why.code) == ("failed", code)
    assert "Did you mean" in why.text


def test_a_cancelled_job_says_so() -> None:
    cancelled = replace(JOB, status="CANCELLED", ended_at=ago(1))

    assert only(replace(WAITING, job=cancelled, places=())).text.startswith(
        "It was CANCELLED 1.0 s"
    )


# -- running ----------------------------------------------------------------------------


def test_a_running_job_says_where_it_runs_and_until_when() -> None:
    reason = only(RUNNING)

    assert reason.code == "running"
    assert reason.text == (
        "It runs: since 5.0 s, attempt 1 of 5, on worker w1, executor python. "
        "It is stopped in 4 m 55 s."
    )
    assert reason.remedy.command == ("job", "active", "--worker", "w1")


def test_a_job_that_runs_alone_may_wait_for_its_process_and_says_why() -> None:
    suspect = replace(RUNNING.job, lost_count=5, runs_alone=True)

    assert only(replace(RUNNING, job=suspect)).text == (
        "It runs: since 5.0 s, attempt 1 of 5, on worker w1, executor python. It was lost 5 times "
        "before, so it runs alone in a process: if it still waits for one that is empty, its time "
        "has not begun."
    )


def test_a_cancellation_that_was_requested_is_the_answer() -> None:
    asked = replace(RUNNING, job=replace(RUNNING.job, cancel_requested_at=ago(3)))

    assert codes(asked) == ["cancel_requested", "running"]


def test_a_job_of_a_worker_without_a_heartbeat_waits_for_the_end_of_its_lease() -> None:
    reason = only(replace(RUNNING, job=replace(RUNNING.job, worker_id="w9")))

    assert reason.code == "worker_gone"
    assert "in 8.0 s" in reason.text
    assert reason.remedy.command == ("job", "explain", "j1")


def test_a_worker_that_was_not_looked_at_may_live() -> None:
    many = replace(RUNNING, workers_alive=900, job=replace(RUNNING.job, worker_id="w9"))

    assert codes(many) == ["running"]


def test_a_lease_that_ran_out_with_no_worker_alive_needs_one() -> None:
    lost = replace(RUNNING, lease_until=ago(30), workers=(), workers_alive=0)

    reason = only(lost)

    assert reason.code == "lease_expired"
    assert reason.remedy.command == ("worker", "run", "--queue", "mail")


# -- broken -----------------------------------------------------------------------------


def test_an_id_without_a_hash_is_no_job() -> None:
    reason = only(replace(WAITING, kind="none", job=JobFacts(), unborn_since=ago(2)))

    assert reason.code == "no_hash"
    assert "2.0 s ago" in reason.text


def test_a_lease_without_a_hash_is_no_job_either() -> None:
    assert codes(replace(RUNNING, kind="none", job=JobFacts())) == ["no_hash"]


def test_an_id_that_is_left_in_a_dead_letter_queue_can_only_be_deleted() -> None:
    left = replace(WAITING, kind="none", job=JobFacts(), places=(), is_dead_letter=True)

    command = ("dlq", "delete", "--dlq-name", "default", "--job-id", "j1")
    assert only(left).remedy.command == command


def test_a_key_that_is_no_hash_is_malformed() -> None:
    assert codes(replace(WAITING, kind="other", job=JobFacts())) == ["malformed"]


def test_a_field_that_cannot_be_read_is_named() -> None:
    reason = judge(replace(WAITING, job=replace(JOB, unreadable=("enqueue_time",))))[0]

    assert reason.code == "malformed"
    assert "`enqueue_time`" in reason.text


@pytest.mark.parametrize("status", ["PENDING", "RETRYING", "ACTIVE", None])
def test_a_job_that_is_in_no_queue_and_leased_by_nobody_is_lost(status: str | None) -> None:
    reason = only(replace(WAITING, job=replace(JOB, status=status), places=()))

    assert reason.code == "in_no_queue"
    assert reason.remedy.command == ("job", "replay", "j1")


def test_a_job_without_a_place_may_be_that_of_a_producer_between_two_writes() -> None:
    new = replace(WAITING, job=replace(JOB, enqueued_at=ago(0.1)), places=())

    assert "between two writes" in only(new).text


# -- not yet ----------------------------------------------------------------------------


def test_a_deferred_job_says_when_it_is_due() -> None:
    assert only(LATER).text == "It is due in 2 h (2026-01-01 14:00:00 UTC)."


def test_a_job_that_is_not_due_is_held_by_that_first_and_by_the_rest_beside_it() -> None:
    later = replace(LATER, queue=replace(LATER.queue, is_paused=True), workers=(), workers_alive=0)

    assert codes(later) == ["due_later", "paused", "no_worker"]


@pytest.mark.parametrize("runs_alone", [False, True])
def test_a_job_that_was_lost_says_why_it_is_not_due_at_once(runs_alone: bool) -> None:
    lost = replace(JOB, lost_count=3, runs_alone=runs_alone)
    soon = (Place(queue="mail", due_at=NOW + timedelta(seconds=2)),)

    reason = only(replace(WAITING, job=lost, places=soon))

    assert reason.code == "due_later"
    assert reason.text.startswith("It was lost 3 times while it ran, and is due in 2.0 s (")
    assert ("It runs alone in a process" in reason.text) == runs_alone
    assert reason.remedy.command == ("job", "trace", "j1")
    assert only(replace(LATER, job=lost)).text.startswith("It is due in 2 h")


def test_a_retrying_job_says_when_and_why() -> None:
    retrying = replace(JOB, status="RETRYING", failed_attempts=2, last_error="busy\nline 2")

    reason = only(replace(LATER, job=retrying))

    assert reason.code == "retrying"
    assert reason.text.startswith("Attempt 2 of 5 failed: busy. The next one is due in 2 h")


@pytest.mark.parametrize(
    ("holder", "state"),
    [
        (
            HolderFacts(job_id="h", key_seconds=60, status="ACTIVE", worker_id="w2", runs=True),
            "which runs on worker w2",
        ),
        (
            HolderFacts(job_id="h", key_seconds=60, status="PENDING", queue="mail", due_at=ago(1)),
            "which waits in queue mail and is due",
        ),
        (HolderFacts(job_id="h", key_seconds=60, status="COMPLETED"), "which is COMPLETED"),
        (HolderFacts(job_id="h", key_seconds=60), "of which nothing else is known any more"),
    ],
    ids=["running", "waiting", "ended", "gone"],
)
def test_a_job_behind_a_unique_key_names_its_holder(holder: HolderFacts, state: str) -> None:
    reason = only(replace(LATER, job=replace(JOB, unique_key="k"), holder=holder))

    assert reason.code == "held_back"
    assert reason.text == (
        f"Job h, {state}, holds its unique key 'k'. It starts when that job ends, at the latest in "
        "1 m."
    )
    verb = "explain" if holder.status else "replay"
    assert reason.remedy.command == ("job", verb, "h" if holder.status else "j1")


def test_a_job_from_the_future_has_a_producer_with_another_clock() -> None:
    ahead = replace(LATER, job=replace(JOB, enqueued_at=NOW + timedelta(hours=2)))

    assert codes(ahead) == ["clock", "due_later"]


def test_a_machine_with_another_clock_than_redis_is_told() -> None:
    fast = replace(LATER, local_now=NOW + timedelta(minutes=3))

    reason = judge(fast)[0]

    assert reason.code == "clock"
    assert "3 m ahead of Redis'" in reason.text


# -- nobody serves it -------------------------------------------------------------------


def test_a_paused_queue_is_resumed() -> None:
    reason = only(replace(WAITING, queue=QueueFacts(name="mail", is_paused=True)))

    assert (reason.code, reason.remedy.command) == ("paused", ("queue", "resume", "mail"))


def test_without_any_worker_one_is_to_be_started() -> None:
    reason = only(replace(WAITING, workers=(), workers_alive=0))

    assert reason.code == "no_worker"
    assert reason.remedy.command == ("worker", "run", "--queue", "mail")


def test_a_queue_that_no_worker_serves_names_those_that_are_served() -> None:
    reason = only(with_worker(WAITING, queues=("urgent", "slow")))

    assert reason.code == "queue_unserved"
    assert reason.text == "No worker serves queue mail. Alive: 1 worker, on queues slow, urgent."


def test_a_worker_that_stops_serves_nothing() -> None:
    assert codes(with_worker(WAITING, status="stopping")) == ["queue_unserved"]


def test_of_many_workers_only_those_that_were_looked_at_are_spoken_of() -> None:
    reason = only(replace(with_worker(WAITING, queues=("slow",)), workers_alive=900))

    assert "Alive: 900 workers (1 looked at)" in reason.text


def test_workers_that_are_all_stuck_say_why() -> None:
    stuck = with_worker(WAITING, status="stuck (no answer from Redis)")

    reason = only(stuck)

    assert reason.code == "worker_stuck"
    assert "stuck (no answer from Redis)" in reason.text


# -- its executor -----------------------------------------------------------------------


def test_full_executors_are_named_with_their_jobs_the_oldest_first() -> None:
    reason = only(FULL)

    assert reason.code == "executors_full"
    assert reason.text == (
        "Executor python is full on 1 worker, with 2 jobs: r200 (sum of queue urgent, 3 m 20 s); "
        "r10 (sum of queue urgent, 10 s). Jobs of queue urgent start first there."
    )
    assert reason.remedy.command == ("job", "active", "--worker", "w1")


def test_an_executor_with_room_on_another_worker_is_not_full() -> None:
    second = replace(WORKER, worker_id="w2")

    assert codes(replace(FULL, workers=(WORKER, second), workers_alive=2)) == ["starting"]


def test_jobs_of_another_executor_take_no_room() -> None:
    both = {"python": PYTHON, "node": replace(PYTHON, name="node", functions=("send",))}
    elsewhere = with_worker(FULL, executors=both, routes={"urgent": "python", "mail": "node"})

    assert codes(elsewhere) == ["starting"]


def test_when_not_all_running_jobs_were_looked_at_the_worker_is_believed() -> None:
    busy = with_executor(replace(WAITING, running_in_all=100_000), in_flight=2)

    assert codes(busy) == ["executors_full"]


def test_a_job_that_was_turned_away_for_a_moment_is_due() -> None:
    moved = replace(WAITING, places=(Place(queue="mail", due_at=NOW + timedelta(seconds=0.8)),))

    assert codes(moved) == ["executors_full"]


def test_jobs_wait_beside_one_that_runs_alone() -> None:
    suspect = replace(RUNS[0], runs_alone=True)

    reason = only(replace(WAITING, running=(suspect,), running_in_all=1))

    assert reason.code == "executors_full"
    assert reason.text.startswith(
        "What was lost too often to be trusted has a process for itself: "
    )
    assert "r10 (sum of queue urgent, 10 s) on worker w1. Others start when" in reason.text
    others = replace(WORKER, worker_id="w2")
    free = replace(WAITING, running=(suspect,), running_in_all=1, workers=(WORKER, others))
    assert codes(replace(free, workers_alive=2)) == ["starting"]


def test_an_executor_without_a_process_is_down() -> None:
    down = with_executor(WAITING, processes=0, capacity=0, restarts=7, last_error="exit code 3")

    reason = only(down)

    assert reason.code == "executor_down"
    assert "replaced 7 times. The last one: exit code 3." in reason.text


def test_an_executor_that_no_worker_of_the_queue_has_is_unknown() -> None:
    reason = only(replace(WAITING, job=replace(JOB, function_name="pyton#send")))

    assert reason.code == "executor_unknown"
    assert "No worker of queue mail has an executor 'pyton'" in reason.text
    assert 'Did you mean "python"?' in reason.text


def test_an_executor_that_only_some_workers_have_is_a_reason_as_well() -> None:
    second = replace(WORKER, worker_id="w2", executors={"node": replace(PYTHON, name="node")})
    evidence = replace(WAITING, job=replace(JOB, function_name="python#send"))

    reason = only(replace(evidence, workers=(WORKER, second), workers_alive=2))

    assert "1 of 2 workers of queue mail do not have an executor 'python'" in reason.text


def test_a_handler_that_no_executor_has_is_unknown() -> None:
    reason = only(replace(WAITING, job=replace(JOB, function_name="sned")))

    assert reason.code == "handler_unknown"
    assert "No executor of queue mail has a handler 'sned'" in reason.text
    assert 'Did you mean "send"?' in reason.text


def test_an_executor_that_does_not_tell_its_handlers_may_have_any() -> None:
    silent = with_executor(WAITING, functions=None)

    assert codes(replace(silent, job=replace(JOB, function_name="sned"))) == ["starting"]


def test_a_routing_that_only_a_plugin_knows_is_not_guessed() -> None:
    both = {"python": PYTHON, "node": replace(PYTHON, name="node")}
    routed = with_worker(WAITING, executors=both, routes=None)

    assert codes(replace(routed, job=replace(JOB, function_name="sned"))) == ["starting"]


# -- what to do -------------------------------------------------------------------------


def test_every_remedy_is_a_command_of_rrq(capfd: pytest.CaptureFixture[str]) -> None:
    from rrq.cli.main import run

    ended = [replace(WAITING, job=replace(JOB, status=status), places=()) for status in ENDED]
    scenes = [
        *ended,
        replace(ended[1], is_dead_letter=True),
        RUNNING,
        replace(RUNNING, job=replace(RUNNING.job, cancel_requested_at=ago(3))),
        replace(RUNNING, lease_until=ago(30), workers=(), workers_alive=0),
        replace(WAITING, kind="none", job=JobFacts()),
        replace(WAITING, kind="none", job=JobFacts(), places=(), is_dead_letter=True),
        replace(WAITING, job=replace(JOB, unreadable=("status",))),
        replace(LATER, job=replace(JOB, status="RETRYING")),
        replace(LATER, holder=HolderFacts(job_id="h", key_seconds=60, status="ACTIVE")),
        replace(WAITING, queue=QueueFacts(name="mail", is_paused=True, ahead=3)),
        replace(WAITING, job=replace(JOB, function_name="pyton#sned")),
        replace(WAITING, job=replace(JOB, function_name="sned")),
        with_worker(WAITING, status="stuck (x)"),
        FULL,
    ]
    commands = {reason.remedy.command for scene in scenes for reason in judge(scene)}

    for command in commands:
        assert run([*command, "--help"]) == 0, command
    assert capfd.readouterr().err == ""
    assert {command[:2] for command in commands} >= {("job", "replay"), ("dlq", "requeue")}


# -- in line ----------------------------------------------------------------------------


def test_jobs_ahead_are_counted() -> None:
    reason = only(replace(WAITING, queue=QueueFacts(name="mail", due=3000, ahead=1204)))

    assert reason.code == "jobs_ahead"
    assert reason.text == "1,204 jobs of 3,000 that are due in queue mail come before it."


def test_a_job_that_nothing_holds_is_about_to_start() -> None:
    reason = only(WAITING)

    assert reason.code == "starting"
    assert "20 ms" in reason.text


def test_a_job_that_nothing_holds_and_that_does_not_start_is_a_riddle() -> None:
    reason = only(replace(WAITING, places=(Place(queue="mail", due_at=ago(40)),)))

    assert reason.code == "starting"
    assert "nothing that is known holds it" in reason.text
    assert reason.remedy.command == ("check",)


def test_every_reason_has_a_weight_and_the_weightiest_comes_first() -> None:
    worst = replace(
        FULL,
        job=replace(JOB, function_name="sned"),
        queue=replace(WAITING.queue, is_paused=True, due=9, ahead=8),
    )

    told = codes(worst)

    assert told == ["paused", "executors_full", "jobs_ahead", "handler_unknown"]
    assert told == sorted(told, key=CODES.index)  # type: ignore[arg-type]
