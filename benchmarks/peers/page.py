"""Table and chart of a comparison, for the terminal and for `docs/performance.md`."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

START, END = "<!-- comparison: begin -->", "<!-- comparison: end -->"
CHART = "performance-throughput.svg"

Found = dict[str, Any]


def line(name: str, found: Found) -> str:
    """The speeds of one library in a line."""
    parts = [f"{title}: {text}" for title, text in cells(found).items() if text != "—"]
    return f"{name:<9} " + " · ".join([*parts, *map(": ".join, found["failed"].items())])


COLUMNS = (
    "no-op jobs/s, 1 process",
    "2 processes",
    "enqueue/s",
    "in bulk",
    "start p50",
    "p99",
    "jobs of 100 ms",
    "memory",
)


def cells(found: Found) -> dict[str, str]:
    """What stands in the columns of the first table."""
    enqueue, idle = found.get("enqueue") or {}, found.get("idle") or {}
    texts = (
        _text(found.get("one_process"), "{:,.0f}"),
        _text(found.get("two_processes"), "{:,.0f}"),
        _text(enqueue.get("singles"), "{:,.0f}"),
        _text(enqueue.get("bulk"), "{:,.0f}"),
        _text(idle.get("p50_ms"), "{:.1f} ms"),
        _text(idle.get("p99_ms"), "{:.1f} ms"),
        _text(found.get("waiting_seconds"), "{:.2f} s"),
        _text(idle.get("memory_mb"), "{:.0f} MB"),
    )
    return dict(zip(COLUMNS, texts, strict=True))


def table(measured: dict[str, Any]) -> str:
    """Everything that was measured, as Markdown."""
    results: dict[str, Found] = measured["results"]
    waited = f"{measured['run']['waiting_jobs']:,} × 100 ms"
    heads = [waited if head == "jobs of 100 ms" else head for head in COLUMNS]
    rows = [_row("", *heads), _row("---", *["---"] * len(COLUMNS))]
    rows += [_row(title(name, found), *cells(found).values()) for name, found in results.items()]
    back = [
        _row("", "default settings", "tuned"),
        _row("---", "---", "---"),
        *(
            _row(title(name, found), _back(found, "default"), _back(found, "tuned"))
            for name, found in results.items()
        ),
    ]
    parts = [
        "\n".join(rows),
        "\n".join(_early(results)),
        "Of the jobs that ran when their worker was killed (`kill -9`, and a new worker at once), "
        "how many ran again, and how long after the kill the last of them started:",
        "\n".join(back),
        "\n".join(_leaders(results)),
        "\n".join(_failures(results)),
    ]
    return "\n\n".join(part for part in parts if part)


def write(page: Path, measured: dict[str, Any]) -> None:
    """Put table, chart and circumstances between the marks of a page; the chart lies beside it.

    Raises:
        ValueError: the page has no marks.
    """
    text = page.read_text()
    if START not in text or END not in text:
        raise ValueError(f"{page} lacks {START} or {END}")
    before, _, rest = text.partition(START)
    after = rest.partition(END)[2]
    run = measured["run"]
    where = (
        f"Measured on {run['date']} on {run['machine']}, which Redis ({run['server']}), workers "
        f"and producer shared; {run['python']}; in {run['minutes']} minutes, with\n\n"
        f"```\n{run['command']}\n```"
    )
    parts = [
        START,
        where,
        f"![No-op jobs a second]({CHART})",
        table(measured),
        "### Versions and settings",
        "\n".join(_settings(measured["results"])),
        END,
    ]
    page.write_text(before + "\n\n".join(parts) + after)
    (page.parent / CHART).write_text(chart(measured["results"]))


def title(name: str, found: Found) -> str:
    """How a library is called."""
    return str((found.get("described") or {}).get("title", name))


# -- parts of the page ------------------------------------------------------------------


def _leaders(results: dict[str, Found]) -> list[str]:
    """Who is best at what."""
    if len(results) < 2:
        return []
    kinds: tuple[tuple[str, Callable[[Found], Any], bool], ...] = (
        ("no-op jobs, 1 process", lambda found: found.get("one_process"), True),
        ("· among those that keep a job until it is done", _kept("one_process"), True),
        ("no-op jobs, 2 processes", lambda found: found.get("two_processes"), True),
        ("· among those that keep a job until it is done", _kept("two_processes"), True),
        ("enqueueing one by one", lambda found: (found.get("enqueue") or {}).get("singles"), True),
        ("enqueueing in bulk", lambda found: (found.get("enqueue") or {}).get("bulk"), True),
        ("start latency, p50", lambda found: (found.get("idle") or {}).get("p50_ms"), False),
        ("start latency, p99", lambda found: (found.get("idle") or {}).get("p99_ms"), False),
        ("jobs that wait", lambda found: found.get("waiting_seconds"), False),
        ("memory", lambda found: (found.get("idle") or {}).get("memory_mb"), False),
    )
    lines = ["| best at | | RRQ against the best other |", "| --- | --- | --- |"]
    for what, value_of, more_is_better in kinds:
        values = {name: value for name, found in results.items() if (value := value_of(found))}
        others = {name: value for name, value in values.items() if name != "rrq"}
        if not others:
            continue
        best = max if more_is_better else min
        winner = best(values, key=lambda name: values[name])
        rival = best(others, key=lambda name: others[name])
        compared = "—"
        if "rrq" in values:
            times = values["rrq"] / others[rival]
            compared = f"{times:.2f} × {title(rival, results[rival])}"
        lines.append(_row(what, title(winner, results[winner]), compared))
    return lines


def _kept(key: str) -> Callable[[Found], Any]:
    return lambda found: found.get(key) if _keeps_until_done(found) else None


def _keeps_until_done(found: Found) -> bool:
    return bool((found.get("described") or {}).get("keeps_until_done", True))


def _early(results: dict[str, Found]) -> list[str]:
    """Who gives a job away before it runs."""
    names = [title(name, found) for name, found in results.items() if not _keeps_until_done(found)]
    if not names:
        return []
    return [
        f"Takes a job out of Redis before it runs, and cannot do otherwise: {', '.join(names)}."
    ]


def _settings(results: dict[str, Found]) -> list[str]:
    lines = []
    for name, found in results.items():
        if described := found.get("described"):
            versions = ", ".join(f"{one} {number}" for one, number in described["versions"].items())
            text = (
                f"- **{title(name, found)}** ({versions}): {described['settings']}. "
                f"{described['reliability']}"
            )
            lines.append(textwrap.fill(text, 100, subsequent_indent="  "))
    return lines


def _failures(results: dict[str, Found]) -> list[str]:
    return [
        f"- {title(name, found)} failed at `{measure}`: {why}"
        for name, found in results.items()
        for measure, why in found["failed"].items()
    ]


def _back(found: Found, reliability: str) -> str:
    measured = found.get(f"recovery_{reliability}")
    if measured is None:
        return "—"
    counts = f"{measured['back']} of {measured['running']}"
    last = measured["last_seconds"]
    return f"{counts}, {last:.1f} s" if last is not None else counts


def _row(*texts: str) -> str:
    return "| " + " | ".join(texts) + " |"


def _text(figure: float | None, form: str) -> str:
    return "—" if figure is None else form.format(figure)


# -- the chart --------------------------------------------------------------------------

WIDTH, LEFT, RIGHT, BAR, GAP = 760, 90, 80, 13, 16
COLORS = (("1 process", "one_process", "#7aa6c2"), ("2 processes", "two_processes", "#2f6690"))


def chart(results: dict[str, Found]) -> str:
    """Bars of the no-op jobs a second, as SVG; readable on light and dark ground."""
    most = max(
        (found.get(key) or 0 for found in results.values() for _, key, _ in COLORS), default=0
    )
    scale = (WIDTH - LEFT - RIGHT) / (most or 1)
    shapes: list[str] = []
    y = 56
    for name, found in results.items():
        middle = y + BAR + 4
        shapes.append(
            f'<text x="{LEFT - 8}" y="{middle}" class="n">{escape(title(name, found))}</text>'
        )
        for offset, (_, key, color) in enumerate(COLORS):
            value, top = found.get(key), y + offset * BAR
            width = max(1.0, (value or 0) * scale)
            shapes.append(
                f'<rect x="{LEFT}" y="{top}" width="{width:.1f}" height="{BAR - 1}" '
                f'fill="{color}"/>'
                f'<text x="{LEFT + width + 5:.1f}" y="{top + 10}">{_text(value, "{:,.0f}")}</text>'
            )
        y += 2 * BAR + GAP
    legend = "".join(
        f'<rect x="{LEFT + 110 * place}" y="30" width="11" height="11" fill="{color}"/>'
        f'<text x="{LEFT + 110 * place + 16}" y="40">{label}</text>'
        for place, (label, _, color) in enumerate(COLORS)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" role="img" '
        f'aria-label="No-op jobs a second">\n'
        "<style>text{font:11px sans-serif;fill:#777}.n{text-anchor:end;font-size:12px}"
        ".t{font-size:14px}</style>\n"
        f'<text x="{LEFT}" y="18" class="t">No-op jobs a second, with stored results</text>\n'
        f"{legend}\n" + "\n".join(shapes) + "\n</svg>\n"
    )
