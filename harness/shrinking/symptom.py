"""Whether a send shows the same as the job did: by what kind of verdict it is.

* A timeout: the same layer at the same cap. Where the evidence names no layer this time, the same end at the same time.
* A refusal: the same status, code and parameter.
* Slow: the same clock holds most of the time, and the whole is no shorter than the job's divided by a factor.
* Anything else: the same verdict and the same outcome.
"""

from __future__ import annotations

from harness.shrinking.model import Kind, Sighting

# A send that ended so says nothing about the shape, unless that is what the job ended with.
_OF_THEIR_OWN = frozenset({"retry_pressure", "quota", "auth", "account_block", "gateway_cooldown", "client_bound"})
_NEVER_SEEN = frozenset({"unreachable", "cancelled", "unknown"})
_BY_CLOCK = frozenset({"long_model_wait", "route_owner_delay", "ok"})
_SLOW = _BY_CLOCK | {"connect_delay", "upload_bound", "download_bound", "render_bound", "poll_delay"}
SAME_CAP = 0.05  # caps are the same within this share
SAME_END = 0.10  # and moments of an end within this one: what the layer's own clock ran is not all that we waited


def kind_of(target: Sighting) -> Kind:
    """What has to be alike."""
    if target.verdict == "false_timeout":
        return "timeout"
    if target.outcome == "error":
        return "refusal"
    return "slow" if target.verdict in _SLOW else "other"


def shows(target: Sighting, seen: Sighting, factor: float) -> bool | None:
    """Whether the send shows what the job showed; None when it ended for a reason that says nothing of the shape."""
    if seen.outcome in _NEVER_SEEN and seen.outcome != target.outcome:
        return None
    if seen.verdict in _OF_THEIR_OWN and seen.verdict != target.verdict:
        return None
    kind = kind_of(target)
    if kind == "timeout":
        return _same_timeout(target, seen)
    if kind == "refusal":
        return seen.outcome == "error" and all(
            getattr(target, name) in (None, getattr(seen, name))
            for name in ("http_status", "error_code", "error_param")
        )
    if kind == "slow":
        alike = seen.verdict == target.verdict or {seen.verdict, target.verdict} <= _BY_CLOCK
        whole, least = seen.total_ms, (target.total_ms or 0.0) / factor
        return alike and seen.clock == target.clock and whole is not None and whole >= least
    return (seen.verdict, seen.outcome) == (target.verdict, target.outcome)


def _same_timeout(target: Sighting, seen: Sighting) -> bool:
    if seen.verdict == target.verdict and _named(target) and _named(seen):
        if (seen.layer, seen.product) != (target.layer, target.product):
            return False
        return target.cap_s is None or seen.cap_s is None or _close(seen.cap_s, target.cap_s, SAME_CAP)
    # One send alone may be too little evidence for a layer's name; that it ended like that at that time is enough.
    alike = (seen.outcome, seen.http_status) == (target.outcome, target.http_status)
    moments = [target.total_ms, None if target.cap_s is None else target.cap_s * 1000]
    return (
        alike
        and seen.total_ms is not None
        and any(_close(seen.total_ms, one, SAME_END) for one in moments if one is not None)
    )


def _named(one: Sighting) -> bool:
    """Whether the evidence was enough for a layer: then it says whose cap it was, or which."""
    return one.product is not None or one.cap_s is not None


def _close(a: float, b: float, share: float) -> bool:
    return abs(a - b) <= share * b
