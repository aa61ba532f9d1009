"""World seconds to real ones: the only place in the simulator that knows its speed."""

from __future__ import annotations

import asyncio
import time


class SimClock:
    """A world that runs `scale` times faster than this one."""

    def __init__(self, scale: float) -> None:
        self.scale = scale

    @staticmethod
    def now_ns() -> int:
        """CLOCK_MONOTONIC: comparable with any other process on this host."""
        return time.monotonic_ns()

    @property
    def shown(self) -> str:
        """The world's speed, as headers say it."""
        return f"{self.scale:g}"

    def world_s(self, start_ns: int, end_ns: int) -> float:
        """World seconds between two stamps."""
        return (end_ns - start_ns) / 1e9 * self.scale

    def moment_ns(self, start_ns: int, world_s: float) -> int:
        """The moment that is so many world seconds after `start_ns`."""
        return start_ns + round(world_s / self.scale * 1e9)

    async def sleep(self, world_s: float) -> None:
        """Wait for so many world seconds."""
        if world_s > 0:
            await asyncio.sleep(world_s / self.scale)

    async def until(self, start_ns: int, world_s: float) -> None:
        """Wait until so many world seconds after `start_ns`, whatever was done in between."""
        await self.sleep(world_s - self.world_s(start_ns, self.now_ns()))

    def real_s(self, world_s: float) -> float:
        """For time-outs handed to asyncio."""
        return world_s / self.scale
