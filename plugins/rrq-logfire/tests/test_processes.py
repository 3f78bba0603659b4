"""What a whole process does with Logfire: an application's, a worker's, an executor's."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rrq_logfire.config import LogfireConfig
from rrq_logfire.setting_up import asks_for_tracing
from tests.support.places import Place

from .receiver import TOKEN, logfire_server

OTLP = "OTEL_EXPORTER_OTLP_ENDPOINT"

APPLICATION = """
    import json
    import sys

    import logfire
    from logfire.testing import TestExporter
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from rrq.integrations.logfire import enable
    from rrq.settings import RRQSettings
    from rrq.sync_client import SyncRRQClient
    from rrq.telemetry import get_telemetry

    told = {}
    with SyncRRQClient(RRQSettings(redis_dsn=sys.argv[1])) as client:
        job = client.enqueue("buy")
        told["before"] = client.get_job(job.id).trace_context
        exporter = TestExporter()
        logfire.configure(
            send_to_logfire=False,
            console=False,
            additional_span_processors=[SimpleSpanProcessor(exporter)],
        )
        for way in ("installed", "enabled", "enabled again"):
            if way != "installed":
                enable(service_name="shop")
            with logfire.span(way):
                client.enqueue("buy")
            told[way] = [
                (span["name"], span["attributes"].get("service.name"))
                for span in exporter.exported_spans_as_dict()
            ]
            told[way + ": backends"] = [
                one.name for one in get_telemetry().backends if one.name == "logfire"
            ]
            exporter.clear()
    print(json.dumps(told))
"""

EXECUTOR = """
    import asyncio
    import time

    from rrq.plugins import load_plugins
    from rrq.settings import RRQSettings
    from rrq.telemetry import RunningJob, get_telemetry
    from rrq.telemetry.flushing import flushed

    others = {"otel", "ddtrace", "prometheus"}
    load_plugins(disabled=others).telemetry("executor", RRQSettings())
    (backend,) = get_telemetry().backends
    job = RunningJob(
        job_id="7", function_name="buy", queue_name="default", attempt=1, worker_id=None,
        enqueue_time="", trace_context={},
    )
    with backend.execution(job):
        pass
    asyncio.run(flushed(get_telemetry(), 0.2))
    print(time.time())
"""

WORKER = """
    import sys
    import threading

    from rrq.config import load_toml_settings
    from rrq.exc import ConfigError
    from rrq_logfire.plugin import rrq_telemetry

    try:
        print(rrq_telemetry("orchestrator", load_toml_settings()), "logfire" in sys.modules)
        for thread in threading.enumerate():
            if thread.name == "check_logfire_token":
                thread.join()
    except ConfigError as error:
        print(error)
