"""Figures in sentences: three significant digits with their unit."""

from __future__ import annotations

import math


def seconds(ms: float | None) -> str:
    """A duration in s, or in min from 20 min on; a dash where there is none."""
    if ms is None:
        return "—"
    return f"{three(ms / 1000)} s" if ms < 1_200_000 else f"{three(ms / 60_000)} min"


def dollars(usd: float | None) -> str:
    if usd is None:
        return "—"
    if usd and abs(usd) < 0.01:
        return f"${usd:.4f}"
    return f"${usd:.3f}" if usd and abs(usd) < 1 else f"${usd:,.2f}"


def percent(share: float) -> str:
    return f"{three(100 * share)} %"


def three(value: float) -> str:
    """Three significant digits; whole from 100 on."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(float(f"{value:.3g}")))))
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def span(low: float | None, high: float | None) -> str:
    """An interval of durations in ms; an open side is said as such."""
    if low is None and high is None:
        return "unknown"
    if low is None:
        return f"up to {seconds(high)}"
    return f"{seconds(low)} or more" if high is None else f"{seconds(low)} to {seconds(high)}"


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
