"""The most jobs at a time that met no rate limit, and how sure that is. Never beyond what was run.

The share of jobs that would meet one is at most ``1 - 0.05^(1/n)`` after none of n did, one-sided at 95 %:
C. J. Clopper and E. S. Pearson, Biometrika 26 (1934) 404-413; about 3 / n, the rule of three.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.recommend.model import Stability
from harness.recommend.words import percent, plural

CONFIDENCE = 0.95
ENOUGH = 29  # jobs without a 429 after which at most 10 % meet one


@dataclass(frozen=True)
class Level:
    """Jobs of a route that started with so many in flight in the whole run, and how many of them met a 429."""

    in_flight: int
    jobs: int
    limited: int


def none_of(n: int) -> float:
    """The upper limit of a share of which none was seen in n."""
    return 1.0 if n == 0 else 1 - float((1 - CONFIDENCE) ** (1 / n))


def stability(route: str, levels: Sequence[Level]) -> Stability:
    """The highest number in flight with no 429 at it or below; of several, the highest that enough jobs speak for."""
    ordered = sorted((level for level in levels if level.jobs), key=lambda level: level.in_flight)
    met = next((level for level in ordered if level.limited), None)
    clear = [level for level in ordered if met is None or level.in_flight < met.in_flight]
    limit = ""
    if met is not None:
        limit = f" At {met.in_flight} at a time {met.limited} of {plural(met.jobs, 'job')} met a 429."
    if not clear:
        tried = "no job was sent" if met is None else "no number at a time was free of rate limits"
        return Stability(
            route=route,
            at_most=None,
            jobs=0 if met is None else met.jobs,
            limited_share_high=None,
            limited_from=None if met is None else met.in_flight,
            sentence=f"Not shown: {tried}.{limit}",
        )
    best = max((level for level in clear if level.jobs >= ENOUGH), key=lambda level: level.in_flight, default=None)
    chosen = best or max(clear, key=lambda level: (level.jobs, level.in_flight))
    high = none_of(chosen.jobs)
    counted = f"0 of {plural(chosen.jobs, 'job')} met a 429; at most {percent(high)} do, at 95 %"
    if best is None:
        sentence = (
            f"Not shown stable: up to {chosen.in_flight} at a time {counted}, which is not enough to go by.{limit}"
        )
    else:
        sentence = f"Stable up to {chosen.in_flight} at a time ({counted}); more was not shown.{limit}"
    return Stability(
        route=route,
        at_most=chosen.in_flight if best is not None else None,
        jobs=chosen.jobs,
        limited_share_high=round(high, 6),
        limited_from=None if met is None else met.in_flight,
        sentence=sentence,
    )
