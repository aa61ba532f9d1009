"""World seconds to real ones: the only place in the simulator that knows its speed, and how far it was moved ahead."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right


class SimClock:
    """A world that runs `scale` times faster than this one, and that may be moved ahead while it runs."""

    def __init__(self, scale: float) -> None:
        self.scale = scale
        self._moves: list[tuple[int, float]] = [(0, 0.0)]  # when it was moved, and world seconds of all moves so far
        self._waiting: set[asyncio.Future[bool]] = set()
        self._born_ns, self._born_at_s = self.now_ns(), time.time()

    @staticmethod
    def now_ns() -> int:
        """CLOCK_MONOTONIC: comparable with any other process on this host."""
        return time.monotonic_ns()

    @property
    def shown(self) -> str:
        """The world's speed, as headers say it."""
        return f"{self.scale:g}"

    @property
    def advanced_s(self) -> float:
        """World seconds that it was moved ahead by, in all."""
        return self._moves[-1][1]

    def advance(self, world_s: float) -> None:
        """Let so many world seconds pass at once: whatever waits for a moment among them comes due now."""
        self._moves.append((self.now_ns(), self.advanced_s + world_s))
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(True)

    def world_s(self, start_ns: int, end_ns: int) -> float:
        """World seconds between two stamps, with those that were skipped between them."""
        passed_s = (end_ns - start_ns) / 1e9 * self.scale
        return passed_s if len(self._moves) == 1 else passed_s + self._moved_s(end_ns) - self._moved_s(start_ns)

    def moment_ns(self, start_ns: int, world_s: float) -> int:
        """The moment that is so many world seconds after `start_ns`, as far as moves are known by now."""
        before_s, skipped_s = self._moved_s(start_ns), 0.0
        for at_ns, moved_s in self._moves:
            if at_ns <= start_ns:
                continue
            real_s = (at_ns - start_ns) / 1e9
            if real_s * self.scale + skipped_s >= world_s:
                break
            skipped_s = moved_s - before_s
            if real_s * self.scale + skipped_s >= world_s:
                return at_ns  # it lies among the seconds that this move skipped
        return start_ns + round((world_s - skipped_s) / self.scale * 1e9)

    def date_s(self, at_ns: int) -> float:
        """The world's date at a stamp, in seconds since 1970: it began when the clock did."""
        return self._born_at_s + self.world_s(self._born_ns, at_ns)

    async def sleep(self, world_s: float) -> None:
        """Wait for so many world seconds."""
        await self.until(self.now_ns(), world_s)

    async def until(self, start_ns: int, world_s: float) -> None:
        """Wait until so many world seconds after `start_ns`, whatever was done in between."""
        moved = True
        while moved:
            left_s = world_s - self.world_s(start_ns, self.now_ns())
            moved = left_s > 0 and await self._wait(left_s / self.scale)

    def real_s(self, world_s: float) -> float:
        """For time-outs handed to asyncio; a move does not shorten them."""
        return world_s / self.scale

    async def _wait(self, real_s: float) -> bool:
        """`asyncio.sleep` that a move ends early; says whether one did."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[bool] = loop.create_future()
        timer = loop.call_later(real_s, _pass, waiting)
        self._waiting.add(waiting)
        try:
            return await waiting
        finally:
            timer.cancel()
            self._waiting.discard(waiting)

    def _moved_s(self, at_ns: int) -> float:
        """World seconds of all moves up to a stamp."""
        return self._moves[bisect_right(self._moves, at_ns, key=lambda move: move[0]) - 1][1]


def _pass(waiting: asyncio.Future[bool]) -> None:
    if not waiting.done():
        waiting.set_result(False)
