"""Quantiles of clocks of which some were cut: Kaplan-Meier.

A job whose clock was cut at a known moment is *censored*: its true time is larger, nobody knows by how much. Leaving
such jobs out makes a route that cuts its slow jobs look fast; taking the cut for the answer does too. Kaplan-Meier
lets each cut job count as "not yet done" until the cut, and no further.

It rests on cuts that tell nothing about how long that very job would have taken (a cap at a constant does not, once
the job has lived that long). What it cannot tell it does not: a quantile that the curve does not reach is null.

Sources
-------
* E. L. Kaplan and P. Meier, "Nonparametric estimation from incomplete observations", Journal of the American
  Statistical Association 53 (1958) 457-481; computed by `scipy.stats.ecdf`.
* Interval of a quantile by inverting pointwise limits of the survival function: R. Brookmeyer and J. Crowley,
  "A confidence interval for the median survival time", Biometrics 38 (1982) 29-41.
* Those limits: Greenwood's variance on the log(-log) scale, which keeps them inside 0 to 1: J. D. Kalbfleisch and
  R. L. Prentice, *The Statistical Analysis of Failure Time Data*, 1980, section 1.4 (the method "log-log" of scipy).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from harness.stats.quantiles import INTERVAL_CONFIDENCE, FloatArray, Quantile, quantile, sample_floor

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

_TOLERANCE = 1e-9  # 1 - 0.9*0.9*… is a hair off the shares that it stands for


@dataclass(frozen=True)
class Curve:
    """The share of jobs done by each moment at which one was done or cut.

    Arrays of equal length, by ascending time: `x` the moments, `cdf` the estimated share done by then, `at_risk` jobs
    still under way just before, `done` and `cut` what happened there.
    """

    x: FloatArray
    cdf: FloatArray
    at_risk: IntArray
    done: IntArray
    cut: IntArray
    n: int
    censored: int
    _times: FloatArray
    _cut_flags: BoolArray

    def limits(self, confidence: float = INTERVAL_CONFIDENCE) -> tuple[FloatArray, FloatArray]:
        """Pointwise limits of `cdf` at each `x`.

        Greenwood's formula has no answer at two places. Before the first job is done both limits are kept at 0; once
        none is left the lower limit stays where it was and the upper is 1.
        """
        if self.n == 0:
            return self.cdf, self.cdf
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # scipy warns where log(-log) is undefined; those places are mended below
            survivors: Any = _ecdf(self._times, self._cut_flags).sf
            interval = survivors.confidence_interval(confidence, method="log-log")
        low = 1 - np.asarray(interval.high.probabilities, dtype=np.float64)
        high = 1 - np.asarray(interval.low.probabilities, dtype=np.float64)
        none_done = self.cdf <= _TOLERANCE
        all_done = self.cdf >= 1 - _TOLERANCE
        low[none_done] = high[none_done] = 0.0
        high[all_done] = 1.0
        low[all_done] = low[~all_done][-1] if not all_done.all() else 0.0
        return np.nan_to_num(low, nan=0.0), np.nan_to_num(high, nan=1.0)

    def quantile(self, p: float, confidence: float = INTERVAL_CONFIDENCE) -> Quantile:
        """The first moment by which a share `p` was done; null when the curve does not get there.

        When nothing was cut this is the plain quantile with its exact interval (`harness.stats.quantiles`), which
        needs no large sample. Otherwise the interval is Brookmeyer and Crowley's. The floor is taken on all jobs,
        cut ones included: each of them was watched.
        """
        if self.censored == 0:
            return quantile(self._times, p, confidence)
        floor = sample_floor(p)
        value = _reach(self.x, self.cdf, p)
        low_curve, high_curve = self.limits(confidence)
        return Quantile(
            p=p,
            value=value,
            low=_reach(self.x, high_curve, p),  # the upper limit of the share is the first to get there
            high=_reach(self.x, low_curve, p),
            n=self.n,
            thin=self.n < floor,
            floor=floor,
            censored=self.censored,
            beyond=float(self.x[-1]) if value is None else None,
            confidence=confidence,
        )


def survival(times: Sequence[float] | FloatArray, censored: Sequence[bool] | BoolArray) -> Curve:
    """The Kaplan-Meier curve of `times`, of which those flagged in `censored` were cut at that moment.

    Jobs cut at the same moment at which another was done count as still under way at it, as is usual.
    """
    values = np.asarray(times, dtype=np.float64)
    flags = np.asarray(censored, dtype=np.bool_)
    if values.shape != flags.shape:
        raise ValueError(f"{values.size} times, but {flags.size} flags")
    if not np.isfinite(values).all():
        raise ValueError("a time is not a finite number")
    if values.size == 0:
        nothing = np.empty(0)
        none = np.empty(0, dtype=np.int64)
        return Curve(nothing, nothing, none, none, none, 0, 0, values, flags)
    found = _ecdf(values, flags).cdf
    x = np.asarray(found.quantiles, dtype=np.float64)
    ordered = np.sort(values)
    at_risk = values.size - np.searchsorted(ordered, x, side="left")
    cut = _count_at(x, values[flags])
    return Curve(
        x=x,
        cdf=np.asarray(found.probabilities, dtype=np.float64),
        at_risk=at_risk.astype(np.int64),
        done=_count_at(x, values) - cut,
        cut=cut,
        n=int(values.size),
        censored=int(np.count_nonzero(flags)),
        _times=values,
        _cut_flags=flags,
    )


def _ecdf(times: FloatArray, censored: BoolArray) -> Any:  # scipy-stubs mistype its curves
    return stats.ecdf(stats.CensoredData.right_censored(times, censored))


def _count_at(x: FloatArray, values: FloatArray) -> IntArray:
    return np.bincount(np.searchsorted(x, values), minlength=x.size).astype(np.int64)


def _reach(x: FloatArray, curve: FloatArray, p: float) -> float | None:
    reached = np.flatnonzero(curve >= p - _TOLERANCE)
    return float(x[reached[0]]) if reached.size else None