"""


@pytest.fixture
def silent_server() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_an_application_is_traced_as_soon_as_it_configured_logfire_and_by_one_backend(
    place: Place, redis_dsn: str
) -> None:
    place.write("application.py", APPLICATION)

    ended = place.run("python", "application.py", redis_dsn)

    told = json.loads(ended.stdout)
    assert ended.stderr == ""
    assert told["before"] is None
    assert told["installed"] == [["rrq.enqueue", None], ["installed", None]]
    assert told["enabled"] == [["rrq.enqueue", "shop"], ["enabled", None]]
    assert told["enabled again"] == [["rrq.enqueue", "shop"], ["enabled again", None]]
    backends = [told[key] for key in told if key.endswith(": backends")]
    assert backends == [["logfire"]] * 3


def test_the_application_of_the_readme_is_traced(place: Place, redis_dsn: str) -> None:
    readme = Path(__file__).parents[1] / "README.md"
    place.write("web.py", readme.read_text().partition("```python\n")[2].partition("```")[0])
    place.write("rrq.toml", f'redis_dsn = "{redis_dsn}"\n')

    with logfire_server() as server:
        place.run(
            "python",
            "web.py",
            LOGFIRE_TOKEN=TOKEN,
            LOGFIRE_BASE_URL=server.base_url,
            LOGFIRE_SEND_TO_LOGFIRE="true",
        )

    (request,), (enqueue,) = server.named("POST /orders"), server.named("rrq.enqueue")
    assert (enqueue.parent_id, enqueue.service) == (request.span_id, "shop-web")


def test_a_server_that_never_answers_does_not_hold_up_the_end_of_a_process(
    place: Place, silent_server: str
) -> None:
    place.write("executor.py", EXECUTOR)

    ended = place.run(
        "python",
        "executor.py",
        LOGFIRE_TOKEN="a-token",
        LOGFIRE_BASE_URL=silent_server,
        LOGFIRE_CONSOLE="false",
    )

    flushed_at = float(ended.stdout)
    assert time.time() - flushed_at < 5
    assert "logfire could not send everything within 0.2 s" in ended.stderr


def test_a_worker_without_a_token_asks_nobody_for_one_and_leaves_logfire_alone(
    place: Place,
) -> None:
    place.write("worker.py", WORKER)
    place.write("rrq.toml", "[plugins.logfire]\nsend_to_logfire = true\n")

    ended = place.run("python", "worker.py", PYDANTIC_DISABLE_PLUGINS="__all__")

    assert ended.stdout == "None False\n"
    assert "Logfire is to be sent to, but has no token: set LOGFIRE_TOKEN" in ended.stderr


def test_a_server_that_is_down_costs_a_worker_one_line_of_its_log(place: Place) -> None:
    place.write("worker.py", WORKER)
    place.write("rrq.toml", '[plugins.logfire]\ntoken = "a-token"\n')

    ended = place.run("python", "worker.py", LOGFIRE_BASE_URL="http://127.0.0.1:1")

    (line,) = ended.stderr.splitlines()
    assert line.startswith("http://127.0.0.1:1 takes no spans, jobs go on.")
    assert "Logfire API is unreachable" in line


def test_a_wrong_variable_is_named_before_the_worker_starts(place: Place) -> None:
    place.write("worker.py", WORKER)
    place.write("rrq.toml", "")

    ended = place.run("python", "worker.py", LOGFIRE_MIN_LEVEL="loud", LOGFIRE_CONSOLE="true")

    assert ended.stdout.startswith("Logfire cannot be configured: Expected min_level to be one of")
    assert ended.stdout.count("\n") == 1


def test_the_token_of_the_table_is_shown_to_nobody(place: Place) -> None:
    place.write("rrq.toml", '[plugins.logfire]\ntoken = "a-write-token"\n')

    shown = place.run("rrq", "plugins", "show", "logfire").stdout

    assert "***" in shown
    assert "a-write-token" not in shown


@pytest.mark.parametrize(
    ("table", "environment", "asks"),
    [
        ({}, {}, False),
        ({"token": "t"}, {}, True),
        ({}, {"LOGFIRE_TOKEN": "t"}, True),
        ({"token": "t", "send_to_logfire": False}, {}, False),
        ({"token": "t"}, {"LOGFIRE_SEND_TO_LOGFIRE": "false"}, False),
        ({"token": "t", "send_to_logfire": False}, {"LOGFIRE_SEND_TO_LOGFIRE": "true"}, True),
        ({"token": "t"}, {"OTEL_SDK_DISABLED": "true"}, False),
        ({}, {OTLP: "http://collector"}, True),
        ({}, {OTLP: "http://collector", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"console": True}, {}, True),
        ({"console": True}, {"LOGFIRE_CONSOLE": "false"}, False),
    ],
)
def test_logfire_is_configured_only_where_spans_go_somewhere(
    table: dict[str, object],
    environment: dict[str, str],
    asks: bool,
    tmp_path: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(str(tmp_path))

    assert asks_for_tracing(LogfireConfig.model_validate(table), environment) is asks
