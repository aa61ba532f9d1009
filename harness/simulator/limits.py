"""A key's limit of images per minute, in world time: a sliding window, as the refusals word it."""

from __future__ import annotations

from collections import deque

WINDOW_S = 60.0


class ImagesPerMinute:
    """Counts images that were let through in the last 60 world seconds."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._passed: deque[tuple[float, int]] = deque()

    def admit(self, now_s: float, images: int) -> tuple[int, float] | None:
        """None when the request may pass; else (images used in the window, seconds until enough are free)."""
        while self._passed and self._passed[0][0] <= now_s - WINDOW_S:
            self._passed.popleft()
        used = sum(count for _, count in self._passed)
        if used + images <= self.limit:
            self._passed.append((now_s, images))
            return None
        free = self.limit - used
        for at_s, count in self._passed:
            free += count
            if free >= images:
                return used, at_s + WINDOW_S - now_s
        return used, WINDOW_S
