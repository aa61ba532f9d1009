"""WAIST: what one event says of one clock, without a look at any other event: a value, a lower limit, or nothing.

The report knows more: it has attributed cuts to layers over the whole crowd and with the backend's record, so it may
take an answer for a cut that counts as a refusal here (a 502 that a gateway's cap made), or know the moment of a cut
better. Where a decision is made while the run goes on, or over runs that were never diagnosed, this is what counts:

* An image came: the clock as it was measured.
* The exchange ended before its answer was whole (a cap of ours, or the other side), or a layer said that it had waited
  long enough (408, 504, 524): at least as long as it was watched.
* Nobody saw the answer (the run died or was stopped): at least as long as it was watched, which may be 0. A job that
  was lost for being slow must not make its cell look fast.
* Any other error, and an answer without an image: nothing. A fast 401 is not a fast image.
"""

from __future__ import annotations

import math

from harness.events import JobEvent

# What a layer answers when its own timer ran out: HTTP's two, and Cloudflare's.
WAITED_LONG_ENOUGH = frozenset({408, 504, 524})
_DELIVERED = frozenset({"image", "wrong_image"})
_EARLY = frozenset({"first_byte_ms", "first_event_ms", "first_partial_image_ms", "wait_ms"})
# Clocks that a cut job would have let run on. Of all others a cut job says nothing.
WAITED = ("final_image_ms", "delivered_ms", "response_ms", "service_ms", "total_ms", *sorted(_EARLY))
_OF_STREAMS = frozenset({"first_event_ms", "first_partial_image_ms"})


def observed(event: JobEvent, metric: str) -> tuple[float, float] | None:
    """(low, high) in ms between which the true time lies; high is infinite for a cut job. Null: not an observation."""
    value: float | None = getattr(event, metric, None)
    if event.outcome in _DELIVERED:
        return None if value is None else (value, value)
    if metric not in WAITED or (metric in _OF_STREAMS and not event.stream):
        return None
    if event.outcome in ("unknown", "cancelled"):
        return _watched(event, metric), math.inf
    if not _was_cut(event):
        return None
    if metric in _EARLY and value is not None and 200 <= (event.http_status or 0) < 300:
        return value, value  # this clock had stopped inside a success before the cut
    return _watched(event, metric), math.inf


def _was_cut(event: JobEvent) -> bool:
    if event.outcome == "cut":
        return True
    if event.outcome in ("empty", "bad_image"):
        return event.ended != "complete"
    return event.outcome == "error" and event.http_status in WAITED_LONG_ENOUGH


def _watched(event: JobEvent, metric: str) -> float:
    """How long the clock had run for certain when the last attempt ended."""
    if not event.attempts:
        return 0.0
    marks = event.attempts[-1].marks
    began = {
        "wait_ms": marks.request_sent_at_ms,
        "response_ms": event.scheduled_at_ms,
        "service_ms": marks.started_at_ms,
    }.get(metric, 0.0)
    return 0.0 if began is None else max(0.0, marks.ended_at_ms - began)
