"""Connections of one route: opened when needed, kept for a while, and handed out at once.

There is no waiting in here but for a limit that the user sets: the pool of a general client becomes the slowest part of
a thousand jobs at once.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

from harness.wire import dial
from harness.wire.clock import WorldClock
from harness.wire.connection import Connection
from harness.wire.failures import CapFired, ConnectionFailed
from harness.wire.receive import keep_stamping
from harness.wire.stamp import KernelClock
from harness.wire.trace import Trace

KEEPALIVE_S = 5.0  # what the openai SDK's own client uses


@dataclass(frozen=True)
class Origin:
    """Where requests go."""

    scheme: str
    host: str
    port: int


class Pool:
    """Idle connections by origin, the freshest handed out first."""

    def __init__(self, context: ssl.SSLContext, *, keepalive_s: float = KEEPALIVE_S, limit: int | None = None) -> None:
        keep_stamping()
        self._context = context
        self._keepalive_ns = int(keepalive_s * 1e9)
        self._clock = KernelClock()
        self._idle: dict[Origin, list[tuple[int, Connection]]] = {}
        self._busy: set[Connection] = set()
        self._places = asyncio.Semaphore(limit) if limit is not None else None

    async def acquire(self, origin: Origin, trace: Trace) -> Connection:
        """A connection that is ready to carry a request. Give it back with `release`.

        Raises:
            ConnectionFailed: none came about; CapFired when it was our own connect cap.
        """
        if self._places is not None:
            await self._places.acquire()
        try:
            connection = self._kept(origin)
            trace.acquired(reused=connection is not None)
            if connection is None:
                connection = await self._open(origin, trace)
        except BaseException:
            self._free_place()
            raise
        self._busy.add(connection)
        return connection

    def release(self, origin: Origin, connection: Connection) -> None:
        """The exchange is over; the connection is kept if it was left open."""
        if connection not in self._busy:
            return
        self._busy.discard(connection)
        self._free_place()
        if not connection.closed:
            self._idle.setdefault(origin, []).append((WorldClock.now_ns(), connection))

    def close(self) -> None:
        """Close everything."""
        for kept in self._idle.values():
            for _, connection in kept:
                connection.close()
        self._idle.clear()
        for connection in tuple(self._busy):
            connection.close()

    def _free_place(self) -> None:
        if self._places is not None:
            self._places.release()

    def _kept(self, origin: Origin) -> Connection | None:
        kept = self._idle.get(origin, [])
        while kept:
            since_ns, connection = kept.pop()
            if WorldClock.now_ns() - since_ns < self._keepalive_ns and connection.usable():
                return connection
            connection.close()
        return None

    async def _open(self, origin: Origin, trace: Trace) -> Connection:
        connection: Connection | None = None
        deadline = asyncio.timeout(trace.connect_left_s())
        try:
            async with deadline:
                addresses = await dial.resolve(origin.host, origin.port, trace)
                connection = Connection(await dial.connect(addresses, trace), self._clock)
                if origin.scheme == "https":
                    await connection.secure(self._context, origin.host, trace)
                return connection
        except BaseException as error:
            if connection is not None:
                connection.close()
            if deadline.expired():
                trace.cap_fired = "connect"
                raise CapFired("our own connect cap") from error
            if isinstance(error, OSError):
                raise ConnectionFailed("connecting") from error
            raise
