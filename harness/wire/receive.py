"""Reading from a bare socket, with the kernel's stamp beside the bytes.

One buffer serves all connections of a process: what is read is handed on before the next read.
"""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from harness.events import StampSource
from harness.wire.stamp import KERNEL_STAMPS, SCM_TIMESTAMPNS, SO_TIMESTAMPNS, TIMESPEC, KernelClock, Stamp
from harness.wire.watch import WatchedSelector

BUFFER_BYTES = 128 * 1024
RECEIVE_WINDOW_BYTES = 4 * 1024 * 1024  # a whole image may arrive while the loop is busy
UNSENT_BYTES = 128 * 1024  # what the kernel may hold back: "sent" then means sent, but for this much
_SO_RCVBUFFORCE = 33
_ANCILLARY_BYTES = socket.CMSG_SPACE(TIMESPEC.size)
_TCP_INFO_BYTES = 104

# Two clocks are read one after the other, and an empty queue was seen a little before we noted the time.
_TOLERANCE_NS = 200_000

_bytes = bytearray(BUFFER_BYTES)
_buffer = memoryview(_bytes)


def prepare(sock: socket.socket) -> None:
    """Set what a measuring socket needs, before it connects. What the system refuses stays as it was."""
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if KERNEL_STAMPS:
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        _widen(sock)


@cache
def keep_stamping() -> socket.socket | None:
    """Have the kernel stamp what arrives from now on, for as long as this process lives.

    It does so only while some socket asks for it, and takes a moment to begin: the first answer of a run would come
    without a stamp.
    """
    if not KERNEL_STAMPS:
        return None
    keeper = socket.socket()
    keeper.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    return keeper


