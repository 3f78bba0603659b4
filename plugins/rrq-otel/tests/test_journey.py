"""One trace from the producer's request to the spans inside the handlers, however a job ends."""

from __future__ import annotations

import json

import pytest

from tests.support.traced_shop import FUNCTIONS, TracedShop

from .receiver import Receiver, SeenSpan


def job_spans(shop: TracedShop, seen: Receiver, function: str) -> list[SeenSpan]:
    return seen.of_job(shop.jobs[function])


def executor_spans(shop: TracedShop, seen: Receiver, function: str) -> list[SeenSpan]:
    return seen.of_job(shop.jobs[function], "rrq.executor")


def test_everything_is_one_trace(seen: Receiver) -> None:
    [request] = [span for span in seen.spans if span.name == "GET /buy"]
    assert {span.trace_id for span in seen.spans} == {request.trace_id}
    assert len({span.span_id for span in seen.spans}) == len(seen.spans)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_span_has_the_one_before_it_as_its_parent(
    shop: TracedShop, seen: Receiver, function: str
) -> None:
    [request] = [span for span in seen.spans if span.name == "GET /buy"]
    [enqueue] = seen.of_job(shop.jobs[function], "rrq.enqueue")
    jobs = job_spans(shop, seen, function)
    executions = executor_spans(shop, seen, function)
    assert enqueue.parent_id == request.span_id
    assert jobs
    assert {job.parent_id for job in jobs} == {enqueue.span_id}
    assert [execution.parent_id for execution in executions] == (
        [] if function == "nobody" else [job.span_id for job in jobs]
    )
    assert (enqueue.kind, jobs[0].kind) == ("PRODUCER", "CONSUMER")
    for job, execution in zip(jobs, executions, strict=False):
        assert execution.kind == "INTERNAL"
        assert job.start_ns <= execution.start_ns <= execution.end_ns
        # The executor ends its span when the outcome is on its way, which the worker may see first.
        assert execution.end_ns <= job.end_ns + 50_000_000


def test_a_handlers_own_spans_nest_under_its_execution_also_in_a_thread(
    shop: TracedShop, seen: Receiver
) -> None:
    own = [span for span in seen.spans if span.name == "charge card"]
    executions = [span for name in ("buy", "wobble") for span in executor_spans(shop, seen, name)]
    assert sorted(span.parent_id for span in own) == sorted(span.span_id for span in executions)


def test_a_success(shop: TracedShop, seen: Receiver) -> None:
    [job] = job_spans(shop, seen, "buy")
    [execution] = executor_spans(shop, seen, "buy")
    for span in (job, execution):
        assert span.attributes["rrq.outcome"] == "success"
        assert (span.status, span.events, span.links) == ("UNSET", [], [])
    assert job.attributes["rrq.duration_ms"] > 0
    assert job.attributes["rrq.queue_delay_ms"] >= 0


def test_a_retry_is_a_second_attempt_that_links_to_the_first(
    shop: TracedShop, seen: Receiver
) -> None:
    first, second = job_spans(shop, seen, "wobble")
    execution, _ = executor_spans(shop, seen, "wobble")
    assert (first.attributes["rrq.attempt"], second.attributes["rrq.attempt"]) == (1, 2)
    assert (first.links, second.links) == ([], [first.span_id])
    assert (first.attributes["rrq.outcome"], first.event_names) == ("retry", ["rrq.retry"])
    assert first.attributes["rrq.retry_delay_ms"] == 50
    assert second.attributes["rrq.outcome"] == "success"
    # The handler asked for it, so nothing went wrong.
    assert first.status == execution.status == "UNSET"
    assert execution.attributes["rrq.outcome"] == "retry"
    assert [(event.name, event.attributes) for event in execution.events] == [
        ("rrq.retry", {"rrq.reason": "not yet"})
    ]


def test_a_failure_is_recorded_and_at_last_a_dead_letter(shop: TracedShop, seen: Receiver) -> None:
    first, last = job_spans(shop, seen, "break")
    execution, _ = executor_spans(shop, seen, "break")
    assert [first.attributes["rrq.outcome"], last.attributes["rrq.outcome"]] == ["retry", "dlq"]
    assert first.event_names == ["exception", "rrq.retry"]
    assert last.event_names == ["exception", "rrq.dead_letter"]
    for span in (first, last, execution):
        assert (span.status, span.status_text) == ("ERROR", "out of stock")
        assert span.attributes["error.type"] == "LookupError"
        assert span.events[0].attributes["exception.type"] == "LookupError"
        assert span.events[0].attributes["exception.message"] == "out of stock"
    assert last.attributes["rrq.error_message"] == "out of stock"
    # Only the executor has seen where it was raised.
    assert "in break_" in execution.events[0].attributes["exception.stacktrace"]


def test_a_timeout(shop: TracedShop, seen: Receiver) -> None:
    [job] = job_spans(shop, seen, "oversleep")
    [execution] = executor_spans(shop, seen, "oversleep")
    assert job.attributes["rrq.outcome"] == execution.attributes["rrq.outcome"] == "timeout"
    assert job.status == execution.status == "ERROR"
    assert job.status_text == "Job timed out after 1s."
    assert job.event_names == ["exception", "rrq.timeout", "rrq.dead_letter"]


