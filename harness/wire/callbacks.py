"""A receiver for callbacks, on loopback only: stamps when the other side called, and keeps what it said.

What is to reach it from outside has to come through a tunnel that the user opens on purpose.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from dataclasses import dataclass, field
from functools import partial

import httptools

from harness.wire.clock import WorldClock
from harness.wire.receive import Receiver, everything, keep_stamping, prepare
from harness.wire.stamp import KernelClock, Stamp
from harness.wire.trace import Trace
from harness.wire.watch import watch_of

MOST_BYTES = 1024 * 1024
PATIENCE_S = 10.0  # for a caller who does not come to the end of its request
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
        self._clock = KernelClock()
        self._listening: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._by_name: dict[str, _Expected] = {}  # the last part of its path
        self._by_id: dict[str, _Expected] = {}

    async def open(self) -> None:
        """Listen on loopback.

        Raises:
            OSError: the port is taken.
        """
        if self._listening is not None:
            return
        keep_stamping()
        self._listening = socket.create_server(("127.0.0.1", self._port))
        # What it accepts inherits this: the kernel stamps a callback however late we look.
        prepare(self._listening)
        self._accepting = asyncio.create_task(self._accept(self._listening))

    def expect(self, client_request_id: str, trace: Trace, public_url: str | None) -> str:
        """The URL to hand out for a job; callbacks to it become legs of `trace`."""
        assert self._listening is not None
        name = secrets.token_urlsafe(16)
        self._by_name[name] = self._by_id[client_request_id] = _Expected(trace)
        port = self._listening.getsockname()[1]
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

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            since_ns = WorldClock.now_ns()
            await _readable(loop, listening)
            # No await from here on: whatever cancels us, a socket once accepted has a task that closes it.
            try:
                sock, _ = listening.accept()
            except (BlockingIOError, ConnectionAbortedError):
                continue  # it left before we came
            sock.setblocking(False)
            serving = asyncio.create_task(self._serve(sock, since_ns))
            self._serving.add(serving)
            serving.add_done_callback(partial(self._served, sock))

    def _served(self, sock: socket.socket, serving: asyncio.Task[None]) -> None:
        """Close here, not in the task: one that is cancelled before its first step never reaches its `finally`."""
        sock.close()
        self._serving.discard(serving)

    async def _serve(self, sock: socket.socket, since_ns: int) -> None:
        loop = asyncio.get_running_loop()
        receiver = Receiver(sock, self._clock, watch_of(loop), since_ns=since_ns)
        request = _Request()
        try:
            arrived = await self._read(sock, receiver, request)
            # Only the last part of the path: a tunnel may hand on its own, and a sender may add a query.
            name = request.path.partition("?")[0].rpartition("/")[2]
            expected = self._by_name.get(name) if request.complete else None
            if expected is not None:
                leg = expected.trace.leg("callback")
                leg.trace.started_ns = arrived.ns
                leg.trace.stamp_source = receiver.source
                leg.trace.received(len(request.body), arrived)
                if request.body:
                    leg.trace.body.add(bytes(request.body), arrived)
                leg.trace.body_end_ns = leg.trace.ended_ns = WorldClock.now_ns()
                expected.came.set()
            await loop.sock_sendall(sock, _NOBODY if expected is None else _TAKEN)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, OSError, TimeoutError):
            return  # somebody who does not speak HTTP, or left: no callback of anybody's

    async def _read(self, sock: socket.socket, receiver: Receiver, request: _Request) -> Stamp:
        """Read a whole request; when its first byte arrived."""
        loop = asyncio.get_running_loop()
        first: Stamp | None = None
        async with asyncio.timeout(PATIENCE_S):
            while not request.complete and request.size <= MOST_BYTES:
                try:
                    view, stamp = receiver.first() if first is None else receiver.read(everything)
                except BlockingIOError:
                    await _readable(loop, sock)
                    continue
                first = first or stamp
                if not view:
                    break
                request.feed(bytes(view))
        assert first is not None
        return first

    async def aclose(self) -> None:
        """Stop listening, and leave those that are still talking or never began."""
        if self._accepting is not None and self._listening is not None:
            for task in (self._accepting, *self._serving):
                task.cancel()
            await asyncio.gather(self._accepting, *self._serving, return_exceptions=True)
            self._listening.close()


async def _readable(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
    ready = loop.create_future()
    loop.add_reader(sock, _settle, ready)
    try:
        await ready
    finally:
        loop.remove_reader(sock)


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


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
