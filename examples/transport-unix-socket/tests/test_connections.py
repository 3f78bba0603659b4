"""What the contract cannot know: addresses, other protocols at them, and what `rrq check` tells."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from rrq_transport_socket.address import Address
from rrq_transport_socket.config import SocketConfig
from rrq_transport_socket.health import check_of
from rrq_transport_socket.transport import SocketTransport

from rrq.exc import ExecutorLost, ExecutorStartError
from rrq.settings import ExecutorConfig
from rrq.testing.transport_subject import TransportSubject

HELLO = {"type": "hello", "protocol_version": "1", "features": ["cancel"], "max_in_flight": 2}


@asynccontextmanager
async def listening(*lines: Any) -> AsyncIterator[str]:
    """The address of something that says these lines and answers each request with success."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for line in lines:
            writer.write(json.dumps(line).encode() + b"\n")
        while line := await reader.readline():
            answer = {"job_id": json.loads(line)["job_id"], "status": "success"}
            writer.write(json.dumps(answer).encode() + b"\n")
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=2**24)
    async with server:
        yield f"tcp:127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def running(*addresses: str, **options: Any) -> AsyncIterator[TransportSubject]:
    config = SocketConfig(addresses=list(addresses), reconnect_max_seconds=0.1, **options)
    subject = TransportSubject(lambda context: SocketTransport(config, context))
    async with asyncio.timeout(30):
        await subject.transport.start()
        try:
            yield subject
        finally:
            await subject.transport.stop(0)


async def test_an_executor_on_tcp_is_asked_for_as_many_requests_as_its_hello_says() -> None:
    async with listening(HELLO) as address, running(address, max_in_flight=9) as subject:
        assert subject.transport.capacity == 2
        assert (await subject.call("anything")).status == "success"


async def test_the_worker_is_told_of_capacity_only_when_it_changes() -> None:
    async with listening(HELLO) as address, running(address) as subject:
        assert subject.capacity_changes == 1
        await asyncio.gather(*(subject.call("anything") for _ in range(20)))
        assert subject.capacity_changes == 1


async def test_a_killed_executor_loses_its_request_and_is_connected_again(
    services: Any, tmp_path: Path
) -> None:
    service = services.service("executor-0")
    async with running(service.address) as subject:
        held = await subject.begin("hold", tmp_path, "held")
        service.kill()
        with pytest.raises(ExecutorLost) as lost:
            await held
        assert lost.value.penalty
        assert lost.value.cause.startswith(service.address)
        assert (await subject.call("echo")).status == "success"


async def test_with_one_executor_of_two_the_work_begins(services: Any) -> None:
    address = services.service("executor-0").address
    async with running(address, services.nowhere()) as subject:
        assert (await subject.call("echo")).status == "success"
        status = subject.transport.describe()
        assert status.processes == 1
        assert "does not answer" in status.details[services.nowhere()]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"job_id": "1", "status": "success"}, "its first line is no hello"),
        (HELLO | {"protocol_version": "2"}, "version '2', not '1'"),
        (HELLO | {"max_in_flight": 0}, "max_in_flight must be at least 1"),
    ],
)
async def test_who_does_not_speak_the_protocol_is_no_executor(line: Any, reason: str) -> None:
    async with listening(line) as address:
        with pytest.raises(ExecutorStartError, match=f"{address} speaks another.*{reason}"):
            async with running(address, start_timeout_seconds=0.2):
                pass


async def test_a_request_that_is_too_long_is_refused_before_it_is_sent() -> None:
    async with listening(HELLO) as address, running(address, max_message_bytes=1024) as subject:
        outcome = await subject.call("anything", "x" * 1024)
        assert outcome.error_type == "MessageTooLong"
        assert "the most is 1024" in (outcome.error_message or "")


@pytest.mark.parametrize("address", ["shop.sock", "unix:", "tcp:host", "tcp:host:x", "udp:h:1"])
def test_an_address_of_another_kind_is_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="neither unix:PATH nor tcp:HOST:PORT"):
        SocketConfig(addresses=[address])


def test_an_address_of_version_six_is_understood() -> None:
    assert Address.parse("tcp:[::1]:7000") == Address("::1", 7000)


async def test_the_check_tells_who_answers_and_who_does_not(services: Any) -> None:
    there, nowhere = services.service("executor-0").address, services.nowhere()
    async with running(there):
        pass  # it listens by now

    async def answer(*addresses: str) -> tuple[str, str]:
        table = ExecutorConfig(type="socket", addresses=list(addresses))
        return await check_of("shop", table).probe()

    assert await answer(there) == ("ok", f"Connected to {there}.")
    missing = f"{nowhere} does not answer: No such file or directory."
    assert await answer(there, nowhere) == ("warning", missing)
    assert await answer(nowhere) == ("failed", missing)
