"""Backends that come with a plugin: found by whoever enqueues, and none can hurt a job."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from rrq.settings import RRQSettings
from tests.support.distributions import Site
from tests.support.distributions import site as site
from tests.support.documents import CHECKOUT, Document
from tests.support.places import Place
from tests.support.places import place as place

GUIDE = Document(CHECKOUT / "docs" / "guide" / "telemetry.md")

HANDLERS = """
    from rrq import JobRegistry, PythonExecutorSettings

    async def double(ctx, number):
        return 2 * number

    registry = JobRegistry()
    registry.register("double", double)
    settings = PythonExecutorSettings(job_registry=registry)
"""

PRODUCER = """
    import asyncio
    from rrq import RRQClient
    from rrq.config import load_toml_settings

    async def main():
        async with RRQClient(load_toml_settings()) as client:
            jobs = [await client.enqueue("double", number) for number in range(5)]
            print([await client.wait(job, timeout=20) for job in jobs])

    asyncio.run(main())
"""

HANGING = """
    import time
    import rrq
    from rrq.telemetry import Telemetry

    class Hanging(Telemetry):
        def attempt(self, attempt):
            time.sleep(10)

        worker_started = heartbeat = worker_stopped = flush = lambda self, *told: time.sleep(10)

    @rrq.hookimpl
    def rrq_telemetry(role):
        return Hanging()
"""

RAISING = """
    import rrq
    from rrq.telemetry import Telemetry

    def boom(self, *told):
        raise RuntimeError("boom")

    class Raising(Telemetry):
        enqueue = carry = attempt = execution = boom
        worker_started = heartbeat = worker_stopped = flush = log_fields = boom

    @rrq.hookimpl
    def rrq_telemetry(role):
        return Raising()
"""

OFF = "otel,ddtrace,logfire,prometheus"
"""What may be installed here beside the plugins of a test."""


def test_the_backend_of_the_guide_traces_and_a_hanging_and_a_raising_one_hurt_no_job(
    site: Site, place: Place, settings: RRQSettings
) -> None:
    site.install("rrq-diary", GUIDE.files()["rrq_diary.py"])
    site.install("rrq-hanging", HANGING)
    site.install("rrq-raising", RAISING)
    place.write("handlers.py", HANDLERS)
    place.write("producer.py", PRODUCER)
    place.write(
        "rrq.toml",
        f"""
        [rrq]
        redis_dsn = "{settings.redis_dsn}"
        plugins.disabled = {OFF.split(",")}

        [rrq.executors.python]
        type = "python"
        settings = "handlers:settings"
        pool_size = 1
        """,
    )
    environment = {"PYTHONPATH": str(site.path)}

    worker = place.start("rrq", "worker", "run", **environment)
    produced = place.run("python", "producer.py", **environment)
    said = worker.stop()

    assert produced.stdout == "[0, 2, 4, 6, 8]\n"
    assert (said.code, "Traceback" in said.stderr) == (0, False)
    # Once in the worker, and once in its executor.
    assert said.stderr.count("rrq.telemetry: Telemetry raising: boom failed, jobs go on") == 1
    assert said.stderr.count("Telemetry raising") == 2
    assert "Telemetry hanging could not send everything within 2 s" in said.stderr
    diary = sorted((place.directory / "diary.txt").read_text().splitlines())
    by_trace: dict[str, list[str]] = {}
    for line in diary:
        trace, _, what = line.partition(" ")
        by_trace.setdefault(trace, []).append(re.sub(r"\d+ ms", "n ms", what))
    assert list(by_trace.values()) == 5 * [
        [
            "executor: runs double",
            "orchestrator: success n ms",
            "producer: enqueued double",
        ]
    ]


ASKING = """
    import rrq
    from rrq.telemetry import Telemetry

    class Asked(Telemetry):
        pass

    @rrq.hookimpl
    def rrq_telemetry(role, settings):
        print("asked for", role, settings.redis_dsn)
        return Asked()
