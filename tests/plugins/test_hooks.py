"""What the hooks answer, and that no plugin can harm another in one."""

from __future__ import annotations

import pytest

from tests.support.distributions import Site

ROUTABLE = """
    from rrq.hookspecs import RoutableJob
    from rrq.plugins import load_plugins

    job = RoutableJob(job_id="1", function_name="pay", queue_name="default", attempt=1,
                      args=b"[]", kwargs=b"{}")
"""

WORKER = """
    import asyncio
    from rrq.hookspecs import WorkerView
    from rrq.plugins import load_plugins
    from rrq.settings import RRQSettings

    view = WorkerView(worker_id="w1", queues=("default",), executors=("python",),
                      settings=RRQSettings())
"""


def router(answer: str) -> str:
    """A plugin that gives every job this answer, a Python expression."""
    return f"""
    import rrq

    @rrq.hookimpl
    def rrq_route(job, executors):
        return {answer}
    """


def asked(preparation: str, question: str) -> str:
    """A program: the preparation, then the question to be printed."""
    return f"{preparation}\n    print({question})\n"


def test_the_first_plugin_by_name_that_answers_routes_the_job(site: Site) -> None:
    site.install("rrq-a", router("None"))
    site.install("rrq-b", router("executors[1]"))
    site.install("rrq-c", router("'never asked'"))

    answer = site.python(asked(ROUTABLE, 'load_plugins().route(job, ("cpu", "gpu"))'))

    assert answer == "gpu\n"


def test_a_plugin_that_asks_to_be_first_is_asked_first(site: Site) -> None:
    site.install("rrq-a", router("'a'"))
    site.install("rrq-z", router("'z'").replace("hookimpl", "hookimpl(tryfirst=True)"))

    assert site.python(asked(ROUTABLE, "load_plugins().route(job, ())")) == "z\n"


@pytest.mark.parametrize("answer", ["1 / 0", "42", "exit()"])
def test_a_plugin_that_fails_to_route_is_passed_over(site: Site, answer: str) -> None:
    site.install("rrq-a", router(answer))
    site.install("rrq-b", router("'gpu'"))

    assert site.python(asked(ROUTABLE, "load_plugins().route(job, ())")) == "gpu\n"


def test_a_plugin_that_fails_for_every_job_is_told_of_once(site: Site) -> None:
    site.install("rrq-a", router("1 / 0"))

    told = site.python(
        f"""{ROUTABLE}
    import logging, sys
    logging.basicConfig(stream=sys.stdout)
    plugins = load_plugins()
    for _ in range(3):
        plugins.route(job, ())
    """
    )

    assert told.count("rrq_route: ZeroDivisionError: division by zero") == 1
    assert "a (rrq-a 1.0)" in told


def test_only_installed_plugins_count_as_having_routes(site: Site) -> None:
    question = asked("    from rrq.plugins import load_plugins", "load_plugins().has_routes()")

    assert site.python(question) == "False\n"
    site.install("rrq-a", router("None"))
    assert site.python(question) == "True\n"


def test_worker_hooks_may_be_plain_or_async_and_one_that_raises_stops_no_other(site: Site) -> None:
    for name, kind, body in (
        ("a", "async def", "print('a', worker.worker_id)"),
        ("b", "async def", "raise RuntimeError('no network')"),
        ("c", "def", "raise RuntimeError('no network')"),
        ("d", "def", "print('d', worker.queues)"),
    ):
        site.install(
            f"rrq-{name}",
            f"""
            import rrq

            @rrq.hookimpl
            {kind} rrq_worker_started(worker):
                {body}

            @rrq.hookimpl
            {kind} rrq_worker_stopping(worker):
                print('{name} stops')
            """,
        )

    told = site.python(
        f"""{WORKER}
    async def life():
        plugins = load_plugins()
        await plugins.worker_started(view)
        await plugins.worker_stopping(view)

    asyncio.run(life())
    """
    )

    assert told.splitlines() == [
        "a w1",
        "d ('default',)",
        "a stops",
        "b stops",
        "c stops",
        "d stops",
    ]


def test_every_backend_becomes_active_and_is_asked_for_once_a_process(site: Site) -> None:
    for name, answer in (("a", "Backend()"), ("b", "1 / 0"), ("c", "'no backend'"), ("d", "None")):
        site.install(
            f"rrq-{name}",
            f"""
            import rrq
            from rrq.telemetry import Telemetry

            class Backend(Telemetry):
                pass

            @rrq.hookimpl
            def rrq_telemetry(role, settings):
                print("{name}", role, settings.key_prefix)
                return {answer}
            """,
        )

    told = site.python(
        """
        from rrq.plugins import load_plugins
        from rrq.settings import RRQSettings
        from rrq.telemetry import get_telemetry

        load_plugins().telemetry("producer", RRQSettings())
        load_plugins().telemetry("orchestrator", RRQSettings())
        modules = [type(backend).__module__ for backend in get_telemetry().backends]
        print([one for one in modules if one in ("rrq_a", "rrq_b", "rrq_c", "rrq_d")])
        """
    )

    lines = told.splitlines()
    assert lines[:-1] == ["a producer rrq", "b producer rrq", "c producer rrq", "d producer rrq"]
    assert lines[-1] == "['rrq_a']"


def test_the_checks_of_all_plugins_are_collected(site: Site) -> None:
    for name, answer in (
        ("a", '[Check(name="a disk", probe=probe)]'),
        ("b", "1 / 0"),
        ("c", "'all well'"),
        ("d", '[Check(name="d licence", probe=probe), Check(name="d clock", probe=probe)]'),
    ):
        site.install(
            f"rrq-{name}",
            f"""
            import rrq
            from rrq.hookspecs import Check

            async def probe():
                return "ok", "well"

            @rrq.hookimpl
            def rrq_checks(settings):
                return {answer}
            """,
        )

    told = site.python(
        """
        from rrq.plugins import load_plugins
        from rrq.settings import RRQSettings

        print([check.name for check in load_plugins().checks(RRQSettings())])
        """
    )

    assert "'a disk', 'd licence', 'd clock'" in told


def test_a_trace_shows_every_call_and_answer_on_stderr(site: Site) -> None:
    site.install("rrq-a", router("'gpu'"))
    site.install("rrq-b", router("None").replace("rrq_route(job, executors)", "rrq_checks()"))

    told = site.python(
        f"""
    import sys
    sys.stderr = sys.stdout
{ROUTABLE}
    plugins = load_plugins()
    plugins.route(job, ("gpu",))
    plugins.checks(None)
    """,
        RRQ_TRACE_HOOKS="1",
    )

    ours = {"a", "b", "a answered 'gpu'", "b answered []"}
    lines = [line for line in told.splitlines() if line.split(" asks ")[-1].split(": ")[-1] in ours]
    assert lines == [
        "hook rrq_route(job, executors, settings) asks a",
        "hook rrq_route: a answered 'gpu'",
        "hook rrq_checks(settings) asks b",
        "hook rrq_checks: b answered []",
    ]
