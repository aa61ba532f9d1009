"""How a leg ended, in the words that policies use (`harness.policies.model.End`). Pure."""

from __future__ import annotations

from harness.drills.course import IMAGE
from harness.events import JobEvent
from harness.observed import WAITED_LONG_ENOUGH
from harness.run.retry import PERMANENT_CODES

_MODERATION = frozenset({"moderation_blocked", "content_policy_violation", "content_filter"})


def end_of(event: JobEvent) -> str:
    """IMAGE, or one of the ends that a policy file knows."""
    if event.outcome == "image":
        return IMAGE
    if event.outcome == "unreachable":
        return "connect"
    if event.ended == "local_cap":
        return "timeout"
    if event.outcome == "cut" or (event.outcome in ("empty", "bad_image") and event.ended != "complete"):
        return "cut"
    if event.outcome != "error":
        return "bad"
    return _refusal(event)


def _refusal(event: JobEvent) -> str:
    error = event.attempts[-1].error if event.attempts else None
    status = event.http_status or 0
    if event.error_code in _MODERATION or (error is not None and error.moderation_stage is not None):
        return "moderation"
    if event.error_code in PERMANENT_CODES:
        return "4xx"
    if status in WAITED_LONG_ENOUGH:  # a layer says that it gave up waiting
        return "cut"
    if status == 429:
        return "429"
    return "4xx" if 400 <= status < 500 else "5xx"  # an error inside a stream has a good status, and is the API's own
