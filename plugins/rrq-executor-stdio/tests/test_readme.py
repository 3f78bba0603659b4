"""Everything that the README shows works."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from rrq.protocol import Hello, decode_executor_line

README = (Path(__file__).parent.parent / "README.md").read_text()


def block(language: str) -> str:
    (text,) = re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)
    return str(text)


async def test_the_executor_of_the_readme_answers_as_configured_there(
    running: Any, tmp_path: Path
) -> None:
    (tmp_path / "shout.py").write_text(block("python"))
    table = tomllib.loads(block("toml"))["rrq"]["executors"]["shout"]
    async with running(**table, cwd=str(tmp_path)) as subject:
        assert subject.transport.capacity == 2
        outcome = await subject.call("shout", "good", "morning")
    assert json.loads(bytes(outcome.result)) == "GOOD MORNING"


def test_the_hello_of_the_readme_is_one() -> None:
    assert isinstance(decode_executor_line(block("json").encode()), Hello)
