"""`rrq queue`: what waits, and where; and holding a queue back for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rrq.cli import candidates, options, queue_stats, render
from rrq.cli.groups import command_group
from rrq.cli.missing import no_queue
from rrq.exc import MalformedJob
from rrq.hookspecs import hookimpl
from rrq.suggestion import did_you_mean
from rrq.wording import counted

if TYPE_CHECKING:
    from collections import Counter

    from rrq.job import Job
    from rrq.store.queues import QueueSize, Waiting
    from rrq.store.statistics import Window
    from rrq.store.store import JobStore

COUNTED = ("enqueued", "completed", "failed", "retried", "lost")
"""What `queue list` shows of all that was counted; `per minute` is what completed in the last 5."""

QueueName = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="The queue; bare or full name.", autocompletion=candidates.queue_names
    ),
]


@hookimpl
def rrq_commands(app: typer.Typer) -> None:
    """Add the group `rrq queue`."""
    group = command_group(app, "queue", "Look at queues; pause and resume them.")
    group.command("list")(list_queues)
    group.command("stats")(queue_stats.stats)
    group.command("inspect")(inspect)
    group.command("pause")(pause)
    group.command("resume")(resume)


def list_queues(
    show_empty: Annotated[
        bool, typer.Option("--show-empty", help="Queues without a waiting job too.")
    ] = False,
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
    json: options.JsonOption = False,
) -> None:
    """List the queues: what waits, what is due since when, what became of others.

    Example: rrq queue list --show-empty
    """
    from rrq.cli.session import session

    async def ask(
        store: JobStore,
    ) -> tuple[list[str], list[QueueSize], dict[str, Counter[str]], dict[str, list[Window]]]:
        names = sorted(await _known(store))
        described = await store.queues.describe(names)
        totals = await store.statistics.totals("queue", names)
        return names, described, totals, await store.statistics.windows("queue", names, [5])

    names, described, totals, windows = session(config, redis_dsn, ask)
    if broken := set(names) - {size.name for size in described}:
        named = ", ".join(map(render.printable, sorted(broken)))
        render.warning(f"No sorted set, and so no queue: {named}")
    sizes = [size for size in described if show_empty or size.waiting or size.is_paused]
    render.table(
        ["queue", "waiting", "due", "first due", "last due", "paused", *COUNTED, "per minute"],
        [
            (
                size.name,
                size.waiting,
                size.due,
                size.first_due_at,
                size.last_due_at,
                size.is_paused,
                *(totals[size.name][event] for event in COUNTED),
                round(windows[size.name][0].per_second("completed") * 60, 1),
            )
            for size in sizes
        ],
        json=json,
        empty="No job waits in any queue.",
    )


def inspect(
    name: QueueName,
    limit: options.LimitOption = 20,
    offset: options.OffsetOption = 0,
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
    json: options.JsonOption = False,
) -> None:
    """List the jobs that wait in a queue, in the order in which they become due.

    Example: rrq queue inspect mail --limit 50
    """
    from rrq.cli.session import session

    async def ask(store: JobStore) -> tuple[QueueSize, list[tuple[Waiting, Job | str]]]:
        size = await _described(store, name)
        waiting = await store.queues.waiting(name, offset, limit)
        return size, [(one, await _found(store, one.job_id)) for one in waiting]

    size, jobs = session(config, redis_dsn, ask)
    rows = [
        _row(number, waiting, job, json) for number, (waiting, job) in enumerate(jobs, offset + 1)
    ]
    columns = ["number", "id", "function", "status", "scheduled", "retries"]
    shown = render.printable(size.name)
    empty = f"No job waits in {shown}."
    if size.waiting:
        empty = f"{counted(size.waiting, 'job waits', 'jobs wait')} in {shown}."
    render.table(columns, rows, json=json, empty=empty)
    if rows and not json:
        render.note(f"Showing {offset + 1}-{offset + len(rows)} of {size.waiting}.")
    if size.is_paused:
        render.note(f"Queue {shown} is paused.")


def pause(
    name: QueueName,
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
    json: options.JsonOption = False,
) -> None:
    """Let no job of a queue start until it is resumed; jobs that run go on.

    Example: rrq queue pause mail
    """
    from rrq.cli.session import session

    async def ask(store: JobStore) -> tuple[str, bool, set[str]]:
        options.check_queue_names(store.keys, [name], "NAME")
        known = await _known(store)
        return store.keys.bare_queue(name), await store.queues.pause(name), known

    bare, was_running, known = session(config, redis_dsn, ask)
    if bare not in known:
        render.warning(
            f"No job was ever in a queue {render.printable(bare)}.{did_you_mean(bare, known)}"
        )
    _say(bare, json, paused=True, changed=was_running)


def resume(
    name: QueueName,
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
    json: options.JsonOption = False,
) -> None:
    """Let the jobs of a paused queue start again; those that are due start at once.

    Example: rrq queue resume mail
    """
    from rrq.cli.session import session

    async def ask(store: JobStore) -> tuple[str, bool, set[str]]:
        options.check_queue_names(store.keys, [name], "NAME")
        paused = await store.queues.paused()
        return store.keys.bare_queue(name), await store.queues.resume(name), paused

    bare, was_paused, paused = session(config, redis_dsn, ask)
    if not was_paused and (guess := did_you_mean(bare, paused)):
        render.warning(f"Queue {render.printable(bare)} was not paused.{guess}")
    _say(bare, json, paused=False, changed=was_paused)


def _say(name: str, json: bool, *, paused: bool, changed: bool) -> None:
    if json:
        render.print_json({"queue": name, "paused": paused, "changed": changed})
        return
    shown = render.printable(name)
    if not changed:
        print(f"{shown} was paused already." if paused else f"{shown} was not paused.")
        return
    print(f"Paused {shown}." if paused else f"Resumed {shown}.")


async def _described(store: JobStore, name: str) -> QueueSize:
    """The queue; raises RRQError if there is none of this name."""
    options.check_queue_names(store.keys, [name], "NAME")
    bare = store.keys.bare_queue(name)
    described = await store.queues.describe([name])
    known = await _known(store)
    if not described or not (described[0].waiting or bare in known):
        raise no_queue(bare, known)
    return described[0]


async def _found(store: JobStore, job_id: str) -> Job | str:
    try:
        return await store.jobs.get(job_id) or "(it has no hash)"
    except MalformedJob as error:
        return f"({error})"


def _row(number: int, waiting: Waiting, job: Job | str, json: bool) -> tuple[Any, ...]:
    if isinstance(job, str):
        return (number, waiting.job_id, job, None, waiting.due_at, None)
    status = str(job.status)
    return (
        number,
        waiting.job_id,
        job.function_name,
        status,
        waiting.due_at,
        job.current_retries,
    )


async def _known(store: JobStore) -> set[str]:
    """The queues that ever had a job, are paused or are configured."""
    names, paused = await store.queues.names(), await store.queues.paused()
    return {*names, *paused, *_configured(store)}


def _configured(store: JobStore) -> set[str]:
    """The queues that the configuration names: a plain producer, which writes a hash and a sorted
    set, makes none of its own known."""
    settings = store.settings
    names = [settings.default_queue_name, *settings.executor_routes]
    names += [job.queue_name for job in settings.cron_jobs if job.queue_name]
    return {store.keys.bare_queue(name) for name in names}
