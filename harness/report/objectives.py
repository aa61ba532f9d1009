"""Judging the objectives of a scenario. No data never passes, and few data pass only where they decide.

* A quantile with enough samples (`harness.stats.sample_floor`) is judged by its value. With fewer it is judged by its
  95 % interval, and when the limit lies inside that, it is inconclusive.
* A share with enough jobs for one of them to weigh less than the limit is judged by its value; with fewer by its
  Wilson interval. A limit of 0 or 1 is a statement about these very jobs and is judged as it stands.
* Maximum and mean of a clock with cut jobs are known from below only. A maximum is one of these very jobs; a mean of
  few jobs is judged by Student's interval.
* A cost per image is a ratio of two sums (`harness.report.price`), a batch one moment of the run
  (`harness.report.batch`), and a share beyond a time one point of the clock's curve (`harness.report.beyond`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from msgspec.structs import replace
from scipy import stats

from harness.conditions import Objective
from harness.report.batch import BATCH_COLUMNS, time_of_image
from harness.report.beyond import share_beyond
from harness.report.jobs import NOT_JUDGED, FloatArray, clock_curve, estimate, is_in, none_if_nan, rounded
from harness.report.model import Estimate, ObjectiveResult, ObjectiveState
from harness.report.price import cost_per_image
from harness.stats import Curve, proportion, sample_floor
from harness.stats.quantiles import INTERVAL_CONFIDENCE

_SCALE = {"ms": 1.0, "s": 1000.0, "min": 60_000.0, "usd": 1.0, "$": 1.0, "%": 0.01, "share": 1.0, "": 1.0}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": lambda value, limit: value < limit,
    "<=": lambda value, limit: value <= limit,
    ">": lambda value, limit: value > limit,
    ">=": lambda value, limit: value >= limit,
}
_Judged = tuple[ObjectiveState, str, Estimate]
_NOTHING = Estimate(value=None)


def judge(objective: Objective, frame: pd.DataFrame) -> ObjectiveResult:
    """One objective over the jobs that its `where` names."""
    state, why, value = _judge(objective, frame)
    return ObjectiveResult(
        text=objective.text,
        metric=objective.metric,
        statistic=objective.statistic,
        comparison=objective.comparison,
        limit=objective.value,
        unit=objective.unit,
        where=objective.where,
        state=state,
        why=why,
        value=value,
    )


def _judge(objective: Objective, frame: pd.DataFrame) -> _Judged:
    unknown = [name for name in objective.where if name not in frame.columns]
    if unknown:
        return "inconclusive", f"no job has a field named {unknown[0]}", _NOTHING
    jobs = frame[_matching(frame, objective.where)] if objective.where else frame
    scale = _SCALE.get(objective.unit.lower())
    if scale is None:
        return "inconclusive", f"the unit {objective.unit} is not known", _NOTHING
    if jobs.empty:
        return "inconclusive", "no job matches", _NOTHING
    if objective.metric == "error_rate":
        return _share(objective, jobs, scale)
    if objective.metric == "batch_ms":
        return _batch(objective, jobs, scale)
    if objective.metric not in jobs.columns:
        return "inconclusive", f"the metric {objective.metric} is not known", _NOTHING
    if objective.metric == "cost_usd":
        return _cost(objective, jobs, scale)
    curve = clock_curve(jobs, objective.metric)
    if objective.statistic == "share":
        return _beyond(objective, curve, scale)
    return _clock(objective, curve, scale)


def _matching(frame: pd.DataFrame, where: dict[str, str]) -> pd.Series[bool]:
    matching = pd.Series(True, index=frame.index)
    for name, wanted in where.items():
        codes, values = pd.factorize(frame[name])  # each value once; what is missing has code -1, the last
        hit = np.array([same(value, wanted) for value in [*values, None]], dtype=np.bool_)
        matching &= hit[codes]
    return matching


def same(value: object, wanted: str) -> bool:
    """Whether a column's value is what a selector has as text; null is what is not there."""
    value = none_if_nan(value)
    if value is None:
        return wanted.lower() in ("null", "none")
    if isinstance(value, bool | np.bool_):
        return wanted.lower() in (("true", "yes", "1") if value else ("false", "no", "0"))
    if isinstance(value, int | float | np.integer | np.floating):
        try:
            return float(value) == float(wanted)
        except ValueError:
            return False
    return str(value) == wanted


