"""The clock of a run, and the one place where a simulated world's speed is undone."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class WorldClock:
    """Turns monotonic stamps into ms of the measured world, and its seconds into seconds to wait here.

    A real run has ``time_scale`` 1. An embedded world that runs 50 times faster has 50: a stretch of 4 s here was
    200 s there. Nothing else in the harness multiplies or divides by the scale.
    """

    time_scale: float = 1.0

    @staticmethod
    def now_ns() -> int:
        """CLOCK_MONOTONIC, in ns: comparable between processes of one host, untouched by steps of the wall clock."""
        return time.monotonic_ns()

    def ms(self, start_ns: int, end_ns: int) -> float:
        """The world's ms between two stamps, to the microsecond."""
        return round((end_ns - start_ns) / 1e6 * self.time_scale, 3)

    def here_s(self, world_s: float) -> float:
        """How many seconds pass here while `world_s` seconds pass in the measured world."""
        return world_s / self.time_scale
