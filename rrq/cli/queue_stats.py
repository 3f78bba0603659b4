"""`rrq queue stats`: what queues and functions did in the last minutes, and what is in them now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rrq.cli import options, render
from rrq.cli.missing import no_queue

if TYPE_CHECKING:
    from collections import Counter

    from rrq.store.census import Census
    from rrq.store.queues import QueueSize
    from rrq.store.statistics import Kind, Times, Window
    from rrq.store.store import JobStore

NOW_COLUMNS = ["queue", "waiting", "due", "first due", "active", "dead letters", "paused"]
MOST_FUNCTIONS = 100


@dataclass
class Stats:
    """What was asked: sizes and totals by queue, windows by name."""

    sizes: list[QueueSize]
    totals: dict[str, Counter[str]]
    windows: dict[str, list[Window]]
    census: Census


def stats(
    queue: options.QueuesOption = None,
    window: Annotated[
        list[int] | None,
        typer.Option(
            "--window", metavar="MINUTES", min=1, max=119, help="The last so many; may be repeated."
        ),
    ] = None,
    functions: Annotated[
        bool, typer.Option("--functions", help="By function, not by queue.")
    ] = False,
    max_scan: options.MaxScanOption = 1000,
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
    json: options.JsonOption = False,
) -> None:
    """Show throughput, waits and run times over the last 1, 5, 15 and 60 minutes.

    Example: rrq queue stats --queue mail --window 5
    """
    if functions and queue:
        raise typer.BadParameter("functions are not counted by queue.", param_hint="--functions")
    minutes = sorted(set(window or [1, 5, 15, 60]))
    if functions:
        _functions(minutes, config, redis_dsn, json)
    else:
        _queues(queue or [], minutes, max_scan, config, redis_dsn, json)


def _functions(minutes: list[int], config: str | None, redis_dsn: str | None, json: bool) -> None:
    from rrq.cli.session import session

    async def ask(store: JobStore) -> tuple[int, dict[str, list[Window]], dict[str, Counter[str]]]:
        names = await store.statistics.names("function")
        shown = names[:MOST_FUNCTIONS]
        windows = await store.statistics.windows("function", shown, minutes)
        return len(names), windows, await store.statistics.totals("function", shown)

    count, windows, totals = session(config, redis_dsn, ask)
    if json:
        render.print_json(
            [
                {"function": name, "totals": _events(totals[name]), "windows": _told(of_it)}
                for name, of_it in windows.items()
            ]
        )
    else:
        _show_windows("function", windows)
    if count > len(windows):
        render.note(f"The {len(windows)} functions that were active last, of {count}.")


def _queues(
    wanted: Sequence[str],
    minutes: list[int],
    max_scan: int,
    config: str | None,
    redis_dsn: str | None,
    json: bool,
) -> None:
    from rrq.cli.session import session

    async def ask(store: JobStore) -> Stats:
        from rrq.store.census import census

        names = await _names(store, wanted)
        return Stats(
            await store.queues.describe(names),
            await store.statistics.totals("queue", names),
            await store.statistics.windows("queue", names, minutes),
            await census(store, max_scan),
        )

    found = session(config, redis_dsn, ask)
    if json:
        _print_json(found)
        return
    _show_now(found)
    if found.sizes:
        print()
        _show_windows("queue", found.windows)


async def _names(store: JobStore, wanted: Sequence[str]) -> list[str]:
    """The queues that are meant, by bare name.

    Raises:
        RRQError: there is no queue of this name.
    """
    counted = set(await store.statistics.names("queue"))
    known = sorted({*counted, *await store.queues.names(), *await store.queues.paused()})
    options.check_queue_names(store.keys, wanted, "--queue")
    names = [store.keys.bare_queue(name) for name in wanted]
    sizes = await store.queues.sizes(names)
    for name in names:
        if name not in known and not sizes[name]:
            raise no_queue(name, known)
    return names or known


def _show_now(found: Stats) -> None:
    census = found.census
    render.table(
        NOW_COLUMNS,
        [
            (
                size.name,
                size.waiting,
                size.due,
                size.first_due_at,
                census.active.of(size.name),
                census.dead.of(size.name),
                size.is_paused,
            )
            for size in found.sizes
        ],
        empty="No job was ever in a queue.",
    )
    for what, sample in (("running jobs", census.active), ("dead letters", census.dead)):
        if sample.seen < sample.total:
            render.note(
                f"Looked at {sample.seen} of {sample.total} {what}; --max-scan 0 looks at all."
            )


def _show_windows(kind: Kind, windows: dict[str, list[Window]]) -> None:
    rows: list[tuple[Any, ...]] = []
    for name, of_it in windows.items():
        for window in of_it:
            events = window.events
            rows.append(
                (
                    name,
                    f"{window.minutes} min",
                    f"{window.per_second('completed'):.3g}",
                    *(round(events[event]) for event in ("completed", "failed", "retried", "lost")),
                    _brief(window.wait),
                    _brief(window.run),
                )
            )
    columns = ["last", "per second", "completed", "failed", "retried", "lost"]
    times = ["wait avg/p50/p95/p99", "run avg/p50/p95/p99"]
    render.table([kind, *columns, *times], rows, empty="Nothing was counted yet.", whole=times)


def _brief(times: Times) -> str | None:
    if not times.count:
        return None
    figures = (times.average_ms, *(times.percentile_ms(percent) for percent in (50, 95, 99)))
    return " / ".join(render.duration((figure or 0) / 1000) for figure in figures)


def _print_json(found: Stats) -> None:
    samples = {"active": found.census.active, "dead_letters": found.census.dead}
    render.print_json(
        {
            "queues": [
                {
                    "queue": size.name,
                    "waiting": size.waiting,
                    "due": size.due,
                    "first_due_at": size.first_due_at,
                    "paused": size.is_paused,
                    "active": found.census.active.of(size.name),
                    "dead_letters": found.census.dead.of(size.name),
                    "totals": _events(found.totals[size.name]),
                    "windows": _told(found.windows[size.name]),
                }
                for size in found.sizes
            ],
            "scanned": {
                what: {"seen": sample.seen, "total": sample.total}
                for what, sample in samples.items()
            },
        }
    )


def _told(windows: Sequence[Window]) -> list[dict[str, Any]]:
    return [
        {
            "minutes": window.minutes,
            "per_second": round(window.per_second("completed"), 4),
            "events": _events(window.events),
            "wait": _times(window.wait),
            "run": _times(window.run),
        }
        for window in windows
    ]


def _events(events: Any) -> dict[str, int]:
    from rrq.store.statistics import EVENTS

    return {event: round(events[event]) for event in EVENTS}


def _times(times: Times) -> dict[str, float | None]:
    figures = {
        "average_ms": times.average_ms,
        **{f"p{percent}_ms": times.percentile_ms(percent) for percent in (50, 95, 99)},
    }
    return {name: None if ms is None else round(ms, 3) for name, ms in figures.items()}
