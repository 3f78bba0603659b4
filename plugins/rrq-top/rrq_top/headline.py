"""The lines above the panes: which RRQ this is, how it looks, what it does in all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from rrq.cli.render import printable
from rrq_top.grid import Tone
from rrq_top.snapshot import Snapshot
from rrq_top.trouble import Trouble
from rrq_top.wording import age, clock, count, rate, times

Span: TypeAlias = tuple[str, Tone]
"""A part of a line, escaped already."""

STALE_AFTER_LOOKS = 3
"""What is shown is old when so many looks should have replaced it."""

LEAST_STALE_SECONDS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewState:
    """How somebody looks.

    Attributes:
        interval_seconds: between two looks; 0 if there is but one.
        is_frozen: nothing is asked, on purpose.
        filter_text: only rows with this text are shown.
        trouble: why Redis does not answer; None if it does.
        shown_seconds: how old what is shown is.
    """

    interval_seconds: float = 0.0
    is_frozen: bool = False
    filter_text: str = ""
    trouble: Trouble | None = None
    shown_seconds: float = 0.0

    @property
    def is_stale(self) -> bool:
        """Whether what is shown should have been replaced by now."""
        longest = max(LEAST_STALE_SECONDS, STALE_AFTER_LOOKS * self.interval_seconds)
        return not self.is_frozen and self.shown_seconds > longest


def headline(snapshot: Snapshot, state: ViewState) -> list[list[Span]]:
    """Two lines, and one more if there is trouble."""
    lines = [_identity(snapshot, state), _totals(snapshot)]
    if state.trouble:
        lines.append(trouble_line(state.trouble))
    return lines


def trouble_line(trouble: Trouble) -> list[Span]:
    """What is wrong, and that nobody need do anything here when it is mended."""
    return [(f"{trouble.what}; asking again. ", "bad"), (trouble.reason, "dim")]


def _identity(snapshot: Snapshot, state: ViewState) -> list[Span]:
    """What may be cut off on a small terminal comes last."""
    spans: list[Span] = [("rrq top ", "strong"), (printable(snapshot.address), "plain")]
    spans.append((f"  {clock(snapshot.at)}", "plain"))
    if state.is_frozen:
        spans.append((f"  FROZEN {age(state.shown_seconds)} ago", "warning"))
    elif state.is_stale or state.trouble:
        spans.append((f"  {age(state.shown_seconds)} old", "bad"))
    elif state.interval_seconds:
        spans.append((f"  every {state.interval_seconds:g} s", "dim"))
    if state.filter_text:
        spans.append((f"  filter: {printable(state.filter_text)}", "warning"))
    if snapshot.only:
        spans.append((f"  queue: {printable(', '.join(snapshot.only))}", "warning"))
    spans.append((f"  prefix {printable(snapshot.prefix)}", "dim"))
    spans.append((f"  took {age(snapshot.took_seconds)}", "dim"))
    return spans


def _totals(snapshot: Snapshot) -> list[Span]:
    failed = snapshot.failed_per_minute
    figures: list[tuple[str, str, Tone]] = [
        ("workers", count(snapshot.known_workers), "plain" if snapshot.known_workers else "bad"),
        ("waiting", count(snapshot.waiting), "plain"),
        ("due", count(snapshot.due), "plain"),
        ("running", count(snapshot.running_total), "plain"),
        ("done/s", rate(snapshot.completed_per_second), "plain"),
        ("failed/min", times(failed), "bad" if failed else "plain"),
        ("dead", count(snapshot.dead_letters), "warning" if snapshot.dead_letters else "plain"),
    ]
    spans: list[Span] = []
    for name, figure, tone in figures:
        spans += [(f"{'  ' if spans else ''}{name} ", "dim"), (figure, tone)]
    return spans