def test_a_cancelled_job_is_no_error(shop: TracedShop, seen: Receiver) -> None:
    [job] = job_spans(shop, seen, "linger")
    [execution] = executor_spans(shop, seen, "linger")
    assert job.attributes["rrq.outcome"] == execution.attributes["rrq.outcome"] == "cancelled"
    assert job.status == execution.status == "UNSET"
    assert job.event_names == execution.event_names == ["rrq.cancel"]


def test_a_job_without_handler_is_a_dead_letter(shop: TracedShop, seen: Receiver) -> None:
    [job] = job_spans(shop, seen, "nobody")
    assert job.attributes["rrq.outcome"] == "dlq"
    assert job.status_text == "No handler registered for function 'nobody'"


def test_the_attributes_follow_the_messaging_conventions(shop: TracedShop, seen: Receiver) -> None:
    spans = {
        "publish": seen.of_job(shop.jobs["buy"], "rrq.enqueue")[0],
        "process": job_spans(shop, seen, "buy")[0],
        "run": executor_spans(shop, seen, "buy")[0],
    }
    for name, span in spans.items():
        common = {
            "messaging.system": "redis",
            "messaging.destination.name": "default",
            "messaging.destination_kind": "queue",
            "messaging.message.id": shop.jobs["buy"],
            "messaging.operation": "publish" if name == "publish" else "process",
            "messaging.operation.type": "send" if name == "publish" else "process",
            "rrq.job_id": shop.jobs["buy"],
            "rrq.function": "buy",
            "rrq.queue": "default",
            "span.kind": span.kind.lower(),
        }
        assert common.items() <= span.attributes.items()
        assert span.scope == "rrq"
    job = spans["process"]
    assert job.attributes["rrq.worker_id"].startswith("rrq_worker_")
    assert job.attributes["rrq.timeout_seconds"] == 300
    assert job.attributes["rrq.executor"] == "python"


def test_the_named_arguments_are_on_all_three_spans_and_no_others(
    shop: TracedShop, seen: Receiver
) -> None:
    for name in ("rrq.enqueue", "rrq.job", "rrq.executor"):
        [span] = seen.of_job(shop.jobs["buy"], name)
        assert (span.attributes["tenant"], span.attributes["order"]) == ("acme", 7)
        [other] = seen.of_job(shop.jobs["linger"], name)
        assert not {"tenant", "order"} & other.attributes.keys()


def test_each_process_says_whose_it_is(shop: TracedShop, seen: Receiver) -> None:
    [enqueue] = seen.of_job(shop.jobs["buy"], "rrq.enqueue")
    [job] = job_spans(shop, seen, "buy")
    [execution] = executor_spans(shop, seen, "buy")
    services = [span.resource["service.name"] for span in (enqueue, job, execution)]
    instances = {span.resource.get("service.instance.id") for span in (enqueue, job, execution)}
    assert services == ["shop-web", "shop-jobs", "shop-jobs"]
    assert len(instances) == 3


def test_attempts_are_counted_and_timed(seen: Receiver) -> None:
    finished = {
        (point.attributes["rrq.function"], point.attributes["rrq.outcome"]): point.value
        for point in seen.metrics["rrq.jobs.finished"]
    }
    assert finished == {
        ("buy", "success"): 1,
        ("wobble", "retry"): 1,
        ("wobble", "success"): 1,
        ("break", "retry"): 1,
        ("break", "dlq"): 1,
        ("oversleep", "timeout"): 1,
        ("linger", "cancelled"): 1,
        ("nobody", "dlq"): 1,
    }
    [overslept] = {
        (point.value, point.sum >= 1, point.bounds[0])
        for point in seen.metrics["rrq.job.duration"]
        if point.attributes["rrq.outcome"] == "timeout"
    }
    assert overslept == (1, True, 0.001)
    waits = {point.attributes["rrq.function"] for point in seen.metrics["rrq.job.wait"]}
    assert waits == set(FUNCTIONS)


def test_a_worker_measures_itself_and_its_queues(seen: Receiver) -> None:
    def last(name: str, **attributes: str) -> float:
        points = [
            point
            for point in seen.metrics[name]
            if attributes.items()
            <= {k.removeprefix("rrq."): v for k, v in point.attributes.items()}.items()
        ]
        return points[-1].value

    assert last("rrq.workers") == 1
    assert last("rrq.worker.capacity") == 10
    assert last("rrq.worker.redis_up") == 1
    assert last("rrq.executor.processes", executor="python") == 1
    assert last("rrq.queue.depth", queue="default") >= 0
    assert last("rrq.queue.oldest_due_age", queue="default") >= 0
    assert last("rrq.leases.lost") == 0
    in_flight = [point.value for point in seen.metrics["rrq.jobs.in_flight"]]
    assert 0 <= max(in_flight) <= 10


def test_the_workers_log_names_the_span_of_the_job(shop: TracedShop, seen: Receiver) -> None:
    [_, last] = job_spans(shop, seen, "break")
    [line] = [
        line
        for line in map(json.loads, shop.worker.stderr.splitlines()[2:])
        if line["message"].startswith(f"Job {shop.jobs['break']} failed for good")
    ]
    assert (line["trace_id"], line["span_id"]) == (last.trace_id, last.span_id)
    assert (line["job_id"], line["queue"]) == (shop.jobs["break"], "default")
    [exported] = [log for log in seen.logs if log.text == line["message"]]
    assert (exported.trace_id, exported.span_id) == (last.trace_id, last.span_id)
    assert exported.attributes["rrq.job_id"] == shop.jobs["break"]
    assert exported.severity == "WARN"
