"""`rrq job explain`: why a job does not run, and what to do about it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rrq.cli import candidates, options, render
from rrq.cli.missing import no_job

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rrq.explain import Evidence, Reason
    from rrq.store.store import JobStore


def explain(
    job_id: Annotated[
        str,
        typer.Argument(metavar="ID", help="The job's id.", autocompletion=candidates.job_ids),
    ],
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
    json: options.JsonOption = False,
) -> None:
    """Tell why a job does not run, or what became of it, and what to do.

    Example: rrq job explain 4e292131-ebce-4307-9b58-0f5e49c0bbf8
    """
    from rrq.cli.session import session
    from rrq.explain import judge

    async def ask(store: JobStore) -> Evidence | None:
        return await store.evidence.of(job_id)

    evidence = session(config, redis_dsn, ask)
    if evidence is None:
        raise no_job(job_id)
    reasons = judge(evidence)
    same_place = _same_place(config, redis_dsn)
    if json:
        render.print_json(_as_json(evidence, reasons, same_place))
    else:
        _tell(evidence, reasons, same_place)


def _tell(evidence: Evidence, reasons: Sequence[Reason], same_place: Sequence[str]) -> None:
    job = evidence.job
    what = f", {job.function_name} in queue {evidence.queue.name}" if job.function_name else ""
    print(render.printable(f"Job {evidence.job_id}{what}: {job.status or 'no status'}"))
    for place, reason in enumerate(reasons):
        command = shlex.join(["rrq", *reason.remedy.command, *same_place])
        print(render.printable(f"Also: {reason.text}" if place else reason.text))
        print(render.printable(reason.remedy.text))
        print(f"  {render.printable(command)}")


def _same_place(config: str | None, redis_dsn: str | None) -> list[str]:
    """The options that lead a command to the same Redis; a password is not told."""
    from rrq.dsn import mask_dsn

    words = ["--config", config] if config else []
    return words + (["--redis-dsn", mask_dsn(redis_dsn)] if redis_dsn else [])


def _as_json(
    evidence: Evidence, reasons: Sequence[Reason], same_place: Sequence[str]
) -> dict[str, Any]:
    from dataclasses import asdict

    told = [
        {
            "code": reason.code,
            "text": reason.text,
            "remedy": {
                "text": reason.remedy.text,
                "command": shlex.join(["rrq", *reason.remedy.command, *same_place]),
            },
        }
        for reason in reasons
    ]
    [first, *_] = told
    known = asdict(evidence)
    del known["job_id"]
    return {
        "id": evidence.job_id,
        "status": evidence.job.status,
        "verdict": first["code"],
        "text": first["text"],
        "remedy": first["remedy"],
        "reasons": told,
        "evidence": known,
    }
