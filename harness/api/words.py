"""A figure as a person reads it: its value, its interval, and what it rests on."""

from __future__ import annotations

from harness.report.format import NOTHING, basis, count, estimate, interval, number
from harness.report.format import of as out_of
from harness.report.jobs import estimate as as_estimate
from harness.report.model import Estimate
from harness.stats import Proportion, Quantile
from harness.stats.beyond import Beyond
from harness.stats.compare import Effect


def told(found: Quantile | Proportion | Beyond | Effect) -> str:
    """A figure in words, never without how far it can be trusted.

    Of a `Quantile` (in ms): ``195 s (190 – 204 s; n 12)``; with cut jobs ``> 60.1 s (not estimable; 12 of 12 cut)``.
    Of a `Beyond`: ``8.33 % (1.49 % – 35.4 %; n 12)``. Of a `Proportion`: ``11 of 12 (64.6 % – 98.5 %)``. Of an
    `Effect`: the verdict, the difference with its interval, the ratio, and how many jobs.
    """
    if isinstance(found, Quantile):
        return _estimate(as_estimate(found))
    if isinstance(found, Proportion):
        low, high = found.low, found.high
        return f"{out_of(found.count, found.n)} ({_percent(low)} – {_percent(high)})" if found.n else "no job"
    return _share(found) if isinstance(found, Beyond) else _effect(found)


def _estimate(found: Estimate) -> str:
    if found.n == 0:
        return "not estimable (no job)"
    inside = [interval(found) or "no interval", basis(found).replace("\u00a0", " ")]
    return f"{estimate(found)} ({'; '.join(inside)})"


def _share(found: Beyond) -> str:
    if found.n == 0:
        return "not estimable (no job)"
    rests_on = f"{out_of(found.censored, found.n)} cut before" if found.censored else f"n {count(found.n)}"
    if found.share is None:
        most = "" if found.at_most is None or found.at_most >= 1 else f"at most {_percent(found.at_most)}; "
        return f"not estimable ({most}{rests_on})"
    low, high = (0.0 if found.low is None else found.low), (1.0 if found.high is None else found.high)
    return f"{_percent(found.share)} ({_percent(low)} – {_percent(high)}; {rests_on})"


def _effect(found: Effect) -> str:
    jobs = f"{found.n_b} against {found.n_a} jobs" + (f" in {found.pairs} pairs" if found.pairs else "")
    verdict = found.verdict.replace("_", " ")
    if found.difference is None:
        value, ratio = "difference not estimable", ""
    else:
        sign = "+" if found.difference > 0 else "\u2212"
        value = f"{sign}{estimate(Estimate(value=abs(found.difference)))}"
        ratio = f", × {number(found.ratio)}"
    low = "open" if found.low is None else f"{number(found.low / 1000)} s"
    high = "open" if found.high is None else f"{number(found.high / 1000)} s"
    return f"{verdict}: {value} ({low} to {high}){ratio}; {jobs}"


def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{number(100 * share)}\u00a0%"
