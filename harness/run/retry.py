"""Our own retries: pure, explicit, and off unless the scenario turns them on."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from harness.events import Attempt
from harness.run.limits import never_passes, pause_s

# Whoever asks for more than this does not mean a retry of the same job.
LONGEST_PAUSE_S = 600.0


@dataclass(frozen=True)
class RetryPolicy:
    """Which ends are tried again, how often, and how long the pause is (seconds of the measured world)."""

    max_retries: int = 0
    on: Collection[str] = ("429", "5xx", "connect")
    base_s: float = 1.0
    max_s: float = 60.0
    honour_retry_after: bool = True

    def reason(self, attempt: Attempt) -> str | None:
        """Why `attempt` should be tried again: "429", "5xx", a status, "connect"; None when it should not."""
        if attempt.ended in {"cancelled", "local_cap"}:
            return None  # after a local timeout the job may well be running on: never order it twice blindly
        if attempt.ended == "connect_failed":
            return "connect" if "connect" in self.on else None
        if never_passes(attempt) is not None:
            return None
        status = attempt.http_status
        if status is None:
            return None
        for reason in (str(status), f"{status // 100}xx"):
            if reason in self.on and status >= 400:
                return reason
        return None

    def pause_s(self, attempt: Attempt, *, now: datetime, dice: random.Random) -> float | None:
        """How long to wait before the next attempt; None when there is none.

        Equal jitter on an exponential base, as in AWS's "Exponential backoff and jitter" (2015); a server's own
        retry-after, or the reset of its empty bucket, goes before it and is not shortened.
        """
        if attempt.number > self.max_retries or self.reason(attempt) is None:
            return None
        if self.honour_retry_after:
            asked = pause_s(attempt, now)
            if asked is not None:
                return asked if asked <= LONGEST_PAUSE_S else None
        ceiling = min(self.max_s, self.base_s * 2.0 ** (attempt.number - 1))
        return ceiling * (0.5 + 0.5 * dice.random())