"""

ENQUEUE_TWICE = """
    import asyncio, sys
    from rrq import RRQClient, RRQSettings

    async def main():
        async with RRQClient(RRQSettings(redis_dsn="{dsn}")) as client:
            print("stevedore" in sys.modules)
            await client.enqueue("work")
            await client.enqueue("work")

    asyncio.run(main())
    from rrq.telemetry import get_telemetry
    print([member.name for member in get_telemetry().members] if get_telemetry() else None)
"""


def test_a_producer_asks_the_plugins_when_it_first_enqueues(
    site: Site, settings: RRQSettings
) -> None:
    site.install("rrq-asking", ASKING)
    program = textwrap.dedent(ENQUEUE_TWICE).format(dsn=settings.redis_dsn)
    told = site.python(program, RRQ_DISABLED_PLUGINS=OFF).splitlines()
    assert told == ["False", f"asked for producer {settings.redis_dsn}", "['asking']"]


def test_a_disabled_plugin_is_not_asked(site: Site, settings: RRQSettings) -> None:
    site.install("rrq-asking", ASKING)
    program = textwrap.dedent(ENQUEUE_TWICE).format(dsn=settings.redis_dsn)
    told = site.python(program, RRQ_DISABLED_PLUGINS=f"{OFF},asking").splitlines()
    assert told == ["False", "None"]


def test_a_plugin_that_breaks_the_asking_breaks_no_producer(
    site: Site, settings: RRQSettings
) -> None:
    site.install("rrq-asking", "raise SystemExit('no')")
    program = textwrap.dedent(ENQUEUE_TWICE).format(dsn=settings.redis_dsn)
    assert site.python(program, RRQ_DISABLED_PLUGINS=OFF).splitlines()[-1] == "None"


def test_the_configured_owner_of_the_w3c_headers_is_heeded(
    site: Site, settings: RRQSettings
) -> None:
    source = """
        import contextlib
        import rrq
        from rrq.telemetry import Telemetry

        class Writing(Telemetry):
            @contextlib.contextmanager
            def enqueue(self, job):
                job.trace_context["traceparent"] = "of " + self.name
                yield

        @rrq.hookimpl
        def rrq_telemetry(role):
            return Writing()
    """
    for name in ("a", "b"):
        site.install(f"rrq-{name}", source)
    program = f"""
        import asyncio
        from rrq import RRQClient, RRQSettings

        async def main():
            settings = RRQSettings(redis_dsn="{settings.redis_dsn}", plugins={{OWNER}})
            async with RRQClient(settings) as client:
                print((await client.enqueue("work")).trace_context)

        asyncio.run(main())
    """
    for owner, expected in (("{}", "of a"), ('{"w3c_owner": "b"}', "of b")):
        told = site.python(program.replace("{OWNER}", owner), RRQ_DISABLED_PLUGINS=OFF)
        assert told == f"{{'traceparent': '{expected}'}}\n"


def test_an_owner_that_is_not_installed_is_warned_of(site: Site) -> None:
    site.install("rrq-asking", ASKING)
    told = site.python(
        """
        from rrq.plugins import load_plugins
        from rrq.settings import RRQSettings

        settings = RRQSettings(plugins={"w3c_owner": "askin"})
        print(load_plugins().check_configuration(settings)[1])
        """,
        RRQ_DISABLED_PLUGINS=OFF,
    )
    assert 'w3c_owner is askin, which is not installed. Did you mean "asking"?' in told


@pytest.mark.parametrize("name", ["otel", "ddtrace", "logfire"])
def test_importing_a_tracing_plugin_imports_no_tracing_library(name: str) -> None:
    import subprocess
    import sys

    code = (
        f"import sys, rrq_{name}.plugin; "
        "print([one for one in ('opentelemetry', 'ddtrace', 'logfire', 'pydantic') "
        "if one in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path("/")
    )
    assert ran.stdout == "[]\n"
