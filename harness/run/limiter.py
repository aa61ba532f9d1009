"""Our own limiter, one for each route: pure. When may the next request go out, by our limits and by what was asked.

A minute is a sliding window, as the refusals of the API word it ("Limit 5, Used 5, Requested 1"). What the limiter
holds back is late by its own clock (`limiter_wait_ms`), and no clock of the provider's contains it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

# A minute, and what may pass between our sending and their counting.
WINDOW_S = 61.0


@dataclass
class Limiter:
    """Seconds are of the measured world, from the start of the run. Limits of null are none."""

    requests_per_minute: int | None = None
    images_per_minute: int | None = None
    respect: bool = False
    _sent: deque[tuple[float, int]] = field(default_factory=deque)  # (when, images), of the last minute
    _held_until_s: float = 0.0

    def free_at_s(self, now_s: float, images: int) -> float:
        """The earliest moment at which a request of so many images may go out; not before `now_s`.

        One that is larger than the limit goes out alone: only the other side can say that it never passes.
        """
        while self._sent and self._sent[0][0] <= now_s - WINDOW_S:
            self._sent.popleft()
        free_s = max(now_s, self._held_until_s)
        free_s = max(free_s, self._room_s(now_s, self.requests_per_minute, [1] * len(self._sent), 1))
        return max(free_s, self._room_s(now_s, self.images_per_minute, [count for _, count in self._sent], images))

    def sent(self, now_s: float, images: int) -> None:
        """A request goes out."""
        self._sent.append((now_s, images))

    def told(self, now_s: float, pause_s: float | None) -> None:
        """An answer asked to be left alone for so long."""
        if self.respect and pause_s is not None:
            self._held_until_s = max(self._held_until_s, now_s + pause_s)

    def _room_s(self, now_s: float, limit: int | None, counts: list[int], asked: int) -> float:
        if limit is None:
            return now_s
        used = sum(counts)
        for (when_s, _), count in zip(self._sent, counts, strict=True):
            if used + asked <= limit or used == 0:
                return now_s
            used -= count
            if used + asked <= limit or used == 0:
                return when_s + WINDOW_S
        return now_s