def _share(objective: Objective, jobs: pd.DataFrame, scale: float) -> _Judged:
    judged = jobs[~is_in(jobs, "outcome", NOT_JUDGED)]
    n = len(judged)
    failed = n - int(is_in(judged, "outcome", ("image",)).sum())
    found = proportion(failed, n)
    if found.share is None or found.low is None or found.high is None:
        return "inconclusive", "no job was seen to its end", _NOTHING
    counted = f"{failed} of {n} failed"
    return _judged_share(objective, found.share, found.low, found.high, n, 0, counted, scale)


def _beyond(objective: Objective, curve: Curve, scale: float) -> _Judged:
    if objective.inner_comparison is None or objective.inner_value is None:
        return "inconclusive", f"share of {objective.metric} is not defined", _NOTHING
    if curve.n == 0:
        return "inconclusive", "no job gave a value", _NOTHING
    found = share_beyond(curve, objective.inner_comparison, objective.inner_value)
    return _judged_share(
        objective, found.share, found.low, found.high, curve.n, curve.censored, found.why, scale, found.cut_before
    )


def _judged_share(
    objective: Objective,
    share: float | None,
    low: float,
    high: float,
    n: int,
    censored: int,
    counted: str,
    scale: float,
    cut_before: int = 0,
) -> _Judged:
    """A share by its value where each job weighs less than the limit; with fewer jobs, or unknown, by its interval.

    A job that was cut before the time in question (`cut_before` of them) says too little to be counted among them."""
    limit = objective.value * scale
    floor = math.ceil(1 / min(limit, 1 - limit)) if 0 < limit < 1 else 1
    value = Estimate(
        value=rounded(None if share is None else share / scale, 6),
        low=rounded(low / scale, 6),
        high=rounded(high / scale, 6),
        n=n,
        censored=censored,
        thin=n - cut_before < floor,
        floor=floor,
    )
    good = _COMPARE[objective.comparison]
    if share is not None and n - cut_before >= floor:
        return ("pass" if good(share, limit) else "fail"), counted, value
    return (*_by_interval(good, limit, low, high, counted, n, floor), value)


def _cost(objective: Objective, jobs: pd.DataFrame, scale: float) -> _Judged:
    if objective.statistic != "mean":
        return "inconclusive", f"{objective.statistic} of {objective.metric} is not defined", _NOTHING
    found = cost_per_image(jobs)
    if found.usd is None:
        return "inconclusive", found.why, _NOTHING
    limit, floor, good = objective.value * scale, sample_floor(0.5), _COMPARE[objective.comparison]
    value = Estimate(
        value=rounded(found.usd / scale, 6),
        low=None if found.low is None else rounded(found.low / scale, 6),
        high=None if found.high is None else rounded(found.high / scale, 6),
        n=found.jobs,
        thin=found.jobs < floor,
        floor=floor,
    )
    if found.jobs >= floor:
        return ("pass" if good(found.usd, limit) else "fail"), found.why, value
    low = 0.0 if found.low is None else found.low
    high = math.inf if found.high is None else found.high
    return (*_by_interval(good, limit, low, high, found.why, found.jobs, floor), value)


def _batch(objective: Objective, jobs: pd.DataFrame, scale: float) -> _Judged:
    """One moment of this very run: judged as it stands."""
    found = time_of_image(jobs, objective.images or 1)
    good, limit = _COMPARE[objective.comparison], objective.value * scale
    value = Estimate(
        value=None if found.at_ms is None else rounded(found.at_ms / scale),
        n=found.jobs,
        beyond=None if found.beyond_ms is None else rounded(found.beyond_ms / scale),
    )
    if found.at_ms is not None:
        return ("pass" if good(found.at_ms, limit) else "fail"), found.why, value
    if found.beyond_ms is None:
        return "inconclusive", found.why, value
    return _known_from_below(good, limit, found.beyond_ms), found.why, value


