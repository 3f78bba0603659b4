"""Celery with Redis as broker and result backend: plain functions in processes or threads."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery

from peers import work

app = Celery("peers", broker=f"{work.REDIS}/0", backend=f"{work.REDIS}/1")
app.conf.update(
    # What follows is the advice of Celery's own guide: many short tasks, or few long ones.
    worker_prefetch_multiplier=128 if os.environ.get("BENCH_SHORT") == "1" else 1,
    task_acks_late=work.IS_TUNED or os.environ.get("BENCH_RELIABILITY") != "default",
    worker_cancel_long_running_tasks_on_connection_loss=True,
    broker_connection_retry_on_startup=True,
    worker_send_task_events=False,
    task_send_sent_event=False,
    result_expires=3600,
)
if work.IS_TUNED:
    app.conf.task_reject_on_worker_lost = True
    app.conf.broker_transport_options = {
        "visibility_timeout": work.TUNED_SECONDS,
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
    }

HANDLERS = {
    "noop": app.task(work.noop, name="noop"),
    "stamp": app.task(work.stamp, name="stamp"),
    "sleep": app.task(work.sleep_in_thread, name="sleep"),
    "mark": app.task(work.mark_in_thread, name="mark"),
}


def commands(needs: work.Needs) -> list[list[str]]:
    pool = (
        ("--pool", "prefork", "--concurrency", str(needs.processes))
        if needs.are_short
        else ("--pool", "threads", "--concurrency", str(needs.in_flight))
    )
    return [
        work.program(
            "celery",
            *("--app", "peers.celery", "worker", "--loglevel", "WARNING", *pool),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        )
    ]


def put(handler: str, *arguments: Any) -> None:
    HANDLERS[handler].delay(*arguments)


PEER = work.Peer(
    title="Celery",
    packages=("celery", "kombu", "redis", "hiredis"),
    settings="pool `prefork`, `task_acks_late`, `worker_prefetch_multiplier` 128 for short jobs; "
    "pool `threads` and a multiplier of 1 for those that wait; no gossip, mingle, heartbeat",
    reliability="By default a task is acknowledged before it runs. Tuned: `task_acks_late`, "
    "`task_reject_on_worker_lost`, a `visibility_timeout` of 10 s instead of an hour, which must "
    "exceed the longest task, and a look for such tasks every second instead of every 100 s.",
    results="return redis.call('dbsize')",
    results_database=1,
    commands=commands,
    producer=lambda: work.constant(work.Producer(put)),
)
