"""How many jobs it takes until an interval decides: of a quantile against a limit, a share, a ratio, a stopping rule.

* **A quantile against a limit.** Its interval is that of order statistics (`harness.stats.quantiles`), so it lies below
  the limit exactly when enough of the n jobs do, and of those the number is binomial with the expected share below the
  limit. No shape beyond that share is used. Never fewer than `sample_floor`, from which on the report judges by value.
* **A share**: the same with Wilson's interval.
* **A ratio of two quantiles** against a limit: `harness.stats.samplesize.jobs_for_effect`, their distance as effect.
* **A stopping rule**: the n at which the expected order statistics (Blom's, as in `samplesize`) that a confidence
  sequence takes for limits are where the rule wants them. About half of the runs stop earlier and half later.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import stats

from harness.stats.quantiles import INTERVAL_CONFIDENCE, order_statistic_ranks, sample_floor
from harness.stats.samplesize import jobs_for_effect
from harness.stats.sequence import decided, ranks

MOST = 10_000  # images of a cell: a scenario takes no more blocks
CLOSE = 0.03  # an expected value this near to its limit is on it, as far as anybody knows beforehand


def jobs_for_limit(p: float, share_below: float, power: float) -> int | None:
    """Jobs for the interval of the p-quantile to lie on one side of a limit; null: more than `MOST`.

    `share_below` is the expected share of jobs below the limit: above p the quantile is below the limit.
    """

    def decides(n: int) -> float:
        low, high = order_statistic_ranks(n, p)
        if share_below > p:
            return 0.0 if high is None else float(stats.binom.sf(high - 1, n, share_below))
        return 0.0 if low is None else float(stats.binom.cdf(low - 1, n, share_below))

    return _first(sample_floor(p), lambda n: decides(n) >= power)


def jobs_for_share(expected: float, limit: float, power: float) -> int | None:
    """Jobs for Wilson's interval of a share to lie on one side of a limit; null: more than `MOST`."""
    z = float(stats.norm.ppf((1 + INTERVAL_CONFIDENCE) / 2))

    def decides(n: int) -> bool:
        k = np.arange(n + 1)
        centre = (k / n + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * np.sqrt(k / n * (1 - k / n) / n + z * z / (4 * n * n))
        good = centre + half < limit if expected < limit else centre - half > limit
        return float(stats.binom.pmf(k[good], n, expected).sum()) >= power

    return _first(math.ceil(1 / min(limit, 1 - limit)) if 0 < limit < 1 else 1, decides)


def jobs_for_ratio(spread: float, ratio: float, limit: float, p: float, power: float) -> int | None:
    """Jobs of each arm for the interval of a ratio of p-quantiles to lie on one side of a limit; null: over `MOST`."""
    gap = abs(math.log(ratio / limit))
    if gap < 1e-6:
        return None
    n = jobs_for_effect(spread, math.expm1(gap), min_effect=0.0, p=p, power=power)
    return n if n <= MOST else None


def blocks_until_narrow(spread: float, within: float, p: float, alpha: float, least: int) -> int | None:
    """Blocks after which a run stops because the interval of a p-quantile is inside its middle ± `within`."""

    def stops(n: int) -> bool:
        limits = _limits(n, p, alpha)
        return limits is not None and spread * (limits[1] - limits[0]) <= 2 * math.atanh(min(within, 1 - 1e-9))

    return _first(max(least, 1), stops)


def blocks_until_decided(spread: float, ratio: float, min_effect: float, alpha: float, least: int) -> int | None:
    """Blocks after which a run stops because the median of paired ratios is decided.

    `spread` is that of the log times of one arm; the two of a pair are taken as independent, which is careful.
    """

    def stops(n: int) -> bool:
        limits = _limits(n, 0.5, alpha)
        if limits is None:
            return False
        low, high = (ratio * math.exp(math.sqrt(2) * spread * z) for z in limits)
        return decided(low, high, min_effect) is not None

    return _first(max(least, 1), stops)


def _limits(n: int, p: float, alpha: float) -> tuple[float, float] | None:
    """The expected limits of a confidence sequence in standard normals."""
    low, high = ranks(n, p, alpha)
    if low is None or high is None:
        return None
    return float(stats.norm.ppf((low - 0.375) / (n + 0.25))), float(stats.norm.ppf((high - 0.375) / (n + 0.25)))


def _first(least: int, enough: Callable[[int], bool]) -> int | None:
    """The first n from `least` on that is enough; from 100 on to 1 %."""
    n = least
    while n <= MOST:
        if enough(n):
            return n
        n += 1 + n // 100
    return None
