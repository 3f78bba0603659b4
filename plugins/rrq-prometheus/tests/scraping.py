"""What the tests of a worker share: its place, and asking it as Prometheus does."""

from __future__ import annotations

import re
import urllib.error
import urllib.request

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.support.places import Place, Running

HANDLERS = """
    import asyncio
    from pathlib import Path

    from rrq import JobRegistry, PythonExecutorSettings
    from rrq.exc import RetryJob

    def buy(ctx):
        return 1

    def wobble(ctx):
        if ctx["job_try"] == 1:
            raise RetryJob("again", defer_seconds=0)

    def spoil(ctx):
        raise LookupError("out of stock")

    async def linger(ctx):
        Path("lingering").touch()
        await asyncio.sleep(60)

    registry = JobRegistry()
    for handler in (buy, wobble, spoil, linger):
        registry.register(handler.__name__, handler)
    settings = PythonExecutorSettings(job_registry=registry)
"""


def configure(place: Place, dsn: str, table: str) -> None:
    """Write the handlers and the configuration, with this table of the plugin."""
    place.write("handlers.py", HANDLERS)
    place.write(
        "rrq.toml",
        f"""
        redis_dsn = "{dsn}"
        [executors.python]
        type = "python"
        settings = "handlers:settings"
        pool_size = 1
        [plugins.prometheus]
        {table}
        """,
    )


def address_of(worker: Running) -> str:
    """Where a worker says that it listens."""
    found = re.search(r"Metrics at (\S+)/metrics", worker.said("/metrics, health at"))
    assert found
    return found[1]


def ask(url: str, accept: str = "*/*") -> tuple[int, str]:
    """The status and the body of an answer."""
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, headers={"Accept": accept}), timeout=5
        ) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def samples(address: str) -> list[Sample]:
    """All that a scrape answers."""
    status, text = ask(f"{address}/metrics")
    assert status == 200
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]
