"""Quantiles of resampled jobs, where whole blocks are drawn: the blocks' common weather stays in the figures.

Jobs of one block ran within minutes of each other and share what the provider was going through, so they are not
independent and must not be drawn one by one. A resample draws as many blocks as there are, with replacement; a block
that both arms have comes with the jobs of both, which is what keeps a paired comparison paired.

Where jobs were cut, each resample has its own Kaplan-Meier curve. One that does not reach the quantile tells only that
it is larger than its last moment: the quantile is kept as a pair, `at_least` and `at_most` (infinite).

Sources
-------
* Resampling clusters: A. C. Davison and D. V. Hinkley, *Bootstrap Methods and their Application*, 1997, section 3.8.
* Censored times, resampled together with their flags: B. Efron, "Censored data and the bootstrap", Journal of the
  American Statistical Association 76 (1981) 312-319.
* The level of the percentile interval, widened for few clusters: after T. C. Hesterberg, "What teachers should know
  about the bootstrap", The American Statistician 69 (2015) 371-386 ("expanded percentile interval").
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from scipy import stats

from harness.stats.censored import BoolArray, IntArray
from harness.stats.quantiles import FloatArray

_TOLERANCE = 1e-9  # 1 - 0.9*0.9*… is a hair off the shares that it stands for
_CHUNK = 2_000_000  # weights held at once: 16 MB a matrix


def draws(clusters: int, resamples: int, seed: int, jobs: int) -> Iterator[IntArray]:
    """How often each cluster was drawn: arrays of (some resamples, clusters), `resamples` rows in all.

    They come in pieces, so that (rows, `jobs`) of weights fit into memory.
    """
    dice = np.random.default_rng(seed)
    rows = max(1, _CHUNK // max(1, jobs))
    for start in range(0, resamples, rows):
        share = np.full(clusters, 1 / clusters)
        yield dice.multinomial(clusters, share, size=min(rows, resamples - start)).astype(np.int64)


def weighted_quantile(
    times: FloatArray, censored: BoolArray, weights: IntArray | FloatArray, p: float
) -> tuple[FloatArray, FloatArray]:
    """The p-quantile for each row of `weights` (rows, jobs): (at_least, at_most), both of shape (rows,).

    They are the same where the curve reaches p. Otherwise `at_least` is the last moment of anything in that row (0
    when the row is empty) and `at_most` is infinite.
    """
    return weighted_quantiles(times, censored, weights, (p,))[0]


def weighted_quantiles(
    times: FloatArray, censored: BoolArray, weights: IntArray | FloatArray, ps: Sequence[float]
) -> list[tuple[FloatArray, FloatArray]]:
    """`weighted_quantile` for several p of the same rows: most of the work is the same for all of them."""
    order = np.lexsort((censored, times))  # at the same moment the done come first: the cut were still under way
    at, cut = times[order], censored[order]
    drawn = np.asarray(weights, dtype=np.float64)[:, order]
    if at.size == 0:
        return [(np.zeros(drawn.shape[0]), np.full(drawn.shape[0], np.inf)) for _ in ps]
    if cut.any():
        at_risk = np.cumsum(drawn[:, ::-1], axis=1)[:, ::-1]
        lost = np.where(cut, 0.0, drawn) / np.maximum(at_risk, 1)
        left = np.cumprod(1 - lost, axis=1)
        curves = [left <= 1 - p + _TOLERANCE for p in ps]
    else:
        done = np.cumsum(drawn, axis=1)
        curves = [(done >= p * done[:, -1:] - _TOLERANCE) & (done > 0) for p in ps]
    last = at[at.size - 1 - np.argmax(drawn[:, ::-1] > 0, axis=1)]
    last = np.where(drawn.any(axis=1), last, 0.0)
    found = []
    for reached in curves:
        there, first = reached[:, -1], at[np.argmax(reached, axis=1)]
        found.append((np.where(there, first, last), np.where(there, first, np.inf)))
    return found


def tail_share(confidence: float, clusters: int, several: bool) -> float:
    """The share of resamples to leave out at each end for an interval of that confidence.

    Where a cluster holds `several` jobs, the level is Student's t with clusters - 1 degrees instead of the normal one,
    because a plain percentile interval from few clusters is too narrow. With one job a cluster the steps of the order
    statistics make it wider than it need be already (docs/statistics.md has both), and it is taken as it is.
    """
    if not several:
        return (1 - confidence) / 2
    return float(stats.norm.cdf(-stats.t.ppf((1 + confidence) / 2, clusters - 1)))


def percentile_limits(
    at_least: FloatArray, at_most: FloatArray, confidence: float, clusters: int, several: bool
) -> tuple[float | None, float | None]:
    """Limits from the resampled statistic, which is known as a pair in each; null where the interval is open."""
    tail = tail_share(confidence, clusters, several)
    leave = math.floor(tail * (at_least.size + 1)) - 1
    if leave < 0:  # so few clusters that not even the most extreme resample is rare enough
        return None, None
    low = float(np.sort(at_least)[leave])
    high = float(np.sort(at_most)[at_most.size - 1 - leave])
    return (low if math.isfinite(low) else None), (high if math.isfinite(high) else None)


def bootstrap_p(
    at_least: FloatArray,
    at_most: FloatArray,
    clusters: int,
    several: bool,
    told: tuple[bool, bool] = (True, True),
) -> float:
    """Two-sided p-value of "the difference is 0": 1 - the confidence at which the interval would just touch it.

    `told`: whether the interval has a (lower, upper) limit. Of a side that is open the resamples know nothing: they
    cannot show a difference towards it, and it is 1 where they would.

    It is never below about 2 / (resamples + 1): 2,000 resamples bear an adjustment over some 50 comparisons. What lies
    beyond that is for `beyond_resamples_p`.
    """
    n = at_least.size
    below = (np.count_nonzero(at_least <= 0) + 1) / (n + 1)
    above = (np.count_nonzero(at_most >= 0) + 1) / (n + 1)
    share = min(below if told[0] else 1.0, above if told[1] else 1.0, 0.5)
    if not several:
        return float(2 * share)
    return float(2 * stats.t.sf(-stats.norm.ppf(share), clusters - 1))


def beyond_resamples_p(at_least: FloatArray, at_most: FloatArray, clusters: int) -> float:
    """Two-sided p-value of "the ratio is 1" where (nearly) every resample lies on one side, so that counting ends.

    Student's t with clusters - 1 degrees of the mean log ratio over its spread among the resamples; of a ratio that is
    known as a pair, the end nearer to 1. It is 1 where that end is open. Source: Davison and Hinkley, section 5.2.
    """
    smallest = 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        for ends, sign in ((at_least, 1.0), (at_most, -1.0)):
            logs = sign * np.log(ends)
            if not np.isfinite(logs).all() or clusters < 2:
                continue
            middle, width = float(logs.mean()), float(logs.std(ddof=1))
            if middle > 0:
                smallest = min(smallest, 0.0 if width == 0 else float(2 * stats.t.sf(middle / width, clusters - 1)))
    return smallest
