"""A place with handlers and a worker's configuration."""

from __future__ import annotations

from tests.support.places import Place


def furnish(
    place: Place,
    dsn: str,
    handlers: str,
    *,
    pool_size: int = 1,
    settings: str = "",
    executor: str = "",
) -> Place:
    """Write `handlers.py` and an `rrq.toml` whose one executor runs its `settings`.

    Args:
        settings: a line more for `[rrq]`.
        executor: a line more for the executor.
    """
    place.write("handlers.py", handlers)
    place.write(
        "rrq.toml",
        f"""
        [rrq]
        redis_dsn = "{dsn}"
        {settings}

        [rrq.executors.python]
        type = "python"
        settings = "handlers:settings"
        pool_size = {pool_size}
        {executor}
        """,
    )
    return place
