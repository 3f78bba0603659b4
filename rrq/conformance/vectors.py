"""The test vectors that every language runs: where they are, and what their texts stand for.

`tests/vectors/README.md` describes the files; they are part of the installed package.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Case = dict[str, Any]


def folder() -> Path:
    """Where the files are: in the package, which has a link to them in a checkout."""
    packaged = Path(__file__).parent / "vector_files"
    # Not every checkout can hold links.
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "tests" / "vectors"


def load(name: str) -> dict[str, Any]:
    """One file, such as `values`: its `cases` and what else it says."""
    loaded: dict[str, Any] = json.loads((folder() / f"{name}.json").read_text("utf-8"))
    return loaded


def cases(name: str) -> list[Case]:
    """The cases of one file."""
    found: list[Case] = load(name)["cases"]
    return found


def text(rule: str | list[Any]) -> str:
    """What a text of the vectors stands for: itself, or pieces that may be repeated."""
    if isinstance(rule, str):
        return rule
    return "".join(
        piece if isinstance(piece, str) else piece["repeat"] * piece["times"] for piece in rule
    )


def line(case: Case) -> bytes:
    """The line of a case, without its end."""
    if "line_hex" in case:
        return bytes.fromhex(case["line_hex"])
    return text(case["line"]).encode()


def needs(case: Case) -> list[str]:
    """What a language must be able to do for this case, beyond what every one must."""
    named = case.get("needs", [])
    return [named] if isinstance(named, str) else list(named)
