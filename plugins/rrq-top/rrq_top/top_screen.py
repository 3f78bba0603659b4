"""`TopScreen`: what all screens have in common, the header above and the keys below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.screen import Screen

from rrq.cli.render import printable
from rrq_top.drawing import Lines
from rrq_top.headline import Span, headline, trouble_line

if TYPE_CHECKING:
    from rrq_top.app import TopApp


class TopScreen(Screen[None]):
    """What the screens have in common: the header above, the keys below."""

    app: TopApp
    keys: list[Span]
    is_ready = False
    """Whether its widgets are there."""

    def on_screen_resume(self) -> None:
        """Draw what was seen while another screen was over it."""
        if self.is_ready:
            self.show()

    def show_header(self) -> None:
        """Draw the header, and what is to be said, anew."""
        app = self.app
        state = app.view_state
        if app.snapshot:
            lines = headline(app.snapshot, state)
        else:
            lines = [[(f"rrq top {printable(app.observer.address)}", "strong")]]
            lines.append(
                trouble_line(state.trouble) if state.trouble else [("asking Redis", "dim")]
            )
        self.query_one("#header", Lines).show(lines)
        self.query_one("#keys", Lines).show([app.message or self.keys])

    def show(self) -> None:
        """Draw everything anew."""
        self.show_header()
