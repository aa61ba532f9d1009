"""Our own retries: pure, explicit, and off unless the scenario turns them on."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

from harness.events import Attempt

# Refusals that the same request will meet again, whatever its status says.
PERMANENT_CODES = frozenset(
    {
        "insufficient_quota",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "billing_hard_limit_reached",
        "moderation_blocked",
    }
)


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
        if attempt.error is not None and attempt.error.code in PERMANENT_CODES:
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

        Full jitter on an exponential base, as in AWS's "Exponential backoff and jitter" (2015); a server's own
        retry-after goes before it, and is not shortened.
        """
        if attempt.number > self.max_retries or self.reason(attempt) is None:
            return None
        if self.honour_retry_after:
            asked = retry_after_s(attempt.headers, now)
            if asked is not None:
                return asked
        ceiling = min(self.max_s, self.base_s * 2.0 ** (attempt.number - 1))
        return ceiling * (0.5 + 0.5 * dice.random())


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """What ``retry-after-ms`` or ``retry-after`` (seconds or an HTTP date) asks for; None when absent or unreadable."""
    try:
        if "retry-after-ms" in headers:
            return max(float(headers["retry-after-ms"]) / 1000, 0.0)
        value = headers.get("retry-after")
        if value is None:
            return None
        if value.strip().replace(".", "", 1).isdigit():
            return float(value)
        return max((parsedate_to_datetime(value) - now).total_seconds(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return None
