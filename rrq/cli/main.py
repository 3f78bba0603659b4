"""The command `rrq`: runs what was typed, and turns every expected error into one or two lines
on stderr. Exit codes: 0 done, 1 failed or not found, 2 wrong usage or configuration."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import Any

from rrq.exc import ConfigError, RRQError

INTERRUPTED = 130

FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))
"""What the system says of a disk that is full where stdout goes to."""


def main() -> None:
    """Entry point of the console script."""
    if os.environ.get("_RRQ_COMPLETE"):
        from rrq.cli import completion

        if completion.is_asked():
            completion.answer()
    status = run(sys.argv[1:])
    if "rrq.orchestrator.worker" in sys.modules:
        from rrq.ending import leave

        leave(status)
    raise SystemExit(status)


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit code."""
    _open_what_is_closed()
    _print_whatever_the_encoding()
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except OSError as error:
        if error.errno in FULL:
            from rrq.cli import render

            render.error(f"Nothing more can be written: {error.strerror}")
        elif error.errno != errno.EPIPE:
            raise
        code = 1
    _give_up_closed_pipes()
    return code


def _run(arguments: Sequence[str]) -> int:
    import typer

    from rrq.cli import render
    from rrq.cli.app import build

    try:
        # Typer's own handling prints boxes and tracebacks; Root.invoke answers with exit codes.
        command: Any = typer.main.get_command(build(arguments))
        return int(command.main(list(arguments), prog_name="rrq", standalone_mode=False) or 0)
    except RRQError as error:
        render.error(str(error))
        return 2 if isinstance(error, ConfigError) else 1
    except typer.Abort as abort:
        if isinstance(abort.__cause__, KeyboardInterrupt):
            return INTERRUPTED
        render.note("Nothing was done.")
        return 1
    except _click_exception() as error:
        message = error.format_message()
        render.error(message)
        context = getattr(error, "ctx", None)
        if context is not None and "\n" not in message:
            render.note(f"Try `{context.command_path} --help`.")
        return int(error.exit_code)


def _click_exception() -> Any:
    """The root of the errors in what was typed; Typer has it but does not export it."""
    import typer

    usage_error = typer.BadParameter.__base__
    return usage_error.__base__ if usage_error else typer.BadParameter


def _open_what_is_closed() -> None:
    """Who closed stdout or stderr, as `>&-` does, wants to hear nothing."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: PTH123, SIM115


def _print_whatever_the_encoding() -> None:
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")


def _give_up_closed_pipes() -> None:
    """Whoever read our output has left: keep the interpreter's last flush from complaining."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
