"""How a measured attempt ended, in the words that policies use."""

from __future__ import annotations

from harness.events import Attempt, JobEvent
from harness.observed import WAITED_LONG_ENOUGH
from harness.policies.model import End

MODERATED = "moderation_blocked"
DELIVERED = frozenset({"image", "wrong_image"})


def end_of(event: JobEvent, attempt: Attempt) -> End | None:
    """How one attempt of a job ended; null for an image, and where nobody saw an end (stopped, or the run died).

    A layer that says that it waited long enough (408, 504, 524) cut the attempt. An image of another size or format
    than asked for counts as an image: the user got one, and it was billed.
    """
    last = attempt is event.attempts[-1]
    if last and event.outcome in (*DELIVERED, "cancelled", "unknown"):
        return None
    if attempt.ended in ("cancelled", "unseen"):
        return None
    if attempt.ended == "connect_failed":
        return "connect"
    if attempt.ended == "local_cap":
        return "connect" if attempt.cap == "connect" else "timeout"
    code = attempt.error.code if attempt.error is not None else event.error_code if last else None
    if code == MODERATED or (attempt.error is not None and attempt.error.moderation_stage is not None):
        return "moderation"
    status = attempt.http_status or 0
    if status == 429:
        return "429"
    if status in WAITED_LONG_ENOUGH or attempt.ended in ("remote_closed", "protocol_error"):
        return "cut"
    if status >= 500:
        return "5xx"
    return "4xx" if status >= 400 else "bad"
