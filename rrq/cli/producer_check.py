"""`rrq producer check`: does a program write jobs as RRQ reads them?"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Annotated

import typer

from rrq.cli import options, verdicts
from rrq.cli.groups import command_group
from rrq.hookspecs import hookimpl


@hookimpl
def rrq_commands(app: typer.Typer) -> None:
    """Add `rrq producer check`."""
    group = command_group(app, "producer", help="Check programs that enqueue jobs.")
    group.command("check", context_settings=verdicts.SETTINGS)(check)


def check(
    command: verdicts.CommandArgument,
    redis_dsn: options.RedisDsnOption = None,
    time_limit: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="How long the program may run.")
    ] = 60.0,
    verbose: verdicts.VerboseOption = False,
    json: options.JsonOption = False,
) -> None:
    """Have a program enqueue the test vectors, and judge what it wrote to Redis.

    Example: rrq producer check -- node enqueue_vectors.js

    The program finds the path of the vectors in RRQ_VECTORS, and Redis in RRQ_REDIS_DSN. It
    enqueues the cases in their order, and leaves out those that need what it cannot do. A
    database that is named must be empty, and is left as it is then. Exits with 1 if something is
    wrong.
    """
    from rrq.conformance.producer import check_producer
    from rrq.dsn import ACCEPTED_FORMS, dsn_problem, mask_dsn
    from rrq.embedded import EmbeddedRedis

    if redis_dsn is not None and (reason := dsn_problem(redis_dsn)):
        raise typer.BadParameter(
            f"it is '{mask_dsn(redis_dsn)}': {reason}.\nAccepted are {ACCEPTED_FORMS}.",
            param_hint="--redis-dsn",
        )

    # On a port: not every language's client knows unix sockets.
    private = EmbeddedRedis(tcp=True) if redis_dsn is None else None
    with private or nullcontext():
        dsn = private.dsn if private else redis_dsn
        assert dsn is not None
        found = check_producer(command, dsn, time_limit_seconds=time_limit)
    verdicts.show(found, json=json, verbose=verbose)
