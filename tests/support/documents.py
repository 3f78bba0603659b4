"""What stands in the Markdown of this checkout: fenced blocks, code in the text, links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        place: `README.md:12`, its first line.
        heading: the heading above it.
        language: what follows the fence, such as `sh`; empty if nothing does.
        text: what is in it.
    """

    place: str
    heading: str
    language: str
    text: str

    @property
    def file_name(self) -> str | None:
        """The file that it is, if its first line is a comment with a name."""
        found = re.match(r"# (\S+\.\w+)\n", self.text)
        return found[1] if found else None


@dataclass(frozen=True)
class Document:
    """A page of Markdown."""

    path: Path

    @property
    def name(self) -> str:
        """Its path in the checkout."""
        return self.path.relative_to(CHECKOUT).as_posix()

    def blocks(self) -> list[Block]:
        """Its fenced blocks, in order."""
        found: list[Block] = []
        heading = ""
        opened: tuple[int, str] | None = None
        lines: list[str] = []
        for number, line in enumerate(self.path.read_text().splitlines(), 1):
            fence = re.fullmatch(r"```(\w*)", line)
            if opened and fence:
                place = f"{self.name}:{opened[0] + 1}"
                found.append(Block(place, heading, opened[1], "\n".join([*lines, ""])))
                opened = None
            elif fence:
                opened, lines = (number, fence[1]), []
            elif opened:
                lines.append(line)
            elif line.startswith("#"):
                heading = line.lstrip("# ")
        assert opened is None, f"{self.name}: the block at line {opened} has no end"
        return found

    def files(self) -> dict[str, str]:
        """The blocks that are files, by name."""
        return {block.file_name: block.text for block in self.blocks() if block.file_name}

    def prose(self) -> str:
        """Its text without the fenced blocks, line for line."""
        parts = re.split(r"^```.*?^```$", self.path.read_text(), flags=re.M | re.S)
        return "\n".join(parts)

    def code(self) -> list[str]:
        """The code that stands in its text between backticks."""
        return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", self.prose())]

    def links(self) -> list[str]:
        """Where its links lead."""
        return re.findall(r"\]\(([^)\s]+)\)", self.prose())


def documents() -> list[Document]:
    """Every page that users and contributors read."""
    pages = [*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").rglob("*.md")]
    for room in ("plugins", "examples", "benchmarks", "reference"):
        pages += (CHECKOUT / room).rglob("README.md")
    foreign = {".venv", "node_modules"}
    return [Document(path) for path in sorted(pages) if foreign.isdisjoint(path.parts)]
