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
* Where jobs were cut since the last one was done, fewer are watched than that variance knows of. The upper limit of
  the share is widened by how many are left: F. J. Dorey and E. L. Korn, "Effective sample sizes for confidence
  intervals for survival probabilities", Statistics in Medicine 6 (1987) 679-687. Before the first job is done it is
  the exact one of none in those left: C. J. Clopper and E. S. Pearson, Biometrika 26 (1934) 404-413.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from harness.stats.quantiles import (
    INTERVAL_CONFIDENCE,
    FloatArray,
    Quantile,
    order_statistic_ranks,
    quantile,
    sample_floor,
)

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
        """Pointwise limits of `cdf` from each `x` to the next.

        Greenwood's formula has no answer at two places. Before the first job is done the lower limit is 0; once all
        are done it stays where it was. The upper one is 1 as soon as nobody is left who is watched.
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
        low[none_done] = 0.0
        low[all_done] = low[~all_done][-1] if not all_done.all() else 0.0
        return np.nan_to_num(low, nan=0.0), self._upper(np.nan_to_num(high, nan=1.0), none_done, confidence)

    def _upper(self, greenwood: FloatArray, none_done: BoolArray, confidence: float) -> FloatArray:
        """The upper limits, as wide as the jobs that are still watched after each moment allow."""
        left = self.at_risk - self.done - self.cut
        steps = np.flatnonzero(self.done > 0)
        upper = np.ones_like(greenwood)
        last = np.searchsorted(steps, np.arange(self.x.size), side="right") - 1  # the last step up to each moment
        some = (left > 0) & ~none_done
        survived = (self.at_risk - self.done)[steps[last[some]]]
        with np.errstate(divide="ignore"):
            here, limit = np.log(1 - self.cdf[some]), np.log(1 - greenwood[some])
        wider = np.where(self.done[some] > 0, 1.0, np.sqrt(survived / left[some]))
        upper[some] = -np.expm1(here * (limit / here) ** wider)
        waiting = (left > 0) & none_done
        upper[waiting] = -np.expm1(np.log((1 - confidence) / 2) / left[waiting])
        return upper

    def quantile(self, p: float, confidence: float = INTERVAL_CONFIDENCE) -> Quantile:
        """The first moment by which a share `p` was done; null when the curve does not get there.

        When nothing was cut this is the plain quantile with its exact interval (`harness.stats.quantiles`), which
        needs no large sample. Otherwise the interval is Brookmeyer and Crowley's, and open on a side on which so few
        jobs would leave it open if none had been cut. The floor is taken on the jobs that were watched up to the
        value, those cut later included.
        """
        if self.censored == 0:
            return quantile(self._times, p, confidence)
        floor = sample_floor(p)
        value = _reach(self.x, self.cdf, p)
        low_curve, high_curve = self.limits(confidence)
        below, above = order_statistic_ranks(self.n, p, confidence)
        lost = 0 if value is None else int(self.cut[self.x < value].sum())
        return Quantile(
            p=p,
            value=value,
            low=None if below is None else _reach(self.x, high_curve, p),  # the upper limit gets there first
            high=None if above is None else _reach(self.x, low_curve, p),
            n=self.n,
            thin=self.n - lost < floor,
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
