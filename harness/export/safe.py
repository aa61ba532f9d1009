"""What may leave in an export, and how: paths without host and query, words without text of others."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from harness.events import Attempt, JobEvent

WITHHELD = ("error_message", "body_head", "prompt_text")
"""Columns of the frame that hold text that somebody else wrote: they stay here."""

_NO_HOST = re.compile(r"[^a-z0-9-]+")


def path_of(endpoint: str) -> str:
    """The path of an endpoint, which may be a path, a URL, or the end of either."""
    path = urlsplit(endpoint).path if "://" in endpoint else endpoint.partition("?")[0].partition("#")[0]
    return path if path.startswith("/") else f"/{path}"


def host_of(route: str) -> str:
    """A host that stands for a route, below a name that never resolves (RFC 6761, section 6.4)."""
    return f"{_NO_HOST.sub('-', route.lower()).strip('-')[:50] or 'route'}.invalid"


def moment(event: JobEvent, at_ms: float) -> datetime:
    """When a mark of a job was, with its offset."""
    return datetime.fromisoformat(event.request_started_at) + timedelta(milliseconds=at_ms)


def ended_as(attempt: Attempt) -> str | None:
    """Why there was no whole answer, in words of ours and names of classes; null where there was one."""
    if attempt.ended == "complete":
        return None
    if attempt.ended == "local_cap":
        return f"local_cap: own {attempt.cap or 'total'} timeout"
    return ": ".join(filter(None, (attempt.ended, " < ".join(attempt.failure)[:200])))


def phases_of(attempt: Attempt) -> dict[str, float]:
    """How long each phase took, in ms: blocked, dns, connect, send, wait, receive in their order, and ssl.

    A phase that was not there is left out; `ssl` is within `connect`. The phase in which the attempt ended has what was
    left, so that all but `ssl` add up to the attempt's length.
    """
    marks = attempt.marks
    reached = [("blocked", marks.pool_acquired_at_ms), ("dns", marks.dns_done_at_ms),
               ("connect", marks.tls_done_at_ms if marks.tls_done_at_ms is not None else marks.tcp_connected_at_ms),
               ("send", marks.request_sent_at_ms), ("wait", marks.first_byte_at_ms)]  # fmt: skip
    found: dict[str, float] = {}
    at = marks.started_at_ms
    for name, mark in reached:
        if mark is not None:
            found[name] = max(0.0, mark - at)
            at = max(at, mark)
    following = {"blocked": "connect", "dns": "connect", "connect": "send", "send": "wait", "wait": "receive"}
    last = following[next(reversed(found))] if found else "blocked"
    found[last] = max(0.0, marks.ended_at_ms - at)
    if marks.tls_done_at_ms is not None and marks.tcp_connected_at_ms is not None:
        found["ssl"] = max(0.0, marks.tls_done_at_ms - marks.tcp_connected_at_ms)
    return found
