"""When bytes arrived: an interval on CLOCK_MONOTONIC, from the kernel's own stamp where it gives one."""

from __future__ import annotations

import struct
import sys
import time
from typing import NamedTuple

# Linux's numbers, which Python's socket module does not name (include/uapi/asm-generic/socket.h).
SO_TIMESTAMPNS = 35
SCM_TIMESTAMPNS = SO_TIMESTAMPNS
TIMESPEC = struct.Struct("@ll")
KERNEL_STAMPS = sys.platform == "linux"

STEP_NS = 100_000  # a shift of the offset beyond this is a step of the wall clock, not noise of reading two clocks


class Stamp(NamedTuple):
    """Some bytes arrived not before and not after these moments (monotonic ns). The point value is `not_after_ns`.

    The kernel keeps the later stamp when it joins segments that wait in its queue, so its stamp is an upper bound; the
    lower one is when the queue was last known to be empty.
    """

    not_before_ns: int
    not_after_ns: int

    @property
    def ns(self) -> int:
        """The moment that becomes the mark."""
        return self.not_after_ns

    @property
    def width_ns(self) -> int:
        """How much earlier than the mark the bytes may have been here."""
        return self.not_after_ns - self.not_before_ns


def at(ns: int) -> Stamp:
    """A moment that is known exactly."""
    return Stamp(ns, ns)


class KernelClock:
    """Turns the kernel's CLOCK_REALTIME stamps into monotonic ones.

    The offset is taken once. NTP slews both clocks alike, so it holds until somebody steps the wall clock or the host
    sleeps; every stamp looks whether it still does.
    """

    def __init__(self) -> None:
        self.offset_ns = measured_offset_ns()
        self.steps = 0
        self.stepped_by_ns = 0  # monotonic: a step was found at this moment, and had been made before it

    def monotonic_ns(self, realtime_ns: int) -> int:
        """The monotonic moment of a kernel stamp."""
        return realtime_ns - self.offset_ns

    def stepped(self) -> bool:
        """Take the offset anew; whether it has moved since it was last taken."""
        fresh = measured_offset_ns()
        if abs(fresh - self.offset_ns) <= STEP_NS:
            return False
        self.offset_ns = fresh
        self.steps += 1
        self.stepped_by_ns = time.monotonic_ns()
        return True

    def trusted_since(self, empty_ns: int) -> bool:
        """Whether a stamp of what came after `empty_ns` (monotonic) can be turned into monotonic time.

        A step of a second contradicts what is known. One of some ms does not, behind a silence of minutes, so the two
        clocks are held against each other at every stamp. What may have come before a step was found may have its
        stamp from either side of it.
        """
        if abs(time.time_ns() - time.monotonic_ns() - self.offset_ns) > STEP_NS:
            self.stepped()  # it measures with care: this process may have been put aside between the two readings
        return empty_ns >= self.stepped_by_ns


def measured_offset_ns(tries: int = 9) -> int:
    """CLOCK_REALTIME minus CLOCK_MONOTONIC: the reading that was taken in the shortest time is the best one."""
    best_width, best = 1 << 62, 0
    for _ in range(tries):
        before = time.monotonic_ns()
        wall = time.time_ns()
        after = time.monotonic_ns()
        if after - before < best_width:
            best_width, best = after - before, wall - (before + after) // 2
    return best
