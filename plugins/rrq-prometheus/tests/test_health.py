"""When a worker lives, and when it is ready, by what it last measured."""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import Any

import pytest

from rrq.exc import ConfigError
from rrq.settings import RRQSettings
from rrq.telemetry import Attempt, ExecutorGauges, FinishedJob, StartedJob, WorkerGauges
from rrq_prometheus import activation
from rrq_prometheus.health import SILENT_SECONDS, why_not_alive, why_not_ready
from rrq_prometheus.metrics import MOST_FUNCTIONS, Metrics

WELL = WorkerGauges(
    worker_id="rrq_worker_1",
    measured_ns=0,
    status="polling",
    in_flight=1,
    capacity=4,
    executors={"python": ExecutorGauges(in_flight=1, capacity=4, processes=1, restarts=0)},
    queues=None,
    counts={},
    lost_leases=0,
    reaped_jobs=0,
    is_redis_up=True,
    last_claim_age_seconds=0.1,
    last_settle_age_seconds=0.1,
)
DEAD = {"python": ExecutorGauges(in_flight=0, capacity=0, processes=0, restarts=3)}


def test_a_worker_that_claims_is_ready() -> None:
    assert why_not_ready(WELL, 15) is None


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"status": "initializing"}, "the worker is initializing"),
        ({"status": "stopping"}, "the worker is stopping"),
        ({"status": "stuck (no executor)"}, "the worker is stuck (no executor)"),
        ({"is_redis_up": False}, "Redis does not answer"),
        ({"executors": DEAD}, "no process of executor python is up"),
        ({"last_claim_age_seconds": 16.2}, "nothing was claimed for 16 s"),
    ],
)
def test_one_that_cannot_take_work_says_why(changed: dict[str, Any], reason: str) -> None:
    assert why_not_ready(replace(WELL, **changed), 15) == reason


def test_one_that_is_full_is_ready_though_it_claims_nothing() -> None:
    full = replace(WELL, in_flight=4, last_claim_age_seconds=300.0)
    assert why_not_ready(full, 15) is None


def test_one_that_is_starting_lives_and_is_not_ready() -> None:
    assert why_not_alive(None, 0, age_seconds=5) is None
    assert why_not_ready(None, 15) == "the worker is starting"
    assert why_not_alive(None, 0, age_seconds=500) == "the worker has not come up within 500 s"


def test_one_that_measures_nothing_any_more_hangs() -> None:
    seconds = SILENT_SECONDS + 1
    assert why_not_alive(WELL, int(seconds * 1e9), 500) == "the worker has been silent for 31 s"
    assert why_not_alive(WELL, int(5e9), 500) is None


def attempt(function: str) -> Attempt:
    started = StartedJob(
        job_id="a",
        function_name=function,
        queue_name="default",
        worker_id="w",
        executor_name="python",
        attempt=1,
        max_retries=1,
        timeout_seconds=1,
        queue_delay_ms=1,
        enqueue_time="",
        lease_token=1,
        previous_lease_token=None,
        started_ns=0,
        trace_context={},
    )
    return Attempt(
        started=started, finished=FinishedJob(outcome="success", ended_ns=1, duration_ms=1)
    )


def test_no_more_functions_are_counted_by_name_than_a_server_bears() -> None:
    metrics = Metrics(ready_within_seconds=15)
    for number in range(MOST_FUNCTIONS + 5):
        metrics.attempt(attempt(f"f{number}"))

    def count(function: str) -> float | None:
        labels = {"queue": "default", "function": function, "outcome": "success"}
        return metrics.registry.get_sample_value("rrq_attempts_total", labels)

    assert (count("f0"), count(f"f{MOST_FUNCTIONS}"), count("(others)")) == (1, None, 5)


def test_the_default_port_is_done_without_if_another_has_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setattr(activation, "DEFAULT_PORT", other.getsockname()[1])
        activation.serving(RRQSettings()).worker_started("rrq_worker_1", ("default",))
    assert (
        "Give each worker of this machine a port of its own with RRQ_PROMETHEUS_PORT="
        in caplog.text
    )
    assert "port = 0 in [rrq.plugins.prometheus]" in caplog.text


def test_a_host_that_is_none_is_an_error() -> None:
    settings = RRQSettings.model_validate(
        {"plugins": {"prometheus": {"host": "203.0.113.1", "port": 0}}}
    )
    with pytest.raises(ConfigError, match=r"cannot listen at 203\.0\.113\.1:0"):
        activation.serving(settings)
