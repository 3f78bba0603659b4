"""`set_up`: configures Logfire in a worker, or in an executor process without an application.

From `LOGFIRE_*`, then from the plugin's table. Nobody is asked for anything, nothing is written
to stdout, and no dead server delays the end of the process.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Literal, TextIO

from rrq.exc import ConfigError
from rrq_logfire.complaints import complain_briefly

if TYPE_CHECKING:
    from rrq.telemetry import Role
    from rrq_logfire.config import LogfireConfig

CREDENTIALS_FILE = "logfire_credentials.json"
"""Where `logfire projects use` keeps the token, in the directory `.logfire`."""

logger = logging.getLogger("rrq.telemetry")


def asks_for_tracing(config: LogfireConfig, environment: Mapping[str, str]) -> bool:
    """Whether spans would go anywhere: to Logfire, to a collector, or to stderr."""
    if _flag(environment.get("OTEL_SDK_DISABLED")):
        return False
    if _sends(config, environment):
        if _has_token(config, environment):
            return True
        if _is_told_to_send(config, environment):
            logger.warning(
                "Logfire is to be sent to, but has no token: set LOGFIRE_TOKEN, or token in "
                "[rrq.plugins.logfire]"
            )
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").lower()
    if any(environment.get(name) for name in endpoints) and exporter in ("", "otlp"):
        return True
    return _writes_to_console(config, environment)


def set_up(config: LogfireConfig, role: Role) -> None:
    """Configure Logfire.

    Raises:
        ConfigError: it cannot be configured so; the message says why.
    """
    _log_warnings_of_logfire()
    complain_briefly(os.environ)
    try:
        _call_in_daemon_thread(lambda: _configure(config, role, os.environ))
    except ValueError as error:
        # Of which Logfire's own kind is one.
        raise ConfigError(
            f"Logfire cannot be configured: {error}. Look at the variables LOGFIRE_* and "
            "[rrq.plugins.logfire]."
        ) from error
    _leave_the_end_to_rrq()


def _configure(config: LogfireConfig, role: Role, environment: Mapping[str, str]) -> None:
    import logfire

    def said(value: str | None, *variables: str) -> str | None:
        return None if any(environment.get(name) for name in variables) else value

    console: logfire.ConsoleOptions | Literal[False] = False
    if _writes_to_console(config, environment):
        # An executor's stdout is stderr already; a stream of ours could not be copied to the
        # processes that its handlers start.
        output = None if role == "executor" else sys.stderr
        console = logfire.ConsoleOptions(output=output, show_project_link=False)
    logfire.configure(
        token=said(config.token, "LOGFIRE_TOKEN"),
        service_name=said(config.service_name, "LOGFIRE_SERVICE_NAME", "OTEL_SERVICE_NAME"),
        environment=said(config.environment, "LOGFIRE_ENVIRONMENT"),
        # True would ask at the terminal for a project where there is no token.
        send_to_logfire="if-token-present" if _sends(config, environment) else False,
        console=console,
    )


def _leave_the_end_to_rrq() -> None:
    """RRQ flushes at the end, and waits for that no longer than it says; at exit Logfire would
    wait for half a minute. What an application configures anew is not touched."""
    import logfire

    set_here = logfire.DEFAULT_LOGFIRE_INSTANCE.config
    for name in ("get_tracer_provider", "get_meter_provider", "get_logger_provider"):
        # Older versions have fewer.
        if get := getattr(set_here, name, None):
            shutdown = getattr(get().provider, "shutdown", None)
            if shutdown is not None:
                atexit.unregister(shutdown)


def _call_in_daemon_thread(call: Callable[[], None]) -> None:
    """Threads are daemons if their maker is one. Logfire's look at the token is not otherwise,
    and would hold up the end of the process for as long as no server answers."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:
            raised.append(error)

    thread = Thread(target=run, name="rrq-logfire-configure", daemon=True)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


def _log_warnings_of_logfire() -> None:
    """That a token is wrong, or no server there, is told by a warning: it belongs into the log, in
    one line."""
    shown = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if "logfire" in Path(filename).parts:
            logging.getLogger("logfire").warning("%.500s", message)
        else:
            shown(message, category, filename, lineno, file, line)

    warnings.showwarning = show


def _sends(config: LogfireConfig, environment: Mapping[str, str]) -> bool:
    said = environment.get("LOGFIRE_SEND_TO_LOGFIRE")
    return said.lower() not in _NO if said else config.send_to_logfire is not False


def _is_told_to_send(config: LogfireConfig, environment: Mapping[str, str]) -> bool:
    said = environment.get("LOGFIRE_SEND_TO_LOGFIRE")
    return _flag(said) if said else config.send_to_logfire is True


def _has_token(config: LogfireConfig, environment: Mapping[str, str]) -> bool:
    if environment.get("LOGFIRE_TOKEN") or config.token:
        return True
    directory = environment.get("LOGFIRE_CREDENTIALS_DIR") or ".logfire"
    return (Path(directory) / CREDENTIALS_FILE).exists()


def _writes_to_console(config: LogfireConfig, environment: Mapping[str, str]) -> bool:
    said = environment.get("LOGFIRE_CONSOLE")
    return _flag(said) if said else config.console


def _flag(text: str | None) -> bool:
    return (text or "").strip().lower() in _YES


_YES, _NO = ("1", "true", "t"), ("0", "false", "f")
