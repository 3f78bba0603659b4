"""The producers of `reference/` carry RRQ's own steps, and not older ones."""

from __future__ import annotations

from pathlib import Path

import pytest

import rrq.store
from tests.support.documents import CHECKOUT

LUA = Path(rrq.store.__file__).parent / "lua"
COPIES = [
    CHECKOUT / "reference/go/producer/lua",
    CHECKOUT / "reference/rust/crates/rrq-producer/lua",
    CHECKOUT / "reference/typescript/lua",
]


@pytest.mark.parametrize("folder", COPIES, ids=lambda folder: folder.relative_to(CHECKOUT).parts[1])
def test_the_copies_of_the_enqueue_step_are_true(folder: Path) -> None:
    first_line = (LUA / "enqueue.lua").read_text().partition("\n")[0]
    fragments = first_line.removeprefix("--! use ").split()
    wanted = {f"{name}.lua" for name in ("_base", *fragments, "enqueue")}

    copied = {file.name: file.read_text() for file in folder.glob("*.lua")}

    assert set(copied) == wanted, f"copy rrq/store/lua anew into {folder}"
    stale = [name for name, text in copied.items() if text != (LUA / name).read_text()]
    assert stale == [], f"copy rrq/store/lua anew into {folder}"
