"""The share of jobs that last longer than a given time, when some were cut: what a cap there would cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.stats.censored import BoolArray, survival
from harness.stats.quantiles import INTERVAL_CONFIDENCE, FloatArray, proportion

EARLY = 0.01  # a cut that was stamped this much before the time in question is taken to be at it


@dataclass(frozen=True)
class Beyond:
    """A share with its interval. `share` null: not estimable, since every job that got so far had been cut before;
    then `at_most` is the upper limit at the last moment that anything is known of."""

    share: float | None
    low: float | None
    high: float | None
    n: int
    censored: int  # of them, cut before that time
    at_most: float | None = None


def share_beyond(
    times: Sequence[float] | FloatArray,
    censored: Sequence[bool] | BoolArray,
    at: float,
    confidence: float = INTERVAL_CONFIDENCE,
) -> Beyond:
    """The share of jobs that last longer than `at`. Those flagged in `censored` were cut at their time, not done.

    As long as nothing was cut earlier it is a plain share with Wilson's interval. Otherwise it is the Kaplan-Meier
    curve there (`harness.stats.censored`), with the limits of that curve.
    """
    values = np.array(times, dtype=np.float64)
    flags = np.asarray(censored, dtype=np.bool_)
    values[flags & (values >= at * (1 - EARLY))] = np.inf  # known to last until then, which is all that is asked
    cut_before = int(np.count_nonzero(flags & np.isfinite(values)))
    n = int(values.size)
    if n == 0:
        return Beyond(None, None, None, 0, 0)
    lasting = int(np.count_nonzero(values > at))
    if cut_before == 0:
        plain = proportion(lasting, n, confidence)
        return Beyond(plain.share, plain.low, plain.high, n, 0)
    until = np.minimum(values, at * 2)  # the curve up to `at` does not depend on how far beyond it the others are
    curve = survival(until, flags)
    low, high = curve.limits(confidence)
    index = int(np.searchsorted(curve.x, at, side="right")) - 1
    if lasting == 0 and curve.cdf[index] < 1 - 1e-9:
        return Beyond(None, None, None, n, cut_before, at_most=float(1 - low[index]))
    if curve.cdf[index] <= 1e-9:  # nothing was done by then: the curve has no limits, what was watched has
        plain = proportion(lasting, lasting, confidence)
        return Beyond(1.0, plain.low, 1.0, n, cut_before)
    return Beyond(
        share=float(1 - curve.cdf[index]),
        low=float(1 - high[index]),
        high=float(1 - low[index]),
        n=n,
        censored=cut_before,
    )
