"""What one attempt leaves on the wire: stamps and bytes, nothing interpreted.

Stamps are monotonic ns. The transport writes them where the bytes arrive; everything that gives them a meaning comes
after the exchange is over.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field

from harness.events import AddressTry, CapName, StampSource
from harness.wire.body import StampedBody
from harness.wire.caps import Caps
from harness.wire.clock import WorldClock

# The attempt that the running task is making. httpcore connects, writes and reads in the task that asked for it, so
# the network layer below it can find out whose bytes it carries; a contract test holds that.
current_trace: ContextVar[Trace | None] = ContextVar("current_trace", default=None)


@dataclass
class Trace:
    """Mutable record of one attempt while it is under way."""

    caps: Caps
    stamp_source: StampSource = "user"

    started_ns: int | None = None
    pool_acquired_ns: int | None = None
    dns_done_ns: int | None = None
    tcp_connected_ns: int | None = None
    tls_done_ns: int | None = None
    request_sent_ns: int | None = None
    first_byte_ns: int | None = None
    headers_ns: int | None = None
    last_byte_ns: int | None = None
    body_end_ns: int | None = None
    ended_ns: int | None = None

    connection_reused: bool | None = None
    addresses: list[AddressTry] = field(default_factory=list)
    bytes_up: int = 0
    bytes_down: int = 0
    longest_silence_ns: int = 0

    http_status: int | None = None
    http_version: str | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: StampedBody = field(default_factory=StampedBody)
    over_limit: bool = False

    cap_fired: CapName | None = None

    @classmethod
    def untimed(cls) -> Trace:
        """A trace for bytes that belong to no attempt (a connection opened ahead of need)."""
        return cls(Caps())

    def begin(self) -> None:
        """The attempt is handed to the transport."""
        if self.started_ns is None:
            self.started_ns = WorldClock.now_ns()

    def acquired(self, *, reused: bool) -> None:
        """A connection is in hand, or its opening begins."""
        if self.pool_acquired_ns is None:
            self.pool_acquired_ns = WorldClock.now_ns()
            self.connection_reused = reused

    def received(self, count: int, at_ns: int) -> None:
        """`count` bytes of any kind arrived."""
        if self.first_byte_ns is None:
            self.first_byte_ns = at_ns
        self._note_silence(at_ns)
        self.last_byte_ns = at_ns
        self.bytes_down += count

    def finish(self) -> None:
        """The attempt is over, however it ended."""
        if self.ended_ns is None:
            self.ended_ns = self.body_end_ns or WorldClock.now_ns()
            self._note_silence(self.ended_ns)

    def read_cap(self) -> tuple[CapName, float] | None:
        """Which cap bounds the next read, and how many seconds of it are left; None when none does."""
        name: CapName = "first_byte" if self.first_byte_ns is None else "idle"
        cap_s = self.caps.get(name)
        since = self.last_byte_ns or self.request_sent_ns
        if cap_s is None:
            return None
        spent = 0.0 if since is None else (WorldClock.now_ns() - since) / 1e9
        return name, max(cap_s - spent, 0.0)

    def connect_left_s(self) -> float | None:
        """Seconds left of the connect cap."""
        if self.caps.connect_s is None:
            return None
        began = self.pool_acquired_ns or self.started_ns or WorldClock.now_ns()
        return max(self.caps.connect_s - (WorldClock.now_ns() - began) / 1e9, 0.0)

    def _note_silence(self, at_ns: int) -> None:
        since = self.last_byte_ns or self.request_sent_ns
        if since is not None:
            self.longest_silence_ns = max(self.longest_silence_ns, at_ns - since)
