"""One rule over the newest jobs: breach, ok, unclear, or not enough. Nothing is concluded from too few.

* An objective on a quantile is judged over the newest jobs, twice as many as the quantile needs (`sample_floor`: 11
  for a p50, 130 for a p95). With fewer than that it is *not enough*. A breach is a whole 95 % interval on the wrong
  side of the limit; ok is a value on the right side; in between it is unclear, which changes no alert.
* A share (failed jobs, jobs beyond a time) may be a breach from 5 jobs on, if its whole interval is; it is ok by its
  value once a single job weighs less than the limit.
* Cost per image is a ratio of two sums, from 11 delivered jobs on.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd

from harness.conditions import Objective
from harness.estimate import Estimate
from harness.history.model import CLOCKS, Judged
from harness.history.rows import word
from harness.report import format as fmt
from harness.report.beyond import share_beyond
from harness.report.price import ratio_interval
from harness.stats import Curve, Proportion, Quantile, proportion, sample_floor, survival

LEAST_OF_SHARE = 5
LEAST_JUDGED, MOST_JUDGED = 20, 400
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": lambda value, limit: value < limit,
    "<=": lambda value, limit: value <= limit,
    ">": lambda value, limit: value > limit,
    ">=": lambda value, limit: value >= limit,
}
Found = tuple[Judged, str, Estimate | None]


def not_watched(objective: Objective) -> str | None:
    """Why an objective is none that a watch can follow; null when it can."""
    if objective.metric in ("error_rate", "cost_usd"):
        return None
    if objective.metric == "batch_ms":
        return "a batch is one moment of one run"
    if objective.metric not in CLOCKS:
        return f"the history does not keep {objective.metric}"
    if objective.statistic in ("max", "mean"):
        return f"one slow job decides a {objective.statistic}: write p50, p95 or share({objective.metric} > …)"
    return None


def judge(objective: Objective, jobs: pd.DataFrame) -> Found:
    """One objective over jobs by ascending start; only those that its `where` names count."""
    mine = jobs[matching(jobs, objective.where)]
    if objective.metric == "error_rate":
        judged = newest(mine[mine["judged"].to_numpy(dtype=bool)], _of_share(objective.value))
        failed = len(judged) - int(judged["good"].sum())
        share = proportion(failed, len(judged))
        return _share(
            objective, share.share, share.low, share.high, len(judged), 0, f"{failed} of {len(judged)} failed"
        )
    if objective.metric == "cost_usd":
        return _cost(objective, mine)
    mine = mine[mine[objective.metric].notna()]
    if objective.statistic == "share":
        if objective.inner_comparison is None or objective.inner_value is None:
            return "not_enough", "the objective says no time", None
        mine = newest(mine, _of_share(objective.value))
        if not len(mine):
            return "not_enough", "no job gave a value", None
        found = share_beyond(curve_of(mine, objective.metric), objective.inner_comparison, objective.inner_value)
        cut = int(mine[f"{objective.metric}_cut"].sum())
        return _share(objective, found.share, found.low, found.high, len(mine), cut, found.why)
    p = float(objective.statistic.removeprefix("p")) / 100
    mine = newest(mine, 2 * sample_floor(p))
    return _quantile(objective, curve_of(mine, objective.metric).quantile(p))


def _of_share(limit: float) -> int:
    floor = math.ceil(1 / min(limit, 1 - limit)) if 0 < limit < 1 else LEAST_JUDGED
    return min(MOST_JUDGED, max(LEAST_JUDGED, 2 * floor))


def _share(
    objective: Objective, share: float | None, low: float | None, high: float | None, n: int, cut: int, counted: str
) -> Found:
    limit, good = objective.value, _COMPARE[objective.comparison]
    floor = math.ceil(1 / min(limit, 1 - limit)) if 0 < limit < 1 else LEAST_OF_SHARE
    value = Estimate(value=share, low=low, high=high, n=n, censored=cut, thin=n < floor, floor=floor)
    if n < LEAST_OF_SHARE or low is None or high is None:
        return "not_enough", f"not enough: {n} jobs, {LEAST_OF_SHARE} are needed for an alert", value
    ends = (good(low, limit), good(high, limit))
    if not any(ends):
        return "breach", f"{counted}; the whole interval misses the limit", value
    if all(ends) or (share is not None and n >= floor and good(share, limit)):
        return "ok", counted, value
    if n < floor:
        return "not_enough", f"not enough: {counted}; {floor} jobs would decide", value
    return "unclear", f"{counted}; the interval holds the limit", value


def _cost(objective: Objective, mine: pd.DataFrame) -> Found:
    floor = sample_floor(0.5)
    usd = usd_per_image(newest(_paid(mine), 2 * floor))
    if usd.value is None or usd.n < floor:
        return "not_enough", f"not enough: {usd.n} delivered images with a price, {floor} are needed", usd
    good, limit = _COMPARE[objective.comparison], objective.value
    counted = f"{usd.value:.4f} USD an image over {usd.n} jobs"
    ends = [good(one, limit) for one in (usd.low, usd.high) if one is not None]
    if not any(ends):
        return "breach", f"{counted}; the whole interval misses the limit", usd
    return ("ok" if good(usd.value, limit) else "unclear"), counted, usd


def _quantile(objective: Objective, found: Quantile) -> Found:
    value = estimate(found)
    if found.n < found.floor:
        return "not_enough", f"not enough: {found.n} jobs, {found.floor} are needed for {objective.statistic}", value
    good, limit = _COMPARE[objective.comparison], objective.value
    is_now = fmt.estimate(value).replace("\u00a0", " ")
    counted = f"{objective.statistic} is {is_now} over {found.n} jobs"
    counted += f", {found.censored} of them cut" if found.censored else ""
    low = found.low if found.low is not None else found.beyond if found.value is None else 0.0
    high = found.high if found.high is not None else math.inf
    if not any((good(low or 0.0, limit), good(high, limit))):
        return "breach", f"{counted}; the whole interval misses the limit", value
    if found.value is not None and good(found.value, limit):
        return "ok", counted, value
    return "unclear", f"{counted}; the interval holds the limit", value


def matching(jobs: pd.DataFrame, where: dict[str, str]) -> np.ndarray:
    """Which jobs have those values. `null` is what is not there."""
    hit = np.ones(len(jobs), dtype=bool)
    for name, wanted in where.items():
        if name not in jobs.columns:
            return np.zeros(len(jobs), dtype=bool)
        if wanted.lower() in ("null", "none"):
            hit &= jobs[name].isna().to_numpy(dtype=bool)
        else:
            hit &= (jobs[name] == _as_kept(wanted)).to_numpy(dtype=bool)
    return hit


def _as_kept(wanted: str) -> str:
    return {"yes": "true", "no": "false"}.get(wanted.lower(), word(wanted) or "")


def newest(jobs: pd.DataFrame, count: int) -> pd.DataFrame:
    return jobs.iloc[max(0, len(jobs) - count) :]


def curve_of(jobs: pd.DataFrame, clock: str) -> Curve:
    """The Kaplan-Meier curve of a clock over jobs that have it."""
    mine = jobs[jobs[clock].notna()]
    return survival(mine[clock].to_numpy(dtype=np.float64), mine[f"{clock}_cut"].to_numpy(dtype=bool))


def success_of(jobs: pd.DataFrame) -> Estimate:
    """The share of judged jobs that ended in what was asked for."""
    judged = jobs[jobs["judged"].to_numpy(dtype=bool)]
    return _proportion(proportion(int(judged["good"].sum()), len(judged)))


def _proportion(found: Proportion) -> Estimate:
    return Estimate(value=found.share, low=found.low, high=found.high, n=found.n, thin=found.n < LEAST_OF_SHARE)


def _paid(jobs: pd.DataFrame) -> pd.DataFrame:
    good = jobs["good"].to_numpy(dtype=bool)
    return jobs[good & (jobs["images"] > 0).to_numpy(dtype=bool) & jobs["cost_usd"].notna().to_numpy(dtype=bool)]


def usd_per_image(jobs: pd.DataFrame) -> Estimate:
    """Cost of the delivered jobs over the images in them."""
    paid = _paid(jobs)
    if not len(paid):
        return Estimate(value=None)
    costs, images = paid["cost_usd"].to_numpy(dtype=np.float64), paid["images"].to_numpy(dtype=np.float64)
    usd = float(costs.sum() / images.sum())
    low, high = ratio_interval(costs, images, usd)
    floor = sample_floor(0.5)
    return Estimate(value=usd, low=low, high=high, n=len(paid), thin=len(paid) < floor, floor=floor)


def estimate(found: Quantile) -> Estimate:
    """A quantile as the answers of the reading half give it."""
    return Estimate(
        value=found.value,
        low=found.low,
        high=found.high,
        n=found.n,
        censored=found.censored,
        thin=found.thin,
        floor=found.floor,
        beyond=found.beyond,
    )
