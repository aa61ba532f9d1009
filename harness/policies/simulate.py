"""`simulate`: a policy in a world under a load, over many replications.

Intervals are those of the percentile bootstrap (B. Efron and R. J. Tibshirani, *An Introduction to the Bootstrap*,
1993, chapter 13): each replication draws the measured jobs anew with replacement (whole blocks where there are five or
more) and simulates `load.jobs` jobs with them, so that an interval holds both the uncertainty of few measurements and
the luck of so many jobs. The figure itself is that of replications in the world as it was measured, pooled.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from harness.estimate import Estimate
from harness.policies.engine import IMAGE, Replication, Tally
from harness.policies.model import Load, Policy
from harness.policies.results import PolicyResult
from harness.policies.world import World
from harness.stats.quantiles import FloatArray

REPLICATIONS = 40
PLAIN = 10  # replications of the world as it was measured
CONFIDENCE = 0.95


def simulate(
    policy: Policy, world: World, load: Load, seed: int = 0, *, replications: int = REPLICATIONS
) -> PolicyResult:
    """What this policy comes to.

    The same seed gives every policy the same draws of the measured data, so that what two policies differ in is not
    which data they happened to get. A replication begins with nothing under way and ends when its last job does.

    Args:
        load: `load.jobs` jobs a replication.
        replications: in how many the data are drawn anew.
    """
    plain = [_replicate(policy, world, load, seed, number) for number in range(min(PLAIN, replications))]
    drawn = [
        _replicate(policy, _resampled(world, np.random.default_rng([seed, number, 1])), load, seed, number + PLAIN)
        for number in range(replications)
    ]
    pooled = _pooled(plain)
    images = world.routes[policy.route or world.first_route].main.images

    def figure(of: Callable[[Tally], float | None]) -> Estimate:
        return _estimate(of(pooled), [of(one) for one in drawn], pooled)

    def each(count: Callable[[Tally], float | None]) -> Estimate:
        def mean(one: Tally) -> float | None:
            value = count(one)
            return None if value is None else value / len(one.final_s)

        return figure(mean)

    def delivered_usd(one: Tally) -> float | None:
        return None if one.usd is None else one.usd / (one.ends[IMAGE] * images) if one.ends[IMAGE] else math.inf

    jobs = len(pooled.final_s)
    return PolicyResult(
        policy=policy.name,
        why=policy.why,
        jobs=jobs + sum(len(one.final_s) for one in drawn),
        replications=len(plain) + len(drawn),
        success_share=each(lambda one: one.ends[IMAGE]),
        final_p50_s=figure(lambda one: _quantile(one.final_s, 0.5)),
        final_p95_s=figure(lambda one: _quantile(one.final_s, 0.95)),
        seen_p50_s=figure(lambda one: _quantile(one.seen_s, 0.5)),
        seen_p95_s=figure(lambda one: _quantile(one.seen_s, 0.95)),
        usd_per_image=figure(delivered_usd),
        usd_per_job=each(lambda one: one.usd),
        sent=each(lambda one: one.sent),
        duplicates=each(lambda one: one.duplicates),
        orphans=each(lambda one: one.orphans),
        refused=each(lambda one: one.refused),
        end_shares={end: count / jobs for end, count in sorted(pooled.ends.items())},
        beyond_share=pooled.beyond / pooled.made if pooled.made else 0.0,
    )


def _replicate(policy: Policy, world: World, load: Load, seed: int, number: int) -> Tally:
    return Replication(policy, world, load, np.random.default_rng([seed, number])).run()


def _resampled(world: World, dice: np.random.Generator) -> World:
    routes = {
        name: replace(
            route,
            main=route.main.resampled(dice),
            firsts={shape: source.resampled(dice) for shape, source in route.firsts.items()},
            streamed=None if route.streamed is None else route.streamed.resampled(dice),
        )
        for name, route in world.routes.items()
    }
    return replace(world, routes=routes)


def _pooled(tallies: Sequence[Tally]) -> Tally:
    ends: Counter[str] = Counter()
    for one in tallies:
        ends.update(one.ends)
    costs = [one.usd for one in tallies]
    known = [usd for usd in costs if usd is not None]
    return Tally(
        final_s=[value for one in tallies for value in one.final_s],
        seen_s=[value for one in tallies for value in one.seen_s],
        ends=ends,
        usd=math.fsum(known) if len(known) == len(costs) else None,
        **{name: sum(getattr(one, name) for one in tallies)
           for name in ("sent", "made", "duplicates", "orphans", "refused", "fell_back", "beyond")},
    )  # fmt: skip


def _quantile(values: Sequence[float], p: float) -> float:
    """The smallest value that at least a share p does not exceed (as `harness.stats.quantiles`); may be infinite."""
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    return float(ordered[max(1, math.ceil(p * ordered.size - 1e-9)) - 1])


def _estimate(value: float | None, drawn: Sequence[float | None], pooled: Tally) -> Estimate:
    """Infinite is null: it never happened to so many."""
    known: FloatArray = np.array([one for one in drawn if one is not None], dtype=np.float64)
    if value is None or not known.size:
        return Estimate(value=None, n=len(pooled.final_s))
    ordered = np.sort(known)
    edge = (1 - CONFIDENCE) / 2
    low = min(value, float(ordered[math.floor(edge * ordered.size)]))
    high = max(value, float(ordered[math.ceil((1 - edge) * ordered.size) - 1]))
    finite = [None if math.isinf(one) else one for one in (value, low, high)]
    return Estimate(value=finite[0], low=finite[1], high=finite[2], n=len(pooled.final_s))
