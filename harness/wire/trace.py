"""What one attempt leaves on the wire: stamps and bytes, nothing interpreted.

Stamps are monotonic ns. The transport writes them where the bytes arrive; everything that gives them a meaning comes
after the exchange is over.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field

from harness.events import AddressFamily, CapName, LegKind, ReceivePath, StampSource, TaskState
from harness.wire.body import StampedBody
from harness.wire.caps import Caps
from harness.wire.clock import WorldClock
from harness.wire.stamp import Stamp

# The attempt that the running task is making. httpx and httpcore connect, write and read in the task that asked for
# it, so the network layer below them can find out whose bytes it carries; a contract test holds that.
current_trace: ContextVar[Trace | None] = ContextVar("current_trace", default=None)


@dataclass(frozen=True)
class AddressTried:
    """One address that was tried for a connection, and how long TCP took there."""

    family: AddressFamily
    connected: bool
    tcp_ns: int
    rtt_ns: int | None = None


@dataclass
class Leg:
    """A further exchange of the same attempt: a poll, the download of a result, a callback that came in."""

    kind: LegKind
    number: int
    trace: Trace
    link: int = 0  # of a download: which of the answer's links
    said: TaskState | None = None
    failure: tuple[str, ...] = ()


@dataclass
class Trace:
    """Mutable record of one attempt while it is under way."""

    caps: Caps
    stamp_source: StampSource = "user"
    receive_path: ReceivePath = "library"

    started_ns: int | None = None
    pool_acquired_ns: int | None = None
    dns_done_ns: int | None = None
    tcp_connected_ns: int | None = None
    tls_arrived_ns: int | None = None  # the other side's last flight of the handshake was here
    tls_done_ns: int | None = None
    request_sent_ns: int | None = None
    first_byte: Stamp | None = None
    last_read: Stamp | None = None
    headers_ns: int | None = None
    body_end_ns: int | None = None
    ended_ns: int | None = None

    connection_reused: bool | None = None
    addresses: list[AddressTried] = field(default_factory=list)
    rtt_ns: int | None = None
    retransmits: int | None = None
    bytes_up: int = 0
    bytes_down: int = 0
    longest_silence_ns: int = 0
    waited_ns: int = 0  # the longest that bytes lay in the kernel before this process took them

    http_status: int | None = None
    http_version: str | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: StampedBody = field(default_factory=StampedBody)
    over_limit: bool = False
    not_http: bool = False  # what came made no sense
    tunnelling: bool = False  # what goes over the wire now is between us and a proxy: no byte of the exchange

    cap_fired: CapName | None = None
    cap_s: float | None = None  # of a cap that is not one of `caps`: what it is, in seconds of this machine
    legs: list[Leg] = field(default_factory=list)
    leg_counts: dict[LegKind, int] = field(default_factory=dict)  # those that were let go included
    painted_ns: int | None = None  # a client that draws the image itself has drawn it

    @classmethod
    def of(cls, caps: Caps, *, expendable: bytes | None) -> Trace:
        """A trace that keeps of events with this word in their head the stamps alone (see `StampedBody`)."""
        return cls(caps, body=StampedBody(expendable))

    @classmethod
    def untimed(cls) -> Trace:
        """A trace for bytes that belong to no attempt (a connection opened ahead of need)."""
        return cls(Caps())

    @property
    def first_byte_ns(self) -> int | None:
        """When the first byte of any response arrived."""
        return None if self.first_byte is None else self.first_byte.ns

    @property
    def last_byte_ns(self) -> int | None:
        """When the last byte so far arrived."""
        return None if self.last_read is None else self.last_read.ns

    def begin(self) -> None:
        """The attempt is handed to the transport."""
        if self.started_ns is None:
            self.started_ns = WorldClock.now_ns()

    def acquired(self, *, reused: bool) -> None:
        """A connection is in hand, or its opening begins."""
        if self.pool_acquired_ns is None:
            self.pool_acquired_ns = WorldClock.now_ns()
            self.connection_reused = reused

    def received(self, count: int, arrived: Stamp) -> None:
        """`count` bytes of any kind arrived. A proxy's word on a tunnel through it is none of the answer's."""
        if self.tunnelling:
            return
        if self.first_byte is None:
            self.first_byte = arrived
            if self.request_sent_ns is not None:
                # A near peer answers before our own send has returned: the request was there by then.
                self.request_sent_ns = min(self.request_sent_ns, arrived.ns)
        self._note_silence(arrived.ns)
        self.last_read = arrived
        self.bytes_down += count

    def refused(self) -> None:
        """The handshake was refused behind our request: TLS did not come about, and nobody read what was sent."""
        if self.connection_reused is False and self.first_byte is None:
            self.tls_done_ns = self.tls_arrived_ns = self.request_sent_ns = None
            self.bytes_up = self.longest_silence_ns = 0

    def leg(self, kind: LegKind) -> Leg:
        """Begin a further exchange of this attempt, under the same caps."""
        number = self.leg_counts[kind] = self.leg_counts.get(kind, 0) + 1
        self.legs.append(Leg(kind, number, Trace(self.caps)))
        return self.legs[-1]

    def finish(self, *, given_up: bool = False) -> None:
        """The attempt is over, however it ended. `given_up`: by us, now; a cap that fired is known already."""
        if self.ended_ns is not None:
            return
        own_ns = self.body_end_ns or WorldClock.now_ns()
        self._note_silence(own_ns)
        for leg in self.legs:
            leg.trace.finish()
        last_ns = max((leg.trace.ended_ns or 0 for leg in self.legs), default=0)
        # We give up when we do, and not when the last poll before it was over.
        given_up = given_up or self.cap_fired is not None
        self.ended_ns = WorldClock.now_ns() if given_up else max(own_ns, last_ns)

    def deciding(self) -> Leg | None:
        """The further exchange that decided how the attempt ended, where the first one went well; else None."""
        if self.body_end_ns is None or (self.http_status or 0) >= 400:
            return None
        told = [leg for leg in self.legs if leg.kind in ("poll", "result", "download")]
        failed = [leg for leg in told if leg.trace.body_end_ns is None or (leg.trace.http_status or 0) >= 400]
        # A poll that failed decides only when no later one went well.
        decided = [leg for leg in failed if leg.kind != "poll" or leg is told[-1]]
        return decided[0] if decided else None

    def all_traces(self) -> tuple[Trace, ...]:
        """This exchange and the further ones, in order."""
        return (self, *(leg.trace for leg in self.legs))

    def read_cap(self) -> tuple[CapName, float] | None:
        """Which cap bounds the next read, and how many seconds of it are left; None when none does."""
        name: CapName = "first_byte" if self.first_byte is None else "idle"
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
