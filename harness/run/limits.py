"""What an answer says of rate limits: pure. How long to wait, which bucket is empty, and what waiting cannot help.

Grammar of the headers (the API's own documentation of rate limits, and answers captured in 2025 and 2026):
``retry-after-ms: 534`` · ``retry-after: 12`` or an HTTP date · ``x-ratelimit-{limit,remaining,reset}-<bucket>`` with
the reset as a Go duration (``1ms``, ``58.891s``, ``6m0s``), and on Azure as plain seconds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
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
# Of the request, not of the account: another one may pass.
OF_THE_REQUEST = frozenset({"moderation_blocked", "request_too_large"})

_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|μs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
# "Limit 0": the account has none of it, and no waiting brings any. "Request too large … Limit 5, Requested 6": of n.
_NO_LIMIT = re.compile(r"\bLimit 0\b", re.IGNORECASE)
_TOO_LARGE = re.compile(r"(\S+: )?Request too large\b", re.IGNORECASE)
LONGEST_S = 366 * 86_400.0
_ANY_TIME = datetime(9000, 1, 1, tzinfo=UTC)  # whether a date can be read does not hang on today's
_LIMIT = re.compile(r"x-ratelimit-(limit|remaining|reset)-(.+)")


@dataclass(frozen=True)
class Bucket:
    """One bucket of a rate limit as headers state it. What is not said is null."""

    name: str  # requests, tokens, input-images, …
    limit: float | None = None
    remaining: float | None = None
    reset_s: float | None = None  # until it is full again


def go_duration_s(text: str) -> float | None:
    """``6m0s`` → 360.0, ``120ms`` → 0.12; a bare number is seconds; null when it is neither."""
    text = text.strip()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """What ``retry-after-ms`` or ``retry-after`` (seconds or an HTTP date) asks for; None when absent or unreadable.

    Two that a proxy joined with a comma are both kept to. A date is of GMT, in all three spellings of RFC 9110.
    """
    ms = _sane(_number(headers.get("retry-after-ms", "")), 1e-3)
    if ms is not None:
        return ms
    value = headers.get("retry-after", "")
    asked = [_sane(_number(part)) for part in value.split(",")]
    known = [one for one in asked if one is not None]
    if known and len(known) == len(asked):
        return max(known)
    try:
        when = parsedate_to_datetime(value)
        return _sane(max(((when if when.tzinfo else when.replace(tzinfo=UTC)) - now).total_seconds(), 0.0))
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def buckets(headers: Mapping[str, str]) -> tuple[Bucket, ...]:
    """Every bucket that the headers speak of, in their order."""
    found: dict[str, dict[str, float | None]] = {}
    for name, value in headers.items():
        match = _LIMIT.fullmatch(name)
        if match is not None:
            read = _sane(go_duration_s(value)) if match[1] == "reset" else _number(value)
            found.setdefault(match[2], {})["reset_s" if match[1] == "reset" else match[1]] = read
    return tuple(Bucket(name, **values) for name, values in found.items())


def pause_s(attempt: Attempt, now: datetime) -> float | None:
    """How long this answer asks us to leave the route alone; null when it asks for nothing.

    Of a refusal: its retry-after, else the longest reset of the buckets that are empty. Of any other answer: the
    longest reset of an empty bucket, because the next request would be refused.
    """
    asked = retry_after_s(attempt.headers, now) if (attempt.http_status or 0) >= 400 else None
    if asked is not None:
        return asked
    told = [(one.remaining, one.reset_s) for one in buckets(attempt.headers)]
    empty = [reset_s for left, reset_s in told if left is not None and left <= 0 and reset_s is not None]
    return max(empty, default=None)


def never_passes(attempt: Attempt) -> str | None:
    """Why waiting does not help this request, in one word of ours or the API's; null where it may help.

    A 429 is not always a matter of pace: a quota that is used up and a limit of 0 are permanent. Azure words a mere
    limit of requests a minute as insufficient_quota as well, but says when to come back.
    """
    error, status = attempt.error, attempt.http_status
    if error is None or status not in (400, 402, 403, 429):
        return None
    if status == 429 and retry_after_s(attempt.headers, _ANY_TIME) is not None and error.code == "insufficient_quota":
        return None
    for word in (error.code, error.type):
        if word in PERMANENT_CODES:
            return word
    if status == 429 and _NO_LIMIT.search(error.message or ""):
        return "limit_0"
    return "request_too_large" if status == 429 and _TOO_LARGE.match(error.message or "") else None


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _sane(pause: float | None, unit_s: float = 1.0) -> float | None:
    """A pause that somebody can mean. Behind us, or years away, it is none: a moment, or nonsense."""
    return pause * unit_s if pause is not None and 0 <= pause * unit_s <= LONGEST_S else None
