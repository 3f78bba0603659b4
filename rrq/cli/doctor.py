"""`rrq doctor`: does what stands in Redis agree with itself? And mending it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rrq.cli import options, render
from rrq.cli.sentences import sentences
from rrq.hookspecs import hookimpl
from rrq.wording import counted

if TYPE_CHECKING:
    from rrq.doctor.examination import Examination
    from rrq.doctor.kinds import Finding
    from rrq.store.store import JobStore


@hookimpl
def rrq_commands(app: typer.Typer) -> None:
    """Add `rrq doctor`."""
    app.command("doctor")(doctor)


def doctor(
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what can be mended safely; asks before.")
    ] = False,
    limit: Annotated[
        int, typer.Option("--limit", min=0, help="Stop at this many findings; 0 for all.")
    ] = 1000,
    patience: Annotated[
        float,
        typer.Option(
            "--patience",
            metavar="SECONDS",
            min=0,
            help="How long a job may take to be written by its producer.",
        ),
    ] = 6.0,
    yes: options.YesOption = False,
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
    json: options.JsonOption = False,
) -> None:
    """Look through all jobs, queues, leases and locks for what contradicts itself.

    Example: rrq doctor --repair

    Reads in small steps and changes nothing without --repair. Exits with 1 if something is wrong.
    """
    from rrq.cli.session import session

    async def look(store: JobStore) -> Examination:
        from rrq.doctor.examination import examine

        return await examine(
            store, limit=limit or None, patience_seconds=patience, progress=render.progress
        )

    examination = session(config, redis_dsn, look)
    findings = examination.findings
    mendable = [finding for finding in findings if finding.remedy]
    if not json:
        _show(examination)
    mended: list[Finding] = []
    if repair and mendable:
        if not json:
            _show_plan(mendable)
        if not yes:
            options.confirm(f"Mend {counted(len(mendable), 'finding')}?")

        async def mend(store: JobStore) -> list[Finding]:
            from rrq.doctor.repair import repair as mend_all

            return await mend_all(store, examination, progress=render.progress)

        mended = session(config, redis_dsn, mend)
    if json:
        render.print_json(_as_json(examination, mended, repair))
    elif repair and mendable:
        _tell(findings, mended)
    if len(mended) < len(findings):
        raise typer.Exit(1)


# -- telling ----------------------------------------------------------------------------


def _show(examination: Examination) -> None:
    looked_at = examination.looked_at
    scale = (
        f"{counted(looked_at.keys, 'key')}, {counted(looked_at.jobs, 'job')}, "
        f"{counted(looked_at.queued, 'queued id')}, {counted(looked_at.leased, 'lease')} and "
        f"{counted(looked_at.dead, 'dead letter')} were looked at"
    )
    findings = examination.findings
    if not findings and examination.is_complete:
        print(f"Nothing is wrong: {scale}.")
        return
    if findings:
        render.table(
            ["kind", "key", "job", "detail"],
            [(one.kind, one.key, one.job_id, one.detail) for one in findings],
        )
        print()
        counts = Counter(one.kind for one in findings)
        by_kind = {one.kind: one for one in reversed(findings)}
        sentences(
            ["findings", "kind", "what it means"],
            [(count, kind, by_kind[kind].meaning) for kind, count in counts.most_common()],
            on_terminal=[
                (f"{count} {kind}", by_kind[kind].meaning) for kind, count in counts.most_common()
            ],
        )
    render.note(f"{counted(len(findings), 'is', 'are')} wrong: {scale}.")
    if not examination.is_complete:
        render.note("There may be more: --limit was reached. See `rrq doctor --help`.")


def _show_plan(mendable: list[Finding]) -> None:
    print()
    counts = Counter((one.kind, one.remedy) for one in mendable)
    sentences(
        ["findings", "kind", "what will be done"],
        [(count, kind, remedy) for (kind, remedy), count in counts.most_common()],
        on_terminal=[
            (f"{count} {kind}", remedy or "") for (kind, remedy), count in counts.most_common()
        ],
    )


def _tell(findings: tuple[Finding, ...], mended: list[Finding]) -> None:
    left = [one for one in findings if not one.remedy]
    changed = len(findings) - len(mended) - len(left)
    print(f"Mended {counted(len(mended), 'finding')}.")
    if changed:
        render.note(
            f"{changed} changed meanwhile and {'was' if changed == 1 else 'were'} left alone: "
            "run `rrq doctor` again."
        )
    if left:
        render.note(
            f"{counted(len(left), 'finding')} cannot be mended safely: {_what_is_left(left)}."
        )


def _what_is_left(left: list[Finding]) -> str:
    return ", ".join(f"{n} {kind}" for kind, n in Counter(one.kind for one in left).most_common())


def _as_json(examination: Examination, mended: list[Finding], repaired: bool) -> dict[str, Any]:
    looked_at = examination.looked_at
    done = {finding.identity for finding in mended}

    def outcome(finding: Finding) -> str | None:
        if not repaired:
            return None
        if finding.identity in done:
            return "mended"
        return "changed" if finding.remedy else "left"

    return {
        "healthy": examination.is_complete and len(done) == len(examination.findings),
        "complete": examination.is_complete,
        "looked_at": {
            "keys": looked_at.keys,
            "jobs": looked_at.jobs,
            "queued": looked_at.queued,
            "leased": looked_at.leased,
            "dead_letters": looked_at.dead,
        },
        "findings": [
            {**finding.as_json(), "outcome": outcome(finding)} for finding in examination.findings
        ],
    }
