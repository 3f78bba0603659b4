"""`docs/operations/waiting-jobs.md` has every reason, by weight."""

from __future__ import annotations

import re

from rrq.explain.reason import CODES
from tests.support.documents import CHECKOUT


def test_the_page_has_every_code_in_the_order_of_its_weight() -> None:
    page = (CHECKOUT / "docs/operations/waiting-jobs.md").read_text()
    rows = re.findall(r"^\| (`.+?`) \|", page, re.M)

    assert [code for row in rows for code in re.findall(r"`(\w+)`", row)] == list(CODES)
