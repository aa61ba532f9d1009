"""A receiver for callbacks, on loopback only: stamps when the other side called, and keeps what it said.

What is to reach it from outside has to come through a tunnel that the user opens on purpose.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from dataclasses import dataclass, field

import httptools

from harness.wire.clock import WorldClock
from harness.wire.stamp import at
from harness.wire.trace import Trace

MOST_BYTES = 1024 * 1024
_TAKEN = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_NOBODY = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


@dataclass
class _Expected:
    trace: Trace
    came: asyncio.Event = field(default_factory=asyncio.Event)


class CallbackReceiver:
    """One port, one secret path for each job."""

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self._server: asyncio.Server | None = None
        self._serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._by_name: dict[str, _Expected] = {}  # the last part of its path
        self._by_id: dict[str, _Expected] = {}

    async def open(self) -> None:
        """Listen on loopback.

        Raises:
            OSError: the port is taken.
        """
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)

    def expect(self, client_request_id: str, trace: Trace, public_url: str | None) -> str:
        """The URL to hand out for a job; callbacks to it become legs of `trace`."""
        assert self._server is not None
        name = secrets.token_urlsafe(16)
        self._by_name[name] = self._by_id[client_request_id] = _Expected(trace)
        port = self._server.sockets[0].getsockname()[1]
        return (public_url or f"http://127.0.0.1:{port}").rstrip("/") + "/" + name

    async def settle(self, client_request_id: str, timeout_s: float) -> None:
        """Wait a little for a callback that has not come yet, then forget the job."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._by_id[client_request_id].came.wait()
        self.forget(client_request_id)

    def forget(self, client_request_id: str) -> None:
        """The job is over: whoever calls back for it now is told that nobody expects it."""
        expected = self._by_id.pop(client_request_id, None)
        self._by_name = {name: one for name, one in self._by_name.items() if one is not expected}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving[task] = writer
        try:
            await self._take(reader, writer)
        finally:
            del self._serving[task]
            writer.close()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = _Request()
        arrived_ns: int | None = None
        try:
            while not request.complete and request.size <= MOST_BYTES:
                data = await reader.read(65_536)
                arrived_ns = arrived_ns or WorldClock.now_ns()
                if not data:
                    break
                request.feed(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, OSError):
            request.complete = False
        # Only the last part of the path: a tunnel may hand on its own, and a sender may add a query.
        name = request.path.partition("?")[0].rpartition("/")[2]
        expected = self._by_name.get(name) if request.complete else None
        if expected is not None and arrived_ns is not None:
            leg = expected.trace.leg("callback")
            leg.trace.started_ns = arrived_ns
            leg.trace.received(len(request.body), at(arrived_ns))
            leg.trace.body.add(bytes(request.body), at(arrived_ns))
            leg.trace.body_end_ns = leg.trace.ended_ns = WorldClock.now_ns()
            expected.came.set()
        with contextlib.suppress(OSError):
            writer.write(_NOBODY if expected is None else _TAKEN)
            await writer.drain()

    async def aclose(self) -> None:
        """Stop listening, and leave those that are still talking or never began."""
        if self._server is not None:
            self._server.close()
            for writer in self._serving.values():
                writer.transport.abort()
            await asyncio.gather(*self._serving)
            await self._server.wait_closed()


class _Request:
    """One request, as far as it has come."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._head: bytearray | None = bytearray()  # None: it has been parsed
        self.size = 0
        self.path = ""
        self.body = bytearray()
        self.complete = False

    def feed(self, data: bytes) -> None:
        """Take in what a read brought."""
        self.size += len(data)
        if self._head is None:
            self._parser.feed_data(data)
            return
        self._head += data
        head, end, rest = bytes(self._head).partition(b"\r\n\r\n")
        if end:
            self._head = None
            # llhttp takes an offer to speak something else for the end of HTTP. Nobody here takes it up.
            lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"upgrade:")]
            self._parser.feed_data(b"\r\n".join(lines) + end + rest)

    # What httptools tells

    def on_url(self, url: bytes) -> None:
        self.path += url.decode("latin-1")

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.complete = True
