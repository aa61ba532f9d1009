"""When a route is given up, so that a dead or refusing one costs nothing more: pure.

Cuts and gateway timeouts do not count: telling false timeouts from slow answers is what a run is for, and they may come
in rows. Neither do rate limits, which cost nothing and pass. A route that was given up stays so for this process; a run
that goes on tries it again.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from harness.events import JobEvent
from harness.run.limits import OF_THE_REQUEST, never_passes

# Statuses by which an account or an address is refused: the next job will meet them as well.
_REFUSED = frozenset({401, 402, 403, 404})
_TIMEOUTS = frozenset({504, 524})


@dataclass
class Breaker:
    """One route's. A limit of null is none."""

    consecutive: int | None = 5
    share: float | None = 0.5
    over: int = 20
    jobs: int = 0
    opened: str | None = None  # why the route was given up
    _row: int = 0
    _last: deque[bool] = field(default_factory=deque)

    def tell(self, event: JobEvent) -> bool:
        """A job of this route is over. True when that opens the breaker."""
        if event.outcome in ("cancelled", "unknown"):
            return False
        self.jobs += 1
        why = failure(event)
        self._row = self._row + 1 if why else 0
        self._last.append(why is not None)
        if len(self._last) > self.over:
            self._last.popleft()
        if self.opened is not None:
            return False
        permanent = _permanent(event)
        if permanent is not None:
            self.opened = f"refused for good ({permanent})"
        elif self.consecutive is not None and self._row >= self.consecutive:
            self.opened = f"{self._row} failures in a row, the last one {why}"
        elif self.share is not None and len(self._last) == self.over and sum(self._last) >= self.share * self.over:
            self.opened = f"{sum(self._last)} of the last {self.over} jobs failed, the last one {why or 'did not'}"
        return self.opened is not None


def failure(event: JobEvent) -> str | None:
    """How this job says that its route is dead or refuses; null when it does not say so."""
    if event.outcome == "unreachable":
        return "unreachable"
    if event.outcome != "error" or event.http_status is None:
        return None
    if _permanent(event):
        return f"HTTP {event.http_status}"
    refused = event.http_status in _REFUSED and event.error_code not in OF_THE_REQUEST
    broken = event.http_status >= 500 and event.http_status not in _TIMEOUTS
    return f"HTTP {event.http_status}" if refused or broken else None


def _permanent(event: JobEvent) -> str | None:
    """Of the account, whatever is asked of it; null when it may pass."""
    why = never_passes(event.attempts[-1]) if event.attempts else None
    return None if why in OF_THE_REQUEST else why
