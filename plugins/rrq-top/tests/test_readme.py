"""The README tells the keys and columns that there are."""

from __future__ import annotations

import re
from pathlib import Path

from rrq_top.dialogs import KEYS
from rrq_top.failures import FAILURE_COLUMNS
from rrq_top.panes import QUEUE_COLUMNS, RUNNING_COLUMNS, WORKER_COLUMNS

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_keys_of_the_readme_are_those_of_the_help() -> None:
    table = README.partition("## Keys")[2].partition("##")[0]

    assert tuple(re.findall(r"^\| `(.+)` \| (.+) \|$", table, re.M)) == KEYS


def test_the_screen_of_the_readme_has_the_columns_of_today() -> None:
    screen = README.partition("```text")[2].partition("```")[0]
    headings = [re.sub("[▼▲]", " ", line).split() for line in screen.splitlines() if "▼" in line]

    assert headings == [
        [column.heading for column in columns]
        for columns in (QUEUE_COLUMNS, WORKER_COLUMNS, RUNNING_COLUMNS, FAILURE_COLUMNS)
    ]
