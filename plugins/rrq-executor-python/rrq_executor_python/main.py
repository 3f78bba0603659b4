"""`rrq-executor`: the command that starts a Python executor process."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

DEFAULT_MAX_IN_FLIGHT = 32
DEFAULT_GRACE_SECONDS = 5.0


def main() -> NoReturn:
    """Run the command and end the process; its exit status is that of `run`."""
    from rrq.ending import leave

    leave(run())


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        The exit status: 0 done, 1 failed to start or to shut down, 2 wrong usage.
    """
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except KeyboardInterrupt:
        return 130


def _run(options: argparse.Namespace) -> int:
    # Nothing of the user's is imported before the protocol's streams are out of reach.
    from rrq_executor_python.stdio import claim_standard_streams

    requests_fd, outcomes_fd = claim_standard_streams()

    from rrq.exc import ConfigError
    from rrq_executor_python.settings_object import (
        BrokenSettingsModule,
        NoSettingsNamed,
        find_settings,
    )

    try:
        settings = find_settings(options.settings, options.config, os.environ)
    except BrokenSettingsModule as error:
        from rrq_executor_python.failure import log_failure

        log_failure(f"rrq-executor: {error}", error.__cause__ or error, _importing_files())
        return 1
    except ConfigError as error:
        print(f"rrq-executor: {error}", file=sys.stderr)
        return 2 if isinstance(error, NoSettingsNamed) else 1

    from rrq.protocol import MAX_MESSAGE_BYTES
    from rrq_executor_python.process import ProcessOptions, run_process

    return run_process(
        settings,
        ProcessOptions(
            requests_fd=requests_fd,
            outcomes_fd=outcomes_fd,
            features=frozenset(os.environ.get("RRQ_PROTOCOL_FEATURES", "").split(",")),
            max_in_flight=options.max_in_flight,
            max_message_bytes=options.max_message_bytes or MAX_MESSAGE_BYTES,
            grace_seconds=options.grace_seconds,
            has_orchestrator=bool(os.environ.get("RRQ_WORKER_ID")),
        ),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rrq-executor",
        description="Run RRQ handlers: requests on stdin, outcomes on stdout, the log on stderr. "
        "A worker starts it; `settings` in rrq.toml names your handlers.",
    )
    parser.add_argument(
        "--settings",
        metavar="OBJECT",
        help="module.path.object or module.path:object, a PythonExecutorSettings "
        "(RRQ_EXECUTOR_SETTINGS)",
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="an rrq.toml for the handlers' RRQ settings (RRQ_EXECUTOR_CONFIG)",
    )
    parser.add_argument(
        "--max-in-flight",
        metavar="N",
        type=_positive_int,
        default=os.environ.get("RRQ_MAX_IN_FLIGHT") or DEFAULT_MAX_IN_FLIGHT,
        help=f"handlers at once, default {DEFAULT_MAX_IN_FLIGHT} (RRQ_MAX_IN_FLIGHT)",
    )
    parser.add_argument(
        "--max-message-bytes",
        metavar="N",
        type=_positive_int,
        default=os.environ.get("RRQ_MAX_MESSAGE_BYTES") or None,
        help="the longest line, default 16 MiB (RRQ_MAX_MESSAGE_BYTES)",
    )
    parser.add_argument(
        "--grace-seconds",
        metavar="SECONDS",
        type=_seconds,
        default=os.environ.get("RRQ_EXECUTOR_GRACE_SECONDS") or DEFAULT_GRACE_SECONDS,
        help="how long running handlers may take when the process is told to end, default "
        f"{DEFAULT_GRACE_SECONDS:g} (RRQ_EXECUTOR_GRACE_SECONDS)",
    )
    parser.add_argument("--version", action="version", version=_version())
    return parser


def _positive_int(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < float("inf"):
        raise ValueError
    return seconds


def _version() -> str:
    from rrq import __version__

    return f"rrq-executor {__version__}"


def _importing_files() -> frozenset[str]:
    import importlib

    from rrq_executor_python import settings_object

    frozen = {"<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>"}
    return frozenset({settings_object.__file__, importlib.__file__, *frozen})
