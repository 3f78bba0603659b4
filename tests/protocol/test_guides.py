"""`docs/guide/write-an-executor.md` and `write-a-producer.md`: what they show is right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.documents import CHECKOUT, Document

GUIDE = CHECKOUT / "docs" / "guide"


@pytest.mark.parametrize(
    ("page", "program", "kind"),
    [
        ("write-an-executor.md", "my_executor.py", "executor"),
        ("write-a-producer.md", "enqueue_vectors.py", "producer"),
    ],
)
def test_the_program_that_a_guide_shows_passes_its_check(
    page: str, program: str, kind: str, tmp_path: Path
) -> None:
    document = Document(GUIDE / page)
    (tmp_path / program).write_text(document.files()[program])
    [shown] = [block.text for block in document.blocks() if block.language == "sh"]
    assert shown == f"rrq {kind} check -- python {program}\n"

    words = [sys.executable, "-m", "rrq", kind, "check", "--", sys.executable, program]
    ran = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "0 are wrong" in ran.stderr


def test_the_executors_guide_has_every_handler_that_the_check_calls() -> None:
    from dataclasses import fields

    from rrq.conformance.executor_bench import Handlers

    code = Document(GUIDE / "write-an-executor.md").code()
    assert {field.name for field in fields(Handlers)} <= set(code)
