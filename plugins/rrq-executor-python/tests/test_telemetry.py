"""Spans around handlers, when the application has tracing."""

from __future__ import annotations

from pathlib import Path

from .conftest import Start

APP = """
import contextvars
from contextlib import contextmanager
from rrq import JobRegistry, PythonExecutorSettings
from rrq.telemetry import Telemetry, configure

span = contextvars.ContextVar("span", default="none")

class Diary(Telemetry):
    @contextmanager
    def execution(self, request):
        token = span.set(f"span of {request.job_id}")
        raised = "nothing"
        try:
            yield
        except BaseException as error:
            raised = type(error).__name__
            raise
        finally:
            span.reset(token)
            print(request.function_name, "raised", raised)

async def look(ctx):
    return span.get()

def look_in_thread(ctx):
    return span.get()

async def fail(ctx):
    raise KeyError("x")

job_registry = JobRegistry()
for handler in (look, look_in_thread, fail):
    job_registry.register(handler.__name__, handler)
settings = PythonExecutorSettings(
    job_registry=job_registry, on_startup=lambda: configure(Diary())
)
"""


def test_a_span_is_current_while_the_handler_runs_and_sees_what_it_raises(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text(APP)
    runtime = start(settings="app.settings", cwd=tmp_path)
    assert runtime.call("look", job_id="a")["result"] == "span of a"
    assert runtime.call("look_in_thread", job_id="b")["result"] == "span of b"
    assert runtime.call("fail", job_id="c")["error_type"] == "KeyError"
    runtime.end()
    lines = runtime.log().splitlines()
    assert "look raised nothing" in lines
    assert "fail raised KeyError" in lines
