"""What turns a tracing plugin off and on in an application that has configured its SDK."""

from __future__ import annotations

import json

import pytest

from tests.support.places import Place
from tests.support.places import place as place

OTEL = """
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    trace.set_tracer_provider(TracerProvider())
"""

DDTRACE = "import ddtrace.auto"

LOGFIRE = """
    import logfire

    logfire.configure(send_to_logfire=False, console=False)
"""

APPLICATION = """
    import json
    import os
    from importlib import import_module

    import sdk
    from rrq.config import load_toml_settings
    from rrq.sync_client import SyncRRQClient

    told = {}
    with SyncRRQClient(load_toml_settings()) as client:
        def headers():
            return sorted(client.get_job(client.enqueue("buy").id).trace_context or {})

        told["installed"] = headers()
        import_module("rrq.integrations." + os.environ["BACKEND"]).enable()
        told["enabled"] = headers()
    print(json.dumps(told), flush=True)
    # ddtrace would wait for an agent.
    os._exit(0)
"""

BACKENDS = {"otel": OTEL, "ddtrace": DDTRACE, "logfire": LOGFIRE}


@pytest.mark.parametrize("disabled", [False, True])
@pytest.mark.parametrize("backend", BACKENDS)
def test_installed_is_traced_unless_the_configuration_disables_it_and_enable_stands(
    place: Place, redis_dsn: str, backend: str, disabled: bool
) -> None:
    place.write("sdk.py", BACKENDS[backend])
    place.write("application.py", APPLICATION)
    off = [name for name in (*BACKENDS, "prometheus") if disabled or name != backend]
    place.write("rrq.toml", f'[rrq]\nredis_dsn = "{redis_dsn}"\nplugins.disabled = {off}\n')

    ended = place.run(
        "python",
        "application.py",
        BACKEND=backend,
        DD_SERVICE="shop",
        DD_INSTRUMENTATION_TELEMETRY_ENABLED="false",
        DD_REMOTE_CONFIGURATION_ENABLED="false",
    )

    told = json.loads(ended.stdout)
    assert ("traceparent" in told["installed"]) is not disabled
    assert "traceparent" in told["enabled"]
