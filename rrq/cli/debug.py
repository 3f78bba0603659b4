"""`rrq debug`: jobs by hand, and test data that comes and goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rrq.cli import candidates, options, render
from rrq.cli.groups import command_group
from rrq.hookspecs import hookimpl
from rrq.wording import counted

if TYPE_CHECKING:
    from rrq.debug.load import LoadReport
    from rrq.job import JobStatus
    from rrq.store.store import JobStore


@hookimpl
def rrq_commands(app: typer.Typer) -> None:
    """Add the group `rrq debug`."""
    group = command_group(app, "debug", "Enqueue by hand; make and clear test data.")
    group.command("submit")(submit)
    group.command("generate-jobs")(generate_jobs)
    group.command("generate-workers")(generate_workers)
    group.command("stress-test")(stress_test)
    group.command("clear")(clear)


DurationOption = Annotated[
    float, typer.Option("--duration", metavar="SECONDS", min=0.1, help="For how long.")
]


def submit(
    function: Annotated[
        str,
        typer.Argument(
            metavar="FUNCTION", help="The handler's name.", autocompletion=candidates.function_names
        ),
    ],
    args: Annotated[
        str, typer.Option("--args", metavar="JSON", help="Positional arguments, an array.")
    ] = "[]",
    kwargs: Annotated[
        str, typer.Option("--kwargs", metavar="JSON", help="Keyword arguments, an object.")
    ] = "{}",
    queue: Annotated[
        str | None,
        typer.Option(
            "--queue",
            metavar="QUEUE",
            help="Bare or full; else the default.",
            autocompletion=candidates.queue_names,
        ),
    ] = None,
    delay: Annotated[
        float, typer.Option("--delay", metavar="SECONDS", min=0, help="Not before this long.")
    ] = 0.0,
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
) -> None:
    """Enqueue one job and print its id.

    Example: rrq debug submit greet --args '["world"]'
    """
    from rrq.cli.session import session
    from rrq.client import RRQClient
    from rrq.job_request import JobRequest

    if not function:
        raise typer.BadParameter("a job needs a function's name.", param_hint="FUNCTION")
    request = JobRequest(
        function,
        _json(args, list, "--args", "array"),
        _json(kwargs, dict, "--kwargs", "object"),
        queue_name=queue,
        defer_by=delay,
    )

    async def ask(store: JobStore) -> str:
        options.check_queue_names(store.keys, [queue] if queue is not None else [], "--queue")
        client = RRQClient(store.settings, job_store=store)
        try:
            [job] = await client.enqueue_many([request])
        except (TypeError, ValueError) as error:
            raise typer.BadParameter(str(error)) from None
        assert job is not None, "only a unique key keeps a job out"
        return job.id

    print(session(config, redis_dsn, ask))


def generate_jobs(
    count: Annotated[int, typer.Option("--count", min=1, help="How many.")] = 100,
    queue: options.QueuesOption = None,
    status: Annotated[
        list[str] | None,
        typer.Option(
            "--status",
            metavar="STATUS",
            help="A state; may be repeated; else all.",
            autocompletion=candidates.statuses,
        ),
    ] = None,
    age_hours: Annotated[
        float,
        typer.Option(
            "--age-hours", min=0, max=100 * 365 * 24, help="The age of the oldest, at most."
        ),
    ] = 24.0,
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=1, help="How many are written at once.")
    ] = 10,
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
) -> None:
    """Write fake jobs, with ids that begin with test_, in every state.

    Example: rrq debug generate-jobs --count 20 --status failed

    A worker on these queues would run the waiting ones, and find no handler for them.
    """
    from rrq.cli.session import session
    from rrq.debug.fake_jobs import write_fake_jobs
    from rrq.job import JobStatus

    statuses = [_status(name) for name in status or JobStatus]

    async def ask(store: JobStore) -> tuple[dict[JobStatus, int], list[str]]:
        options.check_queue_names(store.keys, queue or [], "--queue")
        names = queue or [store.settings.default_queue_name]
        with render.progress(count, "Writing jobs") as advance:
            totals = await write_fake_jobs(
                store,
                count=count,
                queues=names,
                statuses=statuses,
                age_hours=age_hours,
                batch_size=batch_size,
                written=advance,
            )
        return totals, sorted({store.keys.bare_queue(name) for name in names})

    totals, names = session(config, redis_dsn, ask)
    shown = ", ".join(f"{total} {one.value}" for one, total in totals.items())
    render.note(f"Wrote {counted(count, 'job')} ({shown}); queues {', '.join(names)}.")
    render.note("`rrq debug clear` takes them away again.")


def generate_workers(
    count: Annotated[int, typer.Option("--count", min=1, help="How many.")] = 5,
    duration: DurationOption = 60.0,
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
) -> None:
    """Show workers that are not there for a while.

    Example: rrq debug generate-workers --count 3 --duration 30

    Their ids begin with rrq_worker_test_.
    """
    from rrq.cli.session import session
    from rrq.debug.fake_workers import fake_worker_ids, show_fake_workers

    ids = fake_worker_ids(count)

    async def ask(store: JobStore) -> None:
        import asyncio

        from rrq.orchestrator.signals import on_signals

        stopping = asyncio.Event()
        with on_signals(stopping.set, stopping.set):
            render.note(f"{counted(count, 'worker')} for {duration:g} s; Ctrl-C ends it earlier.")
            await show_fake_workers(store, ids, duration_seconds=duration, stopping=stopping)

    session(config, redis_dsn, ask)
    render.note("They are gone.")


def stress_test(
    jobs_per_second: Annotated[
        float, typer.Option("--jobs-per-second", min=0.01, help="The rate to hold.")
    ] = 10.0,
    duration: DurationOption = 60.0,
    queues: Annotated[
        list[str] | None,
        typer.Option(
            "--queues",
            metavar="QUEUE",
            help="A queue; may be repeated.",
            autocompletion=candidates.queue_names,
        ),
    ] = None,
    function: Annotated[
        str,
        typer.Option(
            "--function",
            metavar="NAME",
            help="The handler that gets a number.",
            autocompletion=candidates.function_names,
        ),
    ] = "test_stress",
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
    json: options.JsonOption = False,
) -> None:
    """Enqueue jobs at a steady rate; shows the rate reached and the latency.

    Example: rrq debug stress-test --jobs-per-second 200 --duration 10 --function greet

    Their ids begin with test_; without a handler of that name they end in the dead letter queue.
    """
    from rrq.cli.session import session

    async def ask(store: JobStore) -> LoadReport:
        import asyncio

        from rrq.client import RRQClient
        from rrq.debug.load import put_load
        from rrq.orchestrator.signals import on_signals

        options.check_queue_names(store.keys, queues or [], "--queues")
        stopping = asyncio.Event()
        total = round(jobs_per_second * duration)
        with (
            on_signals(stopping.set, stopping.set),
            render.progress(total, "Enqueuing jobs") as advance,
        ):
            return await put_load(
                RRQClient(store.settings, job_store=store),
                jobs_per_second=jobs_per_second,
                duration_seconds=duration,
                queues=queues or [store.settings.default_queue_name],
                function_name=function,
                stopping=stopping,
                enqueued=advance,
            )

    report = session(config, redis_dsn, ask)
    figures = {
        "jobs": report.jobs,
        "seconds": round(report.seconds, 2),
        "jobs per second": round(report.jobs_per_second, 2),
        "wanted per second": jobs_per_second,
        **{
            f"enqueue {name} ms": None if (ms := report.latency_ms(share)) is None else round(ms, 2)
            for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
        },
    }
    render.details(figures, json)


def clear(
    pattern: Annotated[
        str, typer.Option("--pattern", metavar="PATTERN", help="Which ids, as in a shell.")
    ] = "test_*",
    confirm: Annotated[bool, typer.Option("--confirm", "--yes", "-y", help="Do not ask.")] = False,
    yes_really: Annotated[
        bool, typer.Option("--yes-really", help="Do so on a server that is not on this machine.")
    ] = False,
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
) -> None:
    """Delete test jobs and test workers, by their ids, wherever they stand.

    Example: rrq debug clear --pattern 'test_*'
    """
    from rrq.cli.session import session
    from rrq.config import load_settings
    from rrq.debug import clearing
    from rrq.store.connection import describe_address

    if not pattern:
        raise typer.BadParameter("it is empty.", param_hint="--pattern")

    settings = load_settings(config, redis_dsn=redis_dsn).settings
    address = describe_address(settings.redis_dsn)
    if not yes_really and not clearing.is_local(settings.redis_dsn):
        raise typer.BadParameter(
            f"Redis at {address} is not on this machine: nothing was deleted. "
            "If you mean it, add --yes-really."
        )
    found = session(config, redis_dsn, lambda store: clearing.find_test_data(store, pattern))
    if not found.jobs and not found.workers:
        render.note(f"Nothing at {address} matches {pattern}.")
        return
    if not confirm:
        what = f"{counted(len(found.jobs), 'job')} and {counted(len(found.workers), 'worker')}"
        options.confirm(f"Delete {what} that match {pattern} at {address}?")
    cleared = session(config, redis_dsn, lambda store: clearing.clear(store, pattern))
    render.note(
        f"Deleted {counted(cleared.keys, 'key')}, and {counted(cleared.entries, 'id')} from "
        "queues, leases and dead letter queues."
    )


def _json(value: str, kind: type[Any], option: str, called: str) -> Any:
    import json

    try:
        parsed = json.loads(value)
    except ValueError as error:
        raise typer.BadParameter(f"not valid JSON: {error}", param_hint=option) from None
    if not isinstance(parsed, kind):
        raise typer.BadParameter(f"it must be a JSON {called}.", param_hint=option)
    return parsed


def _status(name: str) -> JobStatus:
    from rrq.job import JobStatus

    try:
        return JobStatus(name.upper())
    except ValueError:
        known = ", ".join(one.value.lower() for one in JobStatus)
        raise typer.BadParameter(f"{name!r} is none of {known}.", param_hint="--status") from None