def _clock(objective: Objective, curve: Curve, scale: float) -> _Judged:
    if curve.n == 0:
        return "inconclusive", "no job gave a value", _NOTHING
    good = _COMPARE[objective.comparison]
    limit = objective.value * scale
    counted = f"{curve.n} jobs" + (f", {curve.censored} of them cut" if curve.censored else "")
    if objective.statistic in ("max", "mean"):
        times = np.repeat(curve.x, curve.done + curve.cut)
        known = float(times.max() if objective.statistic == "max" else times.mean())
        at_least = curve.censored > 0  # one that was cut early may have been the longest
        value = Estimate(
            value=None if at_least else rounded(known / scale, 6),
            n=curve.n,
            censored=curve.censored,
            beyond=rounded(known / scale, 6) if at_least else None,
        )
        if at_least:
            return _known_from_below(good, limit, known), counted, value
        if objective.statistic == "mean" and curve.n < sample_floor(0.5):
            return _few_of_a_mean(good, limit, times, counted, value, scale)
        return ("pass" if good(known, limit) else "fail"), counted, value
    p = _share_of(objective.statistic)
    if p is None:
        return "inconclusive", f"{objective.statistic} of {objective.metric} is not defined", _NOTHING
    found = curve.quantile(p)
    value = estimate(found, scale)
    if found.value is None:
        # Not by what it is larger than: of one job that was cut nothing follows for most of them.
        why = f"{curve.censored} of {curve.n} jobs were cut, too many to tell {objective.statistic}"
        return _known_from_below(good, limit, found.low or 0.0), why, value
    low = found.low if found.low is not None else 0.0
    high = found.high if found.high is not None else math.inf
    if not found.thin:
        close = "; the interval holds the limit, so it was close" if good(low, limit) != good(high, limit) else ""
        return ("pass" if good(found.value, limit) else "fail"), counted + close, value
    return (*_by_interval(good, limit, low, high, counted, found.n, found.floor), value)


def _few_of_a_mean(
    good: Callable[[float, float], bool], limit: float, times: FloatArray, counted: str, value: Estimate, scale: float
) -> _Judged:
    """By Student's interval, as a claim on a mean is; one job alone shows nothing."""
    n, floor, mean = int(times.size), sample_floor(0.5), float(times.mean())
    half = math.inf
    if n > 1:
        half = float(stats.t.ppf((1 + INTERVAL_CONFIDENCE) / 2, n - 1)) * float(times.std(ddof=1)) / math.sqrt(n)
    low, high = max(0.0, mean - half), mean + half
    value = replace(
        value,
        low=rounded(low / scale, 6) if n > 1 else None,
        high=rounded(high / scale, 6) if n > 1 else None,
        thin=True,
        floor=floor,
    )
    return (*_by_interval(good, limit, low, high, counted, n, floor), value)


def _share_of(statistic: str) -> float | None:
    """0.9 of "p90"; null when it is no quantile."""
    try:
        p = float(statistic.removeprefix("p")) / 100
    except ValueError:
        return None
    return p if statistic.startswith("p") and 0 < p < 1 else None


def _by_interval(
    good: Callable[[float, float], bool], limit: float, low: float, high: float, counted: str, n: int, floor: int
) -> tuple[ObjectiveState, str]:
    ends = (good(low, limit), good(high, limit))
    if all(ends):
        return "pass", f"{counted}; the whole interval meets it"
    if not any(ends):
        return "fail", f"{counted}; the whole interval misses it"
    needed = f", and {floor} jobs would be needed instead of {n}" if n < floor else ""
    return "inconclusive", f"{counted}; the interval holds the limit{needed}"


def _known_from_below(good: Callable[[float, float], bool], limit: float, known: float) -> ObjectiveState:
    """The true value is `known` or more."""
    rising_is_good = good(math.inf, limit)
    if good(known, limit) == rising_is_good:
        return "pass" if rising_is_good else "fail"
    return "inconclusive"


def judge_all(objectives: Sequence[Objective], frame: pd.DataFrame) -> tuple[ObjectiveResult, ...]:
    return tuple(judge(objective, frame) for objective in objectives)


def also_read(objectives: Sequence[Objective]) -> frozenset[str]:
    """Columns that a lean reading leaves out and these objectives need."""
    return BATCH_COLUMNS if any(objective.metric == "batch_ms" for objective in objectives) else frozenset()
