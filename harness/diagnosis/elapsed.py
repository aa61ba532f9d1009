"""How long a cap's clock had run, from the mark that it counts from, and whether that agrees with the cap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# A cap fires a little late, never early: timers tick, and the answer still has to travel.
EARLY = 0.01
LATE = 0.04
# Beyond that share, timers tick in seconds and answers travel: but a short cap is not stretched to twice its length.
MIN_SLACK_MS, SLACK_SHARE, MAX_SLACK_MS = 150.0, 0.05, 1500.0
# What the two machines' own scheduling adds, in ms of theirs: a world that runs faster blows it up by its scale.
JITTER_MS = 60.0


def elapsed_ms(job: Mapping[str, Any], kind: str) -> float | None:
    """How long the clock of a cap of this kind had run when the attempt ended, from the mark that it counts from.

    A connect cap of ours, or of a layer that opens its own connection upstream: until the connection stood, or, seen
    from outside, until the layer's own reply. What had not begun to run is None.
    """
    began = job["mark_started_at_ms"]
    sent, first_byte = job["mark_request_sent_at_ms"], job["mark_first_byte_at_ms"]
    end, last_byte = job["mark_ended_at_ms"], job["mark_last_byte_at_ms"]
    if kind == "total":
        return _minus(end, began)
    if first_byte is None and job["http_status"] is not None and kind in ("first_byte", "idle"):
        return None  # something came, and nobody noted when
    if kind == "request_read":
        return _minus(first_byte if first_byte is not None else end, began) if sent is None else None
    if kind == "connect":
        return _minus(end, began) if sent is None else _minus(first_byte, sent)
    if kind == "first_byte":
        return _minus(first_byte if first_byte is not None else end, sent)
    if first_byte is None:
        return _minus(end, sent)  # an idle timer that starts with the request
    silence: float | None = job["longest_silence_ms"]
    return silence if last_byte is not None else None


def _minus(end: float | None, start: float | None) -> float | None:
    return None if end is None or start is None else end - start


def agrees(elapsed: float | None, cap_s: float, late_ms: float = 0.0, early_ms: float = 0.0) -> bool:
    """Whether an elapsed time is what a cap of `cap_s` would leave, up to `late_ms` late or `early_ms` early."""
    if elapsed is None:
        return False
    cap = cap_s * 1000
    slack = max(cap * LATE, min(max(cap * SLACK_SHARE, MIN_SLACK_MS), MAX_SLACK_MS))
    return cap * (1 - EARLY) - early_ms <= elapsed <= cap + slack + late_ms


def late_ms(job: Mapping[str, Any]) -> float:
    """How late this job's stamp of a cut may be: our loop's own lateness is known and counts."""
    scale = float(job["time_scale"] or 1.0)
    return (JITTER_MS * scale if scale > 1 else 0.0) + float(job["host_lag_ms"] or 0.0)


def shown(ms: float | None) -> str:
    """Seconds for a person; an em dash where there are none."""
    return "—" if ms is None else f"{ms / 1000:.1f} s"
