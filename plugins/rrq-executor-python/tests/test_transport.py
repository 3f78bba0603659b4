"""The transport `python`: the contract of a transport, its table, and its command line."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from rrq.plugins import load_plugins
from rrq.settings import RRQSettings
from rrq.testing.transport import Start, TransportContract
from rrq.transport import TransportContext
from rrq_executor_python.transport import PythonConfig, PythonTransport
from rrq_executor_stdio.config import StdioConfig


class TestPythonTransport(TransportContract):
    can_print_garbage = False

    def make_transport(
        self,
        context: TransportContext,
        *,
        executors: int = 1,
        in_flight: int = 1,
        start: Start = "normal",
    ) -> PythonTransport:
        config = PythonConfig(
            settings=f"contract_handlers.{start}",
            pool_size=executors,
            max_in_flight=in_flight,
            cwd=str(Path(__file__).parent),
            cancel_grace_seconds=0.5,
        )
        return PythonTransport(config, context)


def test_the_command_line_runs_the_workers_own_interpreter() -> None:
    config = PythonConfig(settings="shop.app:settings", max_in_flight=7, max_message_bytes=2048)
    transport = PythonTransport(config, TransportContext(executor_name="p", worker_id="w"))
    assert transport.config.cmd == [
        *(sys.executable, "-m", "rrq_executor_python", "--settings", "shop.app:settings"),
        *("--max-in-flight", "7", "--max-message-bytes", "2048"),
    ]


async def test_without_max_in_flight_the_runtimes_own_default_counts() -> None:
    config = PythonConfig(
        settings="contract_handlers.normal", pool_size=1, cwd=str(Path(__file__).parent)
    )
    transport = PythonTransport(config, TransportContext(executor_name="p", worker_id="w"))
    await transport.start()
    try:
        assert transport.capacity == 32
        status = transport.describe()
        assert "hold" in (status.functions or ())
        assert (status.runtime or "").startswith("python 3.")
    finally:
        await transport.stop(0)


@pytest.mark.parametrize("table", [{}, {"settings": "nowhere"}, {"settings": "a.b", "cmd": ["x"]}])
def test_a_table_that_cannot_work_is_refused(table: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PythonConfig.model_validate(table)


def test_the_installed_plugin_offers_the_type() -> None:
    assert load_plugins().transport("python") is PythonTransport


def test_the_tables_of_the_readme_are_valid() -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    models = {"python": PythonConfig, "stdio": StdioConfig}
    blocks = re.findall(r"```toml\n(.*?)```", readme, re.S)
    executors = [
        RRQSettings.model_validate(tomllib.loads(block)["rrq"]).executors["python"]
        for block in blocks
    ]
    for executor in executors:
        models[executor.type].model_validate(executor.transport_options())
    assert [executor.type for executor in executors] == ["python", "stdio"]
