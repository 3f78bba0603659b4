"""Answers a shell that asks how to complete a `rrq` command line.

Typer has the scripts for the shells (`rrq --install-completion`) and the search for what a word may
become; `rrq.cli.candidates` knows the names in Redis. This puts a frame around both: only the
command that was typed is built, nothing is ever said on stderr, and bash's words are put right.
"""

from __future__ import annotations

import io
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

VARIABLE = "_RRQ_COMPLETE"
"""Set by the shell's script, to `complete_bash` and the like."""

SEPARATORS = ":="
"""Where bash ends a word, and so the text that it replaces, beside spaces."""


def is_asked() -> bool:
    """Whether a shell asks, rather than a person."""
    return os.environ.get(VARIABLE, "").startswith("complete_")


def answer() -> NoReturn:
    """Print what the word at the cursor may become, and end the process.

    It ends at once, without waiting for a thread that still waits for Redis.
    """
    code, text = 1, ""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        # Instrumentation of models, as logfire brings it, takes longer than all the rest.
        os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
        code, text = _answer(os.environ)
    except BaseException:
        text = ""
    with open(1, "wb", closefd=False) as stdout:
        stdout.write(text.encode(errors="replace"))
    os._exit(code)


def _answer(environment: Any) -> tuple[int, str]:
    """The exit code and what to print."""
    if environment[VARIABLE] != "complete_bash":
        line = environment.get("_TYPER_COMPLETE_ARGS", "")
        words = _words(line)[1:]
        return _typer_answer(words if line.endswith(" ") else words[:-1])
    typed = BashLine.read(environment)
    environment["COMP_WORDS"] = "\n".join(map(shlex.quote, typed.words))
    environment["COMP_CWORD"] = str(len(typed.words) - 1)
    code, text = _typer_answer(typed.words[1:-1])
    return code, "\n".join(map(typed.replacing, text.splitlines()))


def _typer_answer(words: Sequence[str]) -> tuple[int, str]:
    """What Typer prints when these words stand before the one at the cursor."""
    import typer

    from rrq.cli.app import build

    printed, stdout = io.StringIO(), sys.stdout
    sys.stdout = printed
    try:
        command: Any = typer.main.get_command(build(words))
        command.main([], prog_name="rrq", standalone_mode=False)
    except SystemExit as end:
        return int(end.code or 0), printed.getvalue()
    finally:
        sys.stdout = stdout
    return 0, printed.getvalue()


@dataclass(frozen=True, slots=True)
class BashLine:
    """A command line as bash's `COMP_WORDS` has it, with words as people mean them.

    Attributes:
        words: up to the one at the cursor, without quotes.
        is_quoted: whether that one has begun with a quote, which is still open.
        kept: what of it stands before the text that bash replaces.
    """

    words: tuple[str, ...]
    is_quoted: bool
    kept: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> BashLine:
        """The line from the variables that the shell's script sets."""
        joined = environment["COMP_WORDS"]
        # A word may be quoted, but the script puts each on a line of its own.
        raw = joined.split("\n") if "\n" in joined else joined.split(" ")
        raw = [*raw, ""][: int(environment["COMP_CWORD"]) + 1]
        whole: list[str] = []
        was_split = False
        for word in raw:
            is_separator = bool(word) and not word.strip(SEPARATORS)
            if len(whole) > 1 and (is_separator or was_split):
                whole[-1] += word
            else:
                whole.append(word)
            was_split = is_separator and len(whole) > 1
        *before, last = whole
        is_quoted = last[:1] in ("'", '"')
        value = last.partition("=")[2] if last.startswith("-") else last
        end = max(value.rfind(separator) for separator in SEPARATORS) + 1
        kept = "" if is_quoted or last == raw[-1] else value[:end]
        return cls((*map(_unquoted, before), _unquoted(last)), is_quoted, _unquoted(kept))

    def replacing(self, value: str) -> str:
        """What bash is to put in, for the word to become this value."""
        rest = value.removeprefix(self.kept)
        return rest if self.is_quoted else rest.replace(" ", "\\ ")


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


def _unquoted(word: str) -> str:
    for closed in (word, word.rstrip("\\"), f'{word}"', f"{word}'"):
        try:
            return "".join(shlex.split(closed))
        except ValueError:
            continue
    return word