def _widen(sock: socket.socket) -> None:
    """A large receive window. Asking for one that the system caps would switch its own, larger tuning off."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_WINDOW_BYTES)
    except PermissionError:
        if _permitted_window_bytes() >= RECEIVE_WINDOW_BYTES:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_WINDOW_BYTES)


@cache
def _permitted_window_bytes() -> int:
    try:
        return int(Path("/proc/sys/net/core/rmem_max").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0  # not readable in this sandbox: leave the kernel's own tuning alone


@dataclass(frozen=True)
class Link:
    """What the kernel knows of the way to the other side."""

    rtt_ns: int | None
    retransmits: int


def link_of(sock: socket.socket) -> Link:
    """TCP_INFO: smoothed round trip and segments sent again. Right after connecting, the trip of the handshake."""
    if not KERNEL_STAMPS:
        return Link(None, 0)
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    rtt_us, retransmits = struct.unpack_from("=I", info, 68)[0], struct.unpack_from("=I", info, 100)[0]
    return Link(rtt_us * 1000 or None, retransmits)


class Limit(Protocol):
    """Says how many of the bytes that wait to take at once, so that what they complete has a stamp of its own."""

    def __call__(self, waiting: bytearray, count: int) -> int: ...


def everything(waiting: bytearray, count: int) -> int:  # noqa: ARG001
    """All that is there."""
    return count


def up_to_blank_line(waiting: bytearray, count: int) -> int:
    """The end of the headers or of an event, or everything. Searching for single line ends is what is fast."""
    at = waiting.find(b"\n", 0, count)
    while 0 <= at < count - 1:
        if waiting[at + 1] == 0x0A:
            return at + 2
        if waiting[at + 1] == 0x0D and at + 2 < count and waiting[at + 2] == 0x0A:
            return at + 3
        at = waiting.find(b"\n", at + 1, count)
    return count


class Receiver:
    """Reads one socket and stamps what it reads. The view it returns is valid until the next read of anybody."""

    def __init__(
        self,
        sock: socket.socket,
        clock: KernelClock,
        watch: WatchedSelector | None,
        *,
        since_ns: int | None = None,
    ) -> None:
        """`since_ns`: from when on something may lie there already; by default from now."""
        self._sock = sock
        self._clock = clock
        self._watch = watch
        now = time.monotonic_ns()
        self._empty_ns = now if since_ns is None else since_ns  # when the kernel's queue was last seen empty
        self._emptied = True  # and whether it was so when we last left it
        self._last = Stamp(self._empty_ns, self._empty_ns)
        self.source: StampSource = "kernel" if KERNEL_STAMPS else "user"
        self.waited_ns = 0  # the longest that bytes lay in the kernel before we took them

    def first(self) -> tuple[memoryview, Stamp]:
        """Read one byte, so that its segment shows its own stamp. Returns and raises what `read` does."""
        before = time.monotonic_ns()
        view, ancillary, now = self._take(1, 0, before)
        return self._told(view, ancillary, before, now, emptied=not view)

    def read(self, limit: Limit) -> tuple[memoryview, Stamp]:
        """Read what is there, as far as `limit` wants it at once.

        The kernel's stamp is that of the last segment that a read takes from. However late we come, what `limit`
        stops at therefore has the stamp of its own last byte.

        Returns:
            The bytes (none when the other side closed) and when they arrived.

        Raises:
            BlockingIOError: nothing is there.
            OSError: the connection broke.
        """
        before = time.monotonic_ns()
        if not KERNEL_STAMPS:
            view, ancillary, now = self._take(BUFFER_BYTES, 0, before)
            return self._told(view, ancillary, before, now, emptied=len(view) < BUFFER_BYTES)
        try:
            count = self._sock.recv_into(_buffer, BUFFER_BYTES, socket.MSG_PEEK)
        except BlockingIOError:
            self._empty_ns, self._emptied = before, True
            raise
        if not count:
            return self._told(_buffer[:0], [], before, time.monotonic_ns(), emptied=True)
        wanted = limit(_bytes, count)
        # On TCP, MSG_TRUNC takes bytes off the queue without copying them again: they are in the buffer already.
        view, ancillary, now = self._take(wanted, socket.MSG_TRUNC, before)
        return self._told(view, ancillary, before, now, emptied=wanted == count < BUFFER_BYTES)

    def _take(self, count: int, flags: int, before: int) -> tuple[memoryview, list[tuple[int, int, bytes]], int]:
        target = _buffer[:count]
        try:
            taken, ancillary, _, _ = self._sock.recvmsg_into((target,), _ANCILLARY_BYTES, flags)
        except BlockingIOError:
            self._empty_ns, self._emptied = before, True
            raise
        return target[:taken], ancillary, time.monotonic_ns()

    def _told(
        self, view: memoryview, ancillary: list[tuple[int, int, bytes]], before: int, now: int, *, emptied: bool
    ) -> tuple[memoryview, Stamp]:
        earliest = self._earliest_ns()
        stamp = self._stamp(ancillary, earliest, now) if view else Stamp(min(earliest, now), now)
        if emptied:
            self._empty_ns = before
        self._emptied = emptied
        self._last = stamp
        return view, stamp

    @property
    def emptied(self) -> bool:
        """The last read left nothing behind."""
        return self._emptied

    def _earliest_ns(self) -> int:
        """Before this moment, what is read now was not there."""
        if not self._emptied:
            return self._last.not_before_ns  # it may have been lying there beside what we took before
        looked = self._empty_ns if self._watch is None else max(self._empty_ns, self._watch.not_before_ns)
        return max(looked, self._last.not_before_ns)

    def _stamp(self, ancillary: list[tuple[int, int, bytes]], earliest: int, now: int) -> Stamp:
        arrived = None
        trusted = self._clock.trusted_since(self._empty_ns)
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == SCM_TIMESTAMPNS and len(data) >= TIMESPEC.size:
                seconds, nanos = TIMESPEC.unpack_from(data)
                arrived = self._clock.monotonic_ns(seconds * 1_000_000_000 + nanos)
        if arrived is None or not trusted or self._stepped(arrived, now):
            self.source = "user"
            return Stamp(min(earliest, now), now)
        if arrived < self._empty_ns - _TOLERANCE_NS:
            # It waited behind a hole in the sequence, and could be read by nobody before the hole was filled.
            return Stamp(min(earliest, now), now)
        arrived = max(min(arrived, now), self._last.not_after_ns)
        self.waited_ns = max(self.waited_ns, now - arrived)
        return Stamp(min(earliest, arrived), arrived)

    def _stepped(self, arrived: int, now: int) -> bool:
        """A stamp after its own reading, or before the queue was last seen empty, may mean a step of the clock."""
        if self._empty_ns - _TOLERANCE_NS <= arrived <= now + _TOLERANCE_NS:
            return False
        return self._clock.stepped()
