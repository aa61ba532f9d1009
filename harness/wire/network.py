"""A network backend for httpcore that stamps what passes through it and enforces our own caps by name.

This is the user-space receive path: stamps are taken in the reading task as soon as the kernel handed the bytes over.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore
from httpcore import SOCKET_OPTION

from harness.events import CapName
from harness.wire.clock import WorldClock
from harness.wire.dial import family_name, is_literal
from harness.wire.lookup import look_up
from harness.wire.stamp import Stamp
from harness.wire.tls import refuses_us
from harness.wire.trace import AddressTried, Trace, current_trace
from harness.wire.watch import watch_of

WRITE_BYTES = 64 * 1024


class StampingBackend(httpcore.AsyncNetworkBackend):
    """Resolves, connects and wraps. Every address is tried in the resolver's order, each with its share of the cap."""

    def __init__(self) -> None:
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - our named caps are in the trace
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        trace = current_trace.get() or Trace.untimed()
        trace.acquired(reused=False)
        found = await self._resolve(host, port, trace)
        options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), *(socket_options or ())]
        failure: Exception | None = None
        for index, (family, address) in enumerate(found):
            left = trace.connect_left_s()
            # Like Go's dialer: what is left is shared among the addresses not yet tried, so that one black hole
            # cannot eat the whole cap.
            share = None if left is None else left / (len(found) - index)
            began = WorldClock.now_ns()
            try:
                stream = await self._inner.connect_tcp(address, port, share, local_address, options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                trace.addresses.append(_tried(family, began, connected=False))
                failure = error
                continue
            trace.tcp_connected_ns = WorldClock.now_ns()
            trace.addresses.append(_tried(family, began, connected=True))
            return StampedStream(stream)
        if isinstance(failure, httpcore.ConnectTimeout):
            trace.cap_fired = "connect"
        raise failure or httpcore.ConnectError("the name has no address")

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return StampedStream(await self._inner.connect_unix_socket(path, timeout, socket_options))

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)

    async def _resolve(self, host: str, port: int, trace: Trace) -> list[tuple[int, str]]:
        try:
            async with asyncio.timeout(trace.connect_left_s()):
                found = await look_up(host, port)
        except TimeoutError as error:
            trace.cap_fired = "connect"
            raise httpcore.ConnectTimeout("name resolution") from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        if not is_literal(host):
            trace.dns_done_ns = found.done_ns
        return list(dict.fromkeys((family, str(address[0])) for family, address in found.addresses))


class StampedStream(httpcore.AsyncNetworkStream):
    """A connection whose reads and writes are stamped into the trace of the attempt that makes them."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        trace = current_trace.get()
        if trace is None:
            return await self._inner.read(max_bytes, timeout)
        bound = _tunnel_cap(trace) if trace.tunnelling else trace.read_cap()
        try:
            data = await self._inner.read(max_bytes, None if bound is None else bound[1])
        except httpcore.ReadTimeout:
            if bound is not None:
                trace.cap_fired = bound[0]
            raise
        except ssl.SSLError as error:
            if refuses_us(error):
                trace.refused()
            raise
        if data:
            now = WorldClock.now_ns()
            watch = watch_of(asyncio.get_running_loop())
            # asyncio's reader put the bytes aside in an earlier turn of the loop than the one that woke this task.
            earliest = trace.last_byte_ns or trace.request_sent_ns or now if watch is None else watch.turn_before_ns
            trace.received(len(data), Stamp(min(earliest, now), now))
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        trace = current_trace.get()
        view = memoryview(buffer)
        for start in range(0, len(view), WRITE_BYTES):  # a cut upload stops in the middle of a picture
            part = bytes(view[start : start + WRITE_BYTES])
            await self._inner.write(part, timeout)
            if trace is not None and not trace.tunnelling:
                trace.bytes_up += len(part)

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        trace = current_trace.get() or Trace.untimed()
        try:
            secured = await self._inner.start_tls(ssl_context, server_hostname, trace.connect_left_s())
        except httpcore.ConnectTimeout:
            trace.cap_fired = "connect"
            raise
        trace.tls_done_ns = WorldClock.now_ns()
        return StampedStream(secured)

    async def aclose(self) -> None:
        await self._inner.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _tunnel_cap(trace: Trace) -> tuple[CapName, float] | None:
    left = trace.connect_left_s()
    return None if left is None else ("connect", left)


def _tried(family: int, began_ns: int, *, connected: bool) -> AddressTried:
    return AddressTried(family_name(family), connected, WorldClock.now_ns() - began_ns)
