"""The hop walk on a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from harness.diagnosis.hops import Hop, Step, Walk


def lines(walked: Walk) -> Iterator[str]:
    """A row a hop, a row between two hops, and what it means."""
    width = max((len(hop.route) for hop in walked.hops), default=4)
    yield f"{'hop':<{width}}  delivered               median s (95 %)"
    for at, hop in enumerate(walked.hops):
        yield f"{hop.route:<{width}}  {_delivered(hop):<22}  {_median(hop)}"
        if at < len(walked.steps):
            yield f"{'':<{width}}    adds {_adds(walked.steps[at], walked.confidence)}"
    yield from walked.verdict


def _delivered(hop: Hop) -> str:
    if hop.delivered_low is None or hop.delivered_high is None:
        return "no jobs"
    return f"{hop.delivered} of {hop.jobs} ({hop.delivered_low:.0%}–{hop.delivered_high:.0%})"


def _median(hop: Hop) -> str:
    if hop.median_ms is None:
        return "not reached: most jobs were cut" if hop.jobs else ""
    return f"{hop.median_ms / 1000:.1f} ({_s(hop.median_low_ms)}–{_s(hop.median_high_ms)})"


def _adds(step: Step, confidence: float) -> str:
    if not step.pairs:
        return "cannot be told: no block in which both can be compared"
    middle = "more than was waited for" if step.adds_ms is None else f"{step.adds_ms / 1000:+.1f} s"
    return f"{middle} ({_s(step.adds_low_ms)} to {_s(step.adds_high_ms)}, {confidence:.1%}, {step.pairs} blocks)"


def _s(value_ms: float | None) -> str:
    return "open" if value_ms is None else f"{value_ms / 1000:.1f}"
