"""`check_of`: what `rrq check` tells of the executors behind sockets."""

from __future__ import annotations

import asyncio
from typing import Literal

from rrq.config.executors import executor_options
from rrq.hookspecs import Check
from rrq.settings import ExecutorConfig
from rrq_transport_socket.address import Address
from rrq_transport_socket.config import SocketConfig
from rrq_transport_socket.greeting import NoExecutor, connect

Answer = tuple[Literal["ok", "warning", "failed"], str]


def check_of(name: str, config: ExecutorConfig) -> Check:
    """A check that connects to every address of the executor NAME and awaits its hello."""

    async def probe() -> Answer:
        options = executor_options(name, config, SocketConfig)
        problems = await asyncio.gather(
            *(_problem(Address.parse(one), options.max_message_bytes) for one in options.addresses)
        )
        told = "; ".join(filter(None, problems))
        if not told:
            return "ok", f"Connected to {', '.join(options.addresses)}."
        # With one executor of many a worker can work.
        return ("failed" if all(problems) else "warning"), f"{told}."

    return Check(name=f"executor {name}", probe=probe)


async def _problem(address: Address, max_line_bytes: int) -> str | None:
    try:
        (await connect(address, max_line_bytes)).close()
    except NoExecutor as error:
        return str(error)
    return None
