"""The provider's limits on one account, in virtual time: windows of 60 s and generations under way."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field

from harness.policies.model import Limits

WINDOW_S = 60.0
FULL_RETRY_AFTER_S = 1.0  # what a refusal for too many at once says; when a place frees up nobody knows


@dataclass
class _Window:
    """What was counted in the last 60 s against one limit."""

    limit: int
    counted: deque[tuple[float, int]] = field(default_factory=deque)
    used: int = 0

    def wait_s(self, now: float, asked: int) -> float:
        """0 when so much fits in now; else until it does, if nothing more is counted meanwhile."""
        while self.counted and self.counted[0][0] <= now - WINDOW_S:
            self.used -= self.counted.popleft()[1]
        over = self.used + asked - self.limit
        if over <= 0:
            return 0.0
        for at_s, count in self.counted:
            over -= count
            if over <= 0:
                return at_s + WINDOW_S - now
        return WINDOW_S  # never fits; come back all the same

    def count(self, now: float, asked: int) -> None:
        self.counted.append((now, asked))
        self.used += asked


class Place:
    """A generation under way: until when it counts against `concurrent`."""

    __slots__ = ("until",)

    def __init__(self, until: float) -> None:
        self.until = until


class Account:
    """Says of each request whether it is let in, and when its generation begins."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._images = None if limits.images_per_minute is None else _Window(limits.images_per_minute)
        self._requests = None if limits.requests_per_minute is None else _Window(limits.requests_per_minute)
        self._held: list[Place] = []
        self._free = [0.0] * (limits.concurrent or 0)  # of a queue: when each of its servers is free

    def refused(self, now: float, images: int) -> float | None:
        """Null when the request is let in (and then it counts); else the seconds that the refusal tells to wait."""
        waits = 0.0
        asked = ((self._images, images), (self._requests, 1))
        for window, count in asked:
            if window is not None:
                waits = max(waits, window.wait_s(now, count))
        if self._limits.concurrent is not None and self._limits.when_full == "refuse":
            self._held = [place for place in self._held if place.until > now]
            if len(self._held) >= self._limits.concurrent:
                waits = max(waits, FULL_RETRY_AFTER_S)
        if not waits or self._limits.refused_count:
            for window, count in asked:
                if window is not None:
                    window.count(now, count)
        return waits or None

    def begins(self, now: float, lasts: float) -> float:
        """When a generation that was let in begins: at once, or when the line before it is worked off, first come first
        served. Whoever leaves the line is generated for all the same."""
        if not self._free or self._limits.when_full == "refuse":
            return now
        start = max(now, self._free[0])
        heapq.heapreplace(self._free, start + lasts)
        return start

    def hold(self, place: Place) -> None:
        """Count a generation that was let in until its place is free again."""
        if self._limits.concurrent is not None and self._limits.when_full == "refuse":
            self._held.append(place)
