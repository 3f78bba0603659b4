"""The page of one job: what `rrq job show`, `explain` and `trace` tell, together."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rrq.cli.render import printable
from rrq.exc import MalformedJob
from rrq.job import Job
from rrq.store.codec import job_from_hash
from rrq.store.error_types import error_type_of
from rrq.store.lenient import progress_of
from rrq.timeline import Event, timeline
from rrq.wording import told_error
from rrq_top.grid import Cell, Column, Grid, Row, Tone, text_lines
from rrq_top.headline import Span
from rrq_top.inside import JobInside
from rrq_top.pages import Page
from rrq_top.wording import NOTHING, age, bar, one_line, share_done, since, told_progress

NAME_CELLS = 10
LONGEST_VALUE = 2_000
LONGEST_RAW_VALUE = 300
LONGEST_DECODED = 50_000
"""Arguments and results longer than this are shown as they stand: decoding them takes time."""

PAYLOADS = ("job_args", "job_kwargs", "result")

STATUS_TONES: Mapping[str, Tone] = {
    "ACTIVE": "good",
    "RETRYING": "warning",
    "FAILED": "bad",
}


def job_page(inside: JobInside) -> Page:
    """A job, as far as its hash can be read."""
    title = f"Job {printable(inside.job_id)}"
    if not inside.fields:
        return Page(title, [[("There is no such job: it has expired, or never was.", "bad")]])
    lines = _reasons(inside)
    try:
        job = job_from_hash(inside.job_id, _decodable(inside.fields))
    except MalformedJob as error:
        return Page(title, [[(printable(str(error)), "bad")], *lines, *_raw_fields(inside.fields)])
    return Page(
        title, [*_facts(job, inside), *lines, *_payloads(job, inside.fields), *_events(job, inside)]
    )


def function_of(inside: JobInside) -> str | None:
    """The name of the job's function."""
    return inside.fields.get("function_name") or None


def _facts(job: Job, inside: JobInside) -> list[list[Span]]:
    now = inside.at
    attempts = f"{job.current_retries} of {job.max_retries or 'the default'} attempts"
    times = [
        ("enqueued", _when(job.enqueue_time, now)),
        ("due", _when(job.next_scheduled_run_time, now)),
        ("started", _when(job.start_time, now)),
        ("ended", _when(job.completion_time, now)),
    ]
    lines = [
        _line("status", job.status.value, STATUS_TONES.get(job.status.value, "plain")),
        _line("function", printable(job.function_name), "strong"),
        _line("queue", one_line(inside.queue)),
        *(_line(name, told) for name, told in times if told),
        _line("worker", one_line(job.worker_id)),
        _line("failed", attempts, "warning" if job.current_retries else "plain"),
    ]
    if job.last_error:
        error_type = error_type_of(inside.fields.get("attempts"), job.last_error)
        lines.append(_line("error", one_line(told_error(job.last_error, error_type)), "bad"))
    if job.lost_count:
        lines.append(
            _line("lost", "once" if job.lost_count == 1 else f"{job.lost_count} times", "warning")
        )
    if job.start_time and job.completion_time:
        took = (job.completion_time - job.start_time).total_seconds()
        lines.append(_line("took", age(took)))
    progress = progress_of(_bytes(inside.fields.get("progress", "")))
    if progress:
        share = share_done(progress)
        told = told_progress(progress)
        lines.append(
            _line("progress", told if share is None else f"{bar(share, 20)} {told}", "good")
        )
    return lines


def _reasons(inside: JobInside) -> list[list[Span]]:
    lines: list[list[Span]] = []
    for place, reason in enumerate(inside.reasons):
        lines.append(_line("also" if place else "why", printable(reason.text), "strong"))
        command = shlex.join(["rrq", *reason.remedy.command])
        lines.append(_line("", printable(reason.remedy.text)))
        lines.append(_line("", printable(f"  {command}"), "dim"))
    return [[], *lines] if lines else []


def _payloads(job: Job, fields: Mapping[str, str]) -> list[list[Span]]:
    decoded = {"job_args": job.job_args, "job_kwargs": job.job_kwargs, "result": job.result}
    lines: list[list[Span]] = [[]]
    for name in PAYLOADS:
        stands = fields.get(name, "")
        if len(stands) > LONGEST_DECODED:
            lines.append(
                _line(name.removeprefix("job_"), _cut(printable(stands[:LONGEST_DECODED])))
            )
        elif name != "result" or decoded[name] is not None:
            lines.append(_line(name.removeprefix("job_"), _json(decoded[name])))
    whole_error = (job.last_error or "").strip()
    if "\n" in whole_error:
        first, *rest = _cut(printable(whole_error, multiline=True)).split("\n")
        lines += [[], _line("all of it", first), *(_line("", line) for line in rest)]
    return lines


EVENT_COLUMNS = (
    Column("at", "TIME"),
    Column("event", "EVENT"),
    Column("took", "TOOK", is_number=True),
    Column("attempt", "TRY", is_number=True),
    Column("executor", "EXECUTOR"),
    Column("error", "ERROR"),
)


def _events(job: Job, inside: JobInside) -> list[list[Span]]:
    rows = tuple(
        Row(str(place), _event_cells(event))
        for place, event in enumerate(timeline(job, inside.fields))
    )
    heading, *lines = text_lines(Grid("", EVENT_COLUMNS, rows))
    return [[], [(heading, "dim")], *([_plain(line)] for line in lines)]


def _plain(text: str) -> Span:
    return text, "plain"


def _event_cells(event: Event) -> tuple[Cell, ...]:
    return (
        Cell(f"{event.at.astimezone():%H:%M:%S.%f}"[:-3] if event.at else NOTHING),
        Cell(one_line(event.name)),
        Cell(age(event.duration_seconds)),
        Cell(str(event.attempt or NOTHING)),
        Cell(one_line(event.executor)),
        Cell(one_line(event.told_error)),
    )


def _raw_fields(fields: Mapping[str, str]) -> list[list[Span]]:
    return [
        [(f"{printable(name)}  ", "dim"), (_cut(printable(value), LONGEST_RAW_VALUE), "plain")]
        for name, value in fields.items()
    ]


def _line(name: str, value: str, tone: Tone = "plain") -> list[Span]:
    return [(name.ljust(NAME_CELLS), "dim"), (value, tone)]


def _when(moment: datetime | None, now: datetime) -> str | None:
    seconds = since(moment, now)
    if moment is None or seconds is None:
        return None
    distance = f"{age(seconds)} ago" if seconds >= 0 else f"in {age(-seconds)}"
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S.%f}"[:-3] + f", {distance}"


def _json(value: Any) -> str:
    return _cut(printable(json.dumps(value, ensure_ascii=False, default=str)))


def _cut(text: str, longest: int = LONGEST_VALUE) -> str:
    if len(text) <= longest:
        return text
    return f"{text[:longest]}… (`rrq job show --no-truncate` shows all of it)"


def _decodable(fields: Mapping[str, str]) -> dict[bytes, bytes]:
    return {
        _bytes(name): _bytes(value)
        for name, value in fields.items()
        if name not in PAYLOADS or len(value) <= LONGEST_DECODED
    }


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
