"""Which dead letters a command is about: the options that its commands share, and their meaning."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rrq.cli import candidates
from rrq.cli.moments import moment, span

if TYPE_CHECKING:
    from rrq.store.dead_letter import DeadLetter, Wanted
    from rrq.store.store import JobStore

DlqNameOption = Annotated[
    str | None,
    typer.Option(
        "--dlq-name",
        metavar="NAME",
        help="Which one; else the default.",
        autocompletion=candidates.dlq_names,
    ),
]
SinceOption = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="Failed since: 1h (ago), or an RFC 3339 time."),
]
UntilOption = Annotated[
    str | None,
    typer.Option("--until", metavar="TIME", help="Failed until: 1h (ago), or an RFC 3339 time."),
]
JobIdOption = Annotated[
    str | None,
    typer.Option(
        "--job-id",
        metavar="ID",
        help="Only this job.",
        autocompletion=candidates.dead_job_ids,
    ),
]

COLUMNS = ["id", "function", "queue", "error", "failed at", "attempts"]
JSON_COLUMNS = [*COLUMNS, "error type"]


@dataclass(frozen=True)
class Choice:
    """The filters as they were typed.

    Raises:
        typer.BadParameter: `since` or `until` is no time.
    """

    queue: str | None = None
    function: str | None = None
    error: str | None = None
    since: str | None = None
    until: str | None = None
    job_id: str | None = None

    def __post_init__(self) -> None:
        self._times()

    @property
    def is_everything(self) -> bool:
        """Whether nothing was chosen."""
        return self == Choice()

    async def wanted(self, store: JobStore) -> Wanted:
        """The filters with every time by Redis' clock."""
        from rrq.store.dead_letter import Wanted

        since, until = span(*self._times(), await store.now())
        return Wanted(
            job_id=self.job_id,
            queue=None if self.queue is None else store.keys.bare_queue(self.queue),
            function=self.function,
            error=self.error,
            since=since,
            until=until,
        )

    def _times(self) -> tuple[datetime | timedelta | None, datetime | timedelta | None]:
        return (
            None if self.since is None else moment(self.since, "--since"),
            None if self.until is None else moment(self.until, "--until"),
        )


def dlq_of(store: JobStore, name: str | None) -> str:
    """The bare name of the dead letter queue that is meant."""
    return store.keys.bare_dlq(name or store.settings.default_dlq_name)


def row(letter: DeadLetter, json: bool) -> tuple[Any, ...]:
    """A dead letter's cells under `COLUMNS` or `JSON_COLUMNS`; only JSON has its whole error."""
    cells = (letter.job_id, letter.function_name, letter.queue)
    when = (letter.failed_at, letter.failed_attempts)
    if json:
        return (*cells, letter.error, *when, letter.error_type)
    return (*cells, (letter.told_error or "").partition("\n")[0], *when)
