"""Figures as people read them: three significant digits, always with their unit, an em dash for what did not happen."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from harness.estimate import Estimate

NOTHING = "—"


def number(value: float | None) -> str:
    """Three significant digits, thousands apart by a narrow no-break space; whole from 100 on."""
    if value is None:
        return NOTHING
    if value == 0:
        return "0"
    # The magnitude is that of the rounded figure: 99.97 is 100, not 100.0.
    digits = max(0, 2 - math.floor(math.log10(abs(float(f"{value:.3g}")))))
    return f"{value:,.{digits}f}".replace(",", "\u202f")


def duration(ms: float | None) -> str:
    """A duration in ms, s or (from 20 minutes on) min."""
    if ms is None:
        return NOTHING
    if ms == 0:
        return "0\u00a0ms"
    if abs(ms) < 9.95:
        return f"{ms:.1f}\u00a0ms" if abs(ms) >= 0.05 else "< 0.1\u00a0ms"
    if abs(ms) < 999.5:
        return f"{number(ms)}\u00a0ms"
    if abs(ms) < 1_200_000:
        return f"{number(ms / 1000)}\u00a0s"
    return f"{number(ms / 60_000)}\u00a0min"


def seconds(s: float | None) -> str:
    """A cap, as it is configured: in seconds, without digits that nobody set."""
    return NOTHING if s is None else f"{s:g}\u00a0s"


def money(usd: float | None) -> str:
    if usd is None:
        return NOTHING
    if usd == 0 or abs(usd) >= 10:
        return f"${usd:,.2f}".replace(",", "\u202f")
    return f"${usd:.{2 if abs(usd) >= 1 else 4}f}" if abs(usd) < 0.01 or abs(usd) >= 1 else f"${usd:.3f}"


def count(n: int | None) -> str:
    return NOTHING if n is None else f"{n:,}".replace(",", "\u202f")


def of(n: int | None, m: int | None) -> str:
    """ "7 of 10"; never a share without what it is a share of."""
    return NOTHING if n is None or not m else f"{count(n)} of {count(m)}"


def percent(n: int | None, m: int | None) -> str:
    """The same as a share, or nothing when there is nothing to take a share of."""
    if n is None or not m:
        return NOTHING
    share = 100 * n / m
    return f"{share:.0f}\u00a0%" if share in (0, 100) or 1 <= share <= 99 else f"{share:.1f}\u00a0%"


def estimate(found: Estimate, unit: str = "ms") -> str:
    """The figure alone: a value, "> value" when only that is known, or a dash."""
    if found.value is not None:
        return in_unit(found.value, unit)
    return f"> {in_unit(found.beyond, unit)}" if found.beyond is not None else NOTHING


def interval(found: Estimate, unit: str = "ms") -> str:
    """Its 95 % interval; an open side is said as such."""
    if found.value is None and found.beyond is not None:
        return "not estimable"
    if found.value is None or (found.low is None and found.high is None):
        return ""
    if found.high is None:
        return f"≥ {in_unit(found.low, unit)}"
    if found.low is None:
        return f"≤ {in_unit(found.high, unit)}"
    low, high = in_unit(found.low, unit), in_unit(found.high, unit)
    if "\u00a0" in low and low.split("\u00a0")[1:] == high.split("\u00a0")[1:]:
        low = low.split("\u00a0")[0]
    return f"{low} – {high}"


def basis(found: Estimate) -> str:
    """What the figure rests on: how many jobs, how many of them cut, and whether they are enough."""
    if found.n == 0:
        return ""
    words = [f"{of(found.censored, found.n)} cut" if found.censored else f"n {count(found.n)}"]
    if found.thin and found.value is not None:
        words.append("thin")
    return ", ".join(words).replace(" ", "\u00a0")


def limit(value: float, unit: str) -> str:
    """A threshold as somebody wrote it, without digits of our own."""
    if unit == "ms" and abs(value) >= 1000:
        return seconds(value / 1000)
    if unit == "share":
        return f"{100 * value:g}\u00a0%"
    return f"${value:g}" if unit.lower() in ("usd", "$") else f"{value:g}\u00a0{unit}".strip("\u00a0")


def in_unit(value: float | None, unit: str) -> str:
    if value is None:
        return NOTHING
    if unit == "ms":
        return duration(value)
    if unit in ("usd", "$"):
        return money(value)
    if unit == "share":
        return f"{number(100 * value)}\u00a0%"
    return f"{number(value)}\u00a0{unit}".strip()


def words(name: str) -> str:
    """A name of ours as words: ``false_timeout`` → false timeout."""
    return name.replace("_", " ").replace("-", " ")


def moment(iso: str | None) -> str:
    """An ISO time to the second with its offset; whatever is no such time comes back as it is."""
    if iso is None:
        return NOTHING
    try:
        at = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    return at.isoformat(sep=" ", timespec="seconds")


def elapsed(start: str, end: str | None) -> str:
    """Wall time between two ISO times, as h, min and s."""
    if end is None:
        return NOTHING
    try:
        took = datetime.fromisoformat(end) - datetime.fromisoformat(start)
    except (ValueError, TypeError):
        return NOTHING
    took = timedelta(seconds=round(took.total_seconds()))
    minutes, rest = divmod(int(took.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
