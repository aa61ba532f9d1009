"""How late our own event loop runs, and what became of the host's clocks: the measurement's own error bar."""

from __future__ import annotations

import asyncio
from collections import deque

from harness.run.hostwatch import HostNote, HostWatch
from harness.wire.clock import WorldClock

TICK_S = 0.02
WORTH_KEEPING_NS = 1_000_000
KEPT = 20_000


class LagMeter:
    """A ticker that notes how much later than planned it was woken. Use as an async context manager."""

    def __init__(self, host: HostWatch | None = None) -> None:
        self._late: deque[tuple[int, int]] = deque(maxlen=KEPT)
        self._host = HostWatch() if host is None else host

    async def __aenter__(self) -> LagMeter:
        self._task = asyncio.create_task(self._tick())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._task.cancel()
        # Not awaited itself: its cancellation and ours could not be told apart, and a Ctrl-C here would be lost.
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.result()

    async def _tick(self) -> None:
        while True:
            due = WorldClock.now_ns() + int(TICK_S * 1e9)
            await asyncio.sleep(TICK_S)
            now = WorldClock.now_ns()
            if now - due > WORTH_KEEPING_NS:
                self._late.append((now, now - due))
            self._host.look()

    def notes(self, start_ns: int, end_ns: int) -> tuple[HostNote, ...]:
        """What happened to the host's clocks while [start, end] lay under it."""
        self._host.look()
        return self._host.notes(start_ns, end_ns)

    def worst_ns(self, start_ns: int, end_ns: int) -> int:
        """The largest lateness noticed while [start, end] lay under it, in ns of this machine; 0 when below 1 ms."""
        worst = 0
        for noticed_ns, late_ns in reversed(self._late):
            if noticed_ns < start_ns:
                break
            if noticed_ns - late_ns <= end_ns:
                worst = max(worst, late_ns)
        return worst
