"""`rrq dlq requeue` and `rrq dlq delete`: emptying the dead letter queue, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import aclosing, contextmanager, suppress
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rrq.cli import candidates, options, render
from rrq.cli.dead_letters import (
    COLUMNS,
    JSON_COLUMNS,
    Choice,
    DlqNameOption,
    JobIdOption,
    SinceOption,
    UntilOption,
    dlq_of,
    row,
)
from rrq.exc import JobNotFound
from rrq.wording import counted

if TYPE_CHECKING:
    import asyncio

    from rrq.store.dead_letter import DeadLetter, Wanted
    from rrq.store.dlq import Swept
    from rrq.store.store import JobStore

Action = Literal["requeue", "delete"]

DONE = {"requeue": "requeued", "delete": "deleted"}

INTERRUPTED = 130

LimitOption = Annotated[
    int | None, typer.Option("--limit", min=1, help="At most this many, the oldest first.")
]
AllOption = Annotated[bool, typer.Option("--all", help="All that fit; alone, every dead letter.")]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only list the jobs that it would be.")
]
BatchSizeOption = Annotated[
    int, typer.Option("--batch-size", min=1, max=500, help="Look at so many in one step.")
]


def add_to(group: typer.Typer) -> None:
    """Add the commands to the group `rrq dlq`."""
    group.command("requeue")(requeue)
    group.command("delete")(delete)


def requeue(
    dlq_name: DlqNameOption = None,
    queue: options.QueueOption = None,
    function: options.FunctionOption = None,
    error: options.ErrorOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    job_id: JobIdOption = None,
    limit: LimitOption = None,
    everything: AllOption = False,
    dry_run: DryRunOption = False,
    target_queue: Annotated[
        str | None,
        typer.Option(
            "--target-queue",
            metavar="QUEUE",
            help="Into this queue; else its own.",
            autocompletion=candidates.queue_names,
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option("--rate", min=0.01, metavar="JOBS", help="No more than so many a second."),
    ] = None,
    batch_size: BatchSizeOption = 100,
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
    json: options.JsonOption = False,
) -> None:
    """Put dead letters back into their queues, the oldest first.

    Example: rrq dlq requeue --function send_email --since 1h --rate 50

    Their attempts start afresh. It can be interrupted at any time; the same command goes on from
    there.
    """
    choice = _chosen(Choice(queue, function, error, since, until, job_id), everything)
    if target_queue == "":
        raise typer.BadParameter(options.NAMELESS, param_hint="--target-queue")
    sweep = _Sweep("requeue", dlq_name, target_queue, limit, rate, batch_size)
    sweep.carry_out(choice, config, redis_dsn, json, dry_run=dry_run, ask_first=False)


def delete(
    dlq_name: DlqNameOption = None,
    queue: options.QueueOption = None,
    function: options.FunctionOption = None,
    error: options.ErrorOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    job_id: JobIdOption = None,
    limit: LimitOption = None,
    everything: AllOption = False,
    dry_run: DryRunOption = False,
    yes: options.YesOption = False,
    batch_size: BatchSizeOption = 100,
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
    json: options.JsonOption = False,
) -> None:
    """Delete dead letters, the oldest first: the entry and the job itself.

    Example: rrq dlq delete --until 2d --dry-run

    It can be interrupted at any time; the same command goes on from there.
    """
    choice = _chosen(Choice(queue, function, error, since, until, job_id), everything)
    sweep = _Sweep("delete", dlq_name, None, limit, None, batch_size)
    sweep.carry_out(choice, config, redis_dsn, json, dry_run=dry_run, ask_first=not yes)


class _Sweep:
    """One command's way through a dead letter queue."""

    def __init__(
        self,
        action: Action,
        dlq_name: str | None,
        target_queue: str | None,
        limit: int | None,
        rate: float | None,
        batch_size: int,
    ) -> None:
        self._action = action
        self._dlq_name = dlq_name
        self._target_queue = target_queue
        self._limit = limit
        self._rate = rate
        # Ten steps a second are as even as anybody will notice.
        self._at_once = batch_size if rate is None else max(1, min(batch_size, int(rate / 10)))
        self._done: Swept
        self._is_interrupted = False

    def carry_out(
        self,
        choice: Choice,
        config: str | None,
        redis_dsn: str | None,
        json: bool,
        *,
        dry_run: bool,
        ask_first: bool,
    ) -> None:
        """Sweep what is chosen, or only show what that would be.

        Raises:
            JobNotFound: one job was named, and is not there.
            typer.Abort: who was asked first had better not.
            typer.Exit: not all that is chosen was swept.
        """
        if dry_run:
            self._show(choice, config, redis_dsn, json)
            return
        wanted = self._confirm(choice, config, redis_dsn) if ask_first else None
        self._run(choice, wanted, config, redis_dsn, json)

    def _show(self, choice: Choice, config: str | None, redis_dsn: str | None, json: bool) -> None:
        _, letters = self._look(choice, config, redis_dsn)
        rows = [row(letter, json) for letter in letters]
        columns = JSON_COLUMNS if json else COLUMNS
        render.table(columns, rows, json=json, empty="No dead letter fits.")
        if rows and not json:
            render.note(
                f"Without --dry-run, {counted(len(rows), 'job')} would be {DONE[self._action]}."
            )

    def _confirm(self, choice: Choice, config: str | None, redis_dsn: str | None) -> Wanted:
        """What is wanted, as it is now, if whoever is asked agrees."""
        wanted, letters = self._look(choice, config, redis_dsn)
        if letters:
            options.confirm(f"Delete {counted(len(letters), 'dead letter')} for ever?")
        return wanted

    def _look(
        self, choice: Choice, config: str | None, redis_dsn: str | None
    ) -> tuple[Wanted, list[DeadLetter]]:
        from rrq.cli.session import session

        async def ask(store: JobStore) -> tuple[Wanted, list[DeadLetter]]:
            wanted = await choice.wanted(store)
            name = dlq_of(store, self._dlq_name)
            found: list[DeadLetter] = []
            total = await store.dead_letters.count(name)
            letters = store.dead_letters.letters(name, oldest_first=True, with_types=True)
            with render.progress(total, "Reading dead letters") as advance:
                async with aclosing(letters) as batches:
                    async for batch in batches:
                        advance(len(batch))
                        found += [one for one in batch if not one.is_expired and wanted.fits(one)]
                        if self._limit is not None and len(found) >= self._limit:
                            break
            return wanted, found[: self._limit]

        return session(config, redis_dsn, ask)

    def _run(
        self,
        choice: Choice,
        wanted: Wanted | None,
        config: str | None,
        redis_dsn: str | None,
        json: bool,
    ) -> None:
        from rrq.cli.session import session
        from rrq.store.dlq import Swept

        self._done = Swept()

        async def act(store: JobStore) -> str:
            name = dlq_of(store, self._dlq_name)
            await self._sweep(store, name, wanted or await choice.wanted(store))
            return name

        try:
            name = session(config, redis_dsn, act)
        except Exception:
            if self._done.swept:
                render.note(f"Until then {self._told()}.")
            raise
        if self._is_interrupted:
            render.note(
                f"Interrupted: {self._told()}, the others are untouched. The same command goes on."
            )
        elif choice.job_id is not None and not self._done.swept and not self._done.refused:
            raise JobNotFound(
                f"Job {render.printable(choice.job_id)} is no dead letter in "
                f"{render.printable(name)} that fits"
            )
        self._tell(json)
        if self._is_interrupted or self._done.refused:
            raise typer.Exit(INTERRUPTED if self._is_interrupted else 1)

    async def _sweep(self, store: JobStore, name: str, wanted: Wanted) -> None:
        import asyncio

        dead = store.dead_letters
        steps = dead.sweep(
            name,
            self._action,
            wanted,
            target_queue=self._target_queue,
            limit=self._limit if wanted.job_id is None else 1,
            at_once=self._at_once,
        )
        began = asyncio.get_running_loop().time()
        verb = "Requeueing" if self._action == "requeue" else "Deleting"
        total = await dead.count(name)
        with _interruption() as stop, render.progress(total, f"{verb} dead letters") as advance:
            async with aclosing(steps):
                async for step in steps:
                    self._done += step
                    advance(step.seen)
                    if self._rate and step.swept:
                        due = began + self._done.swept / self._rate
                        await _pause(stop, due - asyncio.get_running_loop().time())
                    if stop.is_set():
                        self._is_interrupted = True
                        return

    def _told(self) -> str:
        return f"{counted(self._done.swept, 'job was', 'jobs were')} {DONE[self._action]}"

    def _tell(self, json: bool) -> None:
        done = self._done
        counts = {
            DONE[self._action]: done.swept,
            "removed as expired": done.expired,
            "removed as alive": done.alive,
            "refused": done.refused,
        }
        if done.refused and not json:
            render.warning(
                f"{counted(done.refused, 'stays', 'stay')}: the key of the job or of its queue is "
                "of another type. `rrq dlq list` shows which."
            )
        shown = counts if json else {name: n for name, n in counts.items() if n}
        shown = shown or {DONE[self._action]: 0}
        if self._action == "requeue":
            into = self._target_queue or (None if json else "each its own queue")
            render.details({**shown, "into": into}, json)
        else:
            render.details(shown, json)


def _chosen(choice: Choice, everything: bool) -> Choice:
    if choice.is_everything and not everything:
        raise typer.BadParameter(
            "it is not given, and no filter either. Say which: --queue, --function, --error, "
            "--since, --until or --job-id; or really all.",
            param_hint="--all",
        )
    return choice


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    import asyncio

    if seconds > 0:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await stop.wait()


@contextmanager
def _interruption() -> Iterator[asyncio.Event]:
    """Set by the first Ctrl-C, so that the step under way is counted; the second one is usual."""
    import asyncio
    import signal

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)

    try:
        loop.add_signal_handler(signal.SIGINT, interrupt)
    except (NotImplementedError, RuntimeError, ValueError):
        # Windows, or not the main thread: Ctrl-C ends it between two steps or during one.
        yield stop
        return
    try:
        yield stop
    finally:
        loop.remove_signal_handler(signal.SIGINT)
