"""The transport `python`: the stdio transport with the command line of this runtime filled in."""

from __future__ import annotations

import sys
from typing import ClassVar

from pydantic import BaseModel, field_validator

from rrq.transport import TransportContext
from rrq_executor_python.settings_object import split_object_path
from rrq_executor_stdio.config import PoolConfig, StdioConfig
from rrq_executor_stdio.transport import StdioTransport


class PythonConfig(PoolConfig):
    """The table of an executor of `type = "python"`.

    Attributes:
        settings: `module.path.object` or `module.path:object`, a `PythonExecutorSettings`.
    """

    settings: str

    @field_validator("settings")
    @classmethod
    def _names_an_object(cls, path: str) -> str:
        split_object_path(path)
        return path


class PythonTransport(StdioTransport):
    """Runs handlers in processes of the worker's own interpreter."""

    config_model: ClassVar[type[BaseModel]] = PythonConfig
    expects_hello: ClassVar[bool] = True

    def __init__(self, config: BaseModel, context: TransportContext) -> None:
        if not isinstance(config, PythonConfig):
            raise TypeError(f"PythonTransport needs a PythonConfig, not {type(config).__name__}")
        table = config.model_dump(exclude={"settings"})
        super().__init__(StdioConfig(cmd=_command(config), **table), context)


def _command(config: PythonConfig) -> list[str]:
    command = [sys.executable, "-m", "rrq_executor_python", "--settings", config.settings]
    if config.max_in_flight is not None:
        command += ["--max-in-flight", str(config.max_in_flight)]
    return [*command, "--max-message-bytes", str(config.max_message_bytes)]
