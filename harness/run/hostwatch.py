"""What happened to the host's clocks while a job was under way: it slept, or somebody set the wall clock.

Three clocks tell them apart. CLOCK_BOOTTIME goes on while a host sleeps and CLOCK_MONOTONIC does not
(clock_gettime(2)), so their difference grows by the sleep; CLOCK_REALTIME minus CLOCK_BOOTTIME moves when the wall
clock is set, and only then. Durations of ours are monotonic: a step cannot reach them, and a sleep is missing in them.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Literal, NamedTuple

HostNote = Literal["host_slept", "wall_clock_stepped"]

SLEPT_NS = 500_000_000  # a host does not sleep for less
STEPPED_NS = 50_000_000  # three clocks are read one after the other, on a machine that has other things to do
TRIES = 5
KEPT = 1_000


class Clocks(NamedTuple):
    """One reading, in ns. Without CLOCK_BOOTTIME (not Linux) that one is the monotonic clock."""

    monotonic_ns: int
    boot_ns: int
    wall_ns: int


def read_clocks() -> Clocks:
    """All three, as close together as can be had."""
    before = time.monotonic_ns()
    boot = time.clock_gettime_ns(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else before
    return Clocks(before, boot, time.time_ns())


class HostWatch:
    """Looks at the clocks now and then, and remembers what became of the differences between them."""

    def __init__(self, read: Callable[[], Clocks] = read_clocks) -> None:
        self._read = read
        self._last = read()
        # (the look before it, the look that showed it, what): it happened in between
        self._seen: deque[tuple[int, int, HostNote]] = deque(maxlen=KEPT)

    def look(self) -> None:
        """Compare the clocks with the look before."""
        now = self._read()
        for _ in range(TRIES - 1):
            if not _changes(self._last, now):
                break
            now = self._read()  # put aside between two readings, this process would see a step where there is none
        self._seen.extend((self._last.monotonic_ns, now.monotonic_ns, note) for note in _changes(self._last, now))
        self._last = now

    def notes(self, start_ns: int, end_ns: int) -> tuple[HostNote, ...]:
        """What happened while [start, end] (monotonic) was under way, as far as looks have shown it."""
        found = [note for since, until, note in self._seen if since <= end_ns and until >= start_ns]
        return tuple(dict.fromkeys(found))


def _changes(before: Clocks, now: Clocks) -> list[HostNote]:
    slept_ns = (now.boot_ns - now.monotonic_ns) - (before.boot_ns - before.monotonic_ns)
    stepped_ns = (now.wall_ns - now.boot_ns) - (before.wall_ns - before.boot_ns)
    found: list[HostNote] = []
    if slept_ns > SLEPT_NS:
        found.append("host_slept")
    if abs(stepped_ns) > STEPPED_NS:
        found.append("wall_clock_stepped")
    return found
