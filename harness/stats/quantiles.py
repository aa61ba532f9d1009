"""Quantiles that say how far they can be trusted, and shares with their interval.

A quantile here is an order statistic: the smallest sample that at least a share ``p`` of the samples does not exceed
(the inverse of the empirical distribution). Nothing is interpolated, so every figure is a time that was measured, and
the figure agrees with the one of `harness.stats.censored` when nothing was cut.

Sources
-------
* Interval of a quantile from the binomial distribution of the number of samples below it: H. A. David and
  H. N. Nagaraja, *Order Statistics*, 3rd ed. 2003, section 7.1; G. J. Hahn and W. Q. Meeker, *Statistical Intervals*,
  1991, section 5.2. No assumption about the shape of the distribution is made.
* Sample-size floor: S. S. Wilks, "Determination of sample sizes for setting tolerance limits", Annals of Mathematical
  Statistics 12 (1941) 91-96, second order.
* Interval of a share: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of
  the American Statistical Association 22 (1927) 209-212.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import stats

FloatArray = npt.NDArray[np.float64]

INTERVAL_CONFIDENCE = 0.95
FLOOR_CONFIDENCE = 0.99


@dataclass(frozen=True)
class Quantile:
    """A quantile with its interval, in the unit of the samples.

    `value` is null when it cannot be told from these samples; then `beyond` says what it is larger than, where that
    is known. `low` or `high` is null where the interval is open on that side: no sample can serve as its limit.
    `thin` says that there are fewer samples than `floor`. `bound` is the largest time that was seen; the true quantile
    is at most that with probability `bound_confidence`, which for a thin sample is all that can be said upwards
    (null when a cut clock leaves nothing to bound it with).
    """

    p: float
    value: float | None
    low: float | None
    high: float | None
    n: int
    thin: bool
    floor: int
    censored: int = 0
    beyond: float | None = None
    bound: float | None = None
    bound_confidence: float | None = None
    confidence: float = INTERVAL_CONFIDENCE


@dataclass(frozen=True)
class Proportion:
    """`count` of `n`, as a share with its interval; all three are null when there was nothing to count."""

    count: int
    n: int
    share: float | None
    low: float | None
    high: float | None


@cache
def sample_floor(p: float, confidence: float = FLOOR_CONFIDENCE) -> int:
    """The fewest samples from which a p-quantile is reported without a caveat.

    Each of n samples lies beyond the true p-quantile with probability 1-p, independently. The floor is the smallest n
    with which **at least two** of them do, with the given confidence::

        P(at least two beyond) = 1 - p^n - n (1-p) p^(n-1)  >=  confidence

    Then the second largest sample is an upper limit of the quantile at that confidence, so that neither the estimate
    nor its limit hangs on one single outlier. Asking for only one sample beyond would give 7, 44, 90 and 459. For a
    quantile below the median the same is asked of the other side. At 99 %: p50 11, p90 64, p95 130, p99 662.
    """
    if not 0 < p < 1:
        raise ValueError(f"a quantile lies strictly between 0 and 1, not at {p}")
    tail = max(p, 1 - p)
    n = 2
    while tail**n + n * (1 - tail) * tail ** (n - 1) > 1 - confidence:
        n += 1
    return n


def order_statistic_ranks(n: int, p: float, confidence: float = INTERVAL_CONFIDENCE) -> tuple[int | None, int | None]:
    """Ranks (1-based) of the samples that enclose the p-quantile with at least the given confidence.

    With B ~ Binomial(n, p) samples below the quantile, P(X_(r) > q) = P(B < r). Half of what may go wrong is given to
    each side; a side for which no rank is good enough is null, and the interval is open there.
    """
    alpha = (1 - confidence) / 2
    # P(B < r) ≤ alpha for the ranks r up to `low`, P(B < r) ≥ 1 - alpha from `high` on.
    low = int(stats.binom.ppf(alpha, n, p))
    if stats.binom.cdf(low, n, p) <= alpha:
        low += 1
    high = int(stats.binom.ppf(1 - alpha, n, p)) + 1
    return (low or None), (high if high <= n else None)


def quantile(samples: Sequence[float] | FloatArray, p: float, confidence: float = INTERVAL_CONFIDENCE) -> Quantile:
    """The p-quantile of complete samples (nothing cut), its interval, and whether there are enough of them."""
    ordered = np.sort(np.asarray(samples, dtype=np.float64))
    n = int(ordered.size)
    floor = sample_floor(p)
    if n == 0:
        return Quantile(p=p, value=None, low=None, high=None, n=0, thin=True, floor=floor, confidence=confidence)
    # The guard keeps 0.9 * 10 = 9.000000000000002 from asking for the tenth of ten.
    rank = max(1, math.ceil(p * n - 1e-9))
    low, high = order_statistic_ranks(n, p, confidence)
    return Quantile(
        p=p,
        value=float(ordered[rank - 1]),
        low=None if low is None else float(ordered[low - 1]),
        high=None if high is None else float(ordered[high - 1]),
        n=n,
        thin=n < floor,
        floor=floor,
        bound=float(ordered[-1]),
        bound_confidence=1 - p**n,
        confidence=confidence,
    )


def proportion(count: int, n: int, confidence: float = INTERVAL_CONFIDENCE) -> Proportion:
    """A share with its Wilson interval, which stays inside 0 to 1 and is sensible for 0 of n and n of n."""
    if not 0 <= count <= n:
        raise ValueError(f"{count} of {n} is not a share")
    if n == 0:
        return Proportion(count=0, n=0, share=None, low=None, high=None)
    z = float(stats.norm.ppf((1 + confidence) / 2))
    share = count / n
    scale = 1 + z * z / n
    centre = (share + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # At 0 of n and n of n the limits are 0 and 1 exactly; only rounding says otherwise.
    low = 0.0 if count == 0 else max(0.0, centre - half)
    high = 1.0 if count == n else min(1.0, centre + half)
    return Proportion(count=count, n=n, share=share, low=low, high=high)
