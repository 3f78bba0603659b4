"""A producer, a worker and an executor process send one trace to Logfire, however a job ends."""

from __future__ import annotations

import json

import pytest

from tests.support.traced_shop import FUNCTIONS, TracedShop

from .receiver import Receiver, SeenSpan

ENQUEUE, JOB, EXECUTOR = "rrq.enqueue", "rrq.job", "rrq.executor"

WARN, ERROR = 13, 17


def one(seen: Receiver, shop: TracedShop, function: str, name: str) -> SeenSpan:
    (span,) = seen.of_job(shop.jobs[function], name)
    return span


def level(span: SeenSpan) -> int:
    return int(span.attributes.get("logfire.level_num", 9))


def test_everything_is_in_the_trace_of_the_producers_request(
    shop: TracedShop, seen: Receiver
) -> None:
    (request,) = seen.named("GET /buy")

    names = [span.name for span in seen.spans]
    assert {span.trace_id for span in seen.spans} == {request.trace_id}
    assert [names.count(name) for name in (ENQUEUE, JOB, EXECUTOR)] == [6, 8, 7]
    assert seen.refused == 0


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_span_is_the_child_of_the_one_before_it(
    shop: TracedShop, seen: Receiver, function: str
) -> None:
    (request,) = seen.named("GET /buy")
    enqueue = one(seen, shop, function, ENQUEUE)
    jobs = seen.of_job(shop.jobs[function], JOB)
    executions = seen.of_job(shop.jobs[function], EXECUTOR)

    assert (enqueue.parent_id, enqueue.kind) == (request.span_id, "PRODUCER")
    assert {(job.parent_id, job.kind) for job in jobs} == {(enqueue.span_id, "CONSUMER")}
    handled = [job.span_id for job in jobs]
    assert [execution.parent_id for execution in executions] == handled[: len(executions)]


def test_a_handlers_own_spans_are_below_the_executors_and_exported(
    shop: TracedShop, seen: Receiver
) -> None:
    parents = {span.parent_id for span in seen.named("charge card")}

    of_sync_and_async = [*seen.of_job(shop.jobs["buy"], EXECUTOR)]
    of_sync_and_async += seen.of_job(shop.jobs["wobble"], EXECUTOR)
    assert parents == {span.span_id for span in of_sync_and_async}


def test_a_span_says_which_job_it_is_and_only_the_arguments_that_were_asked_for(
    shop: TracedShop, seen: Receiver
) -> None:
    enqueue, job, execution = (one(seen, shop, "buy", name) for name in (ENQUEUE, JOB, EXECUTOR))

    for span in (enqueue, job, execution):
        expected = {
            "messaging.system": "redis",
            "messaging.destination.name": "default",
            "messaging.destination_kind": "queue",
            "messaging.message.id": shop.jobs["buy"],
            "rrq.queue": "default",
            "rrq.function": "buy",
            "tenant": "acme",
            "order": 7,
            "logfire.span_type": "span",
        }
        assert expected.items() <= span.attributes.items()
    assert enqueue.attributes["messaging.operation"] == "publish"
    assert job.attributes["messaging.operation"] == "process"
    assert job.attributes.keys() >= {"rrq.queue_delay_ms", "rrq.duration_ms", "rrq.timeout_seconds"}
    assert job.attributes["rrq.worker_id"] == execution.attributes["rrq.worker_id"]
    texts = [span.attributes["logfire.msg"] for span in (enqueue, job, execution)]
    assert texts == ["enqueue buy", "job buy", "run buy"]
    assert (job.attributes["rrq.outcome"], level(job), job.status) == ("success", 9, "UNSET")


def test_processes_without_application_are_the_tables_service(
    shop: TracedShop, seen: Receiver
) -> None:
    services = [one(seen, shop, "buy", name).service for name in (ENQUEUE, JOB, EXECUTOR)]

    assert services == ["shop-web", "shop-jobs", "shop-jobs"]


def test_a_retry_is_a_warning_and_the_next_attempt_is_linked_to_it(
    shop: TracedShop, seen: Receiver
) -> None:
    first, second = seen.of_job(shop.jobs["wobble"], JOB)
    asked = seen.of_job(shop.jobs["wobble"], EXECUTOR)[0]

    assert [first.attributes["rrq.outcome"], first.attributes["rrq.attempt"]] == ["retry", 1]
    assert (level(first), first.status, level(asked), asked.status) == (WARN, "UNSET") * 2
    assert list(first.events) == list(asked.events) == ["rrq.retry"]
    assert first.attributes["rrq.retry_delay_ms"] == pytest.approx(50, abs=1)
    assert (first.links, second.links) == ([], [first.span_id])
    assert (second.attributes["rrq.outcome"], second.attributes["rrq.attempt"]) == ("success", 2)


def test_a_failure_is_recorded_and_the_dead_letter_is_an_error(
    shop: TracedShop, seen: Receiver
) -> None:
    retried, dead = seen.of_job(shop.jobs["break"], JOB)
    raised = seen.of_job(shop.jobs["break"], EXECUTOR)[1]

    assert (retried.attributes["rrq.outcome"], level(retried)) == ("retry", WARN)
    assert (dead.attributes["rrq.outcome"], level(dead), dead.status) == ("dlq", ERROR, "ERROR")
    assert list(dead.events) == ["exception", "rrq.dead_letter"]
    assert "out of stock" in dead.attributes["rrq.error_message"]
    assert (level(raised), raised.status) == (ERROR, "ERROR")
    exception = raised.events["exception"]
    assert exception["exception.type"] == "LookupError"
    assert 'raise LookupError("out of stock")' in exception["exception.stacktrace"]


def test_a_timeout_a_cancel_and_a_missing_handler_tell_how_they_ended(
    shop: TracedShop, seen: Receiver
) -> None:
    ended = {
        function: one(seen, shop, function, JOB) for function in ("oversleep", "linger", "nobody")
    }

    assert {
        function: (span.attributes["rrq.outcome"], level(span), list(span.events))
        for function, span in ended.items()
    } == {
        "oversleep": ("timeout", ERROR, ["exception", "rrq.timeout", "rrq.dead_letter"]),
        "linger": ("cancelled", WARN, ["rrq.cancel"]),
        "nobody": ("dlq", ERROR, ["exception", "rrq.dead_letter"]),
    }
    outcomes = [
        one(seen, shop, function, EXECUTOR).attributes["rrq.outcome"]
        for function in ("oversleep", "linger")
    ]
    assert outcomes == ["timeout", "cancelled"]
    assert ended["nobody"].attributes["error.type"] == "handler_not_found"


def test_the_workers_log_has_the_ids_and_its_stdout_nothing(
    shop: TracedShop, seen: Receiver
) -> None:
    dead = seen.of_job(shop.jobs["break"], JOB)[-1]

    logged = [json.loads(line) for line in shop.worker.stderr.splitlines() if line[:1] == "{"]
    ids = {(line.get("trace_id"), line.get("span_id")) for line in logged}
    assert (dead.trace_id, dead.span_id) in ids
    assert shop.worker.stdout == ""
    assert "token" not in shop.worker.stderr.lower()
