"""How the lines of a screen are shared among panes, so that a small terminal is enough.

shares(21, [6, 3, 40, 5], focused=2)  # [5, 3, 9, 4]
"""

from __future__ import annotations

from collections.abc import Sequence

TITLE = 1
LEAST_OPEN = 3
"""A title, headings and one row: with less, only the title is of use."""

MODEST = 5
"""What the panes without the focus are given before the one with it gets more than half."""


def shares(lines: int, wanted: Sequence[int], focused: int) -> list[int]:
    """How many lines each pane gets: all of them together, if there are enough for the titles; the
    last one has what nobody wants.

    Args:
        wanted: how many lines each would take.
        focused: which one the keys work on: it comes first.
    """
    given = [TITLE] * len(wanted)

    def spare() -> int:
        return max(0, lines - sum(given))

    def raise_to(pane: int, target: int) -> None:
        more = min(max(0, min(target, wanted[pane]) - given[pane]), spare())
        if given[pane] + more >= LEAST_OPEN:
            given[pane] += more

    raise_to(focused, max(LEAST_OPEN, lines // 2))
    others = [pane for pane in range(len(wanted)) if pane != focused]
    for target in (LEAST_OPEN, MODEST):
        for pane in others:
            raise_to(pane, target)
    raise_to(focused, lines)
    for pane in others:
        raise_to(pane, lines)
    given[-1] += spare()
    return given
