"""What explains the spread of the final image's times: shares by axis, and whether quality and size multiply or add.

The statistics are those of `harness.stats.spread`, over delivered jobs: a cut job has no known time. An axis is *clear*
when its share is above the 95 % quantile of what an axis without effect explains of normal log times, a Beta
distribution with (categories - 1) / 2 and (n - categories) / 2 (C. R. Rao, *Linear Statistical Inference*, 2nd ed.
1973, section 3b.1: the law of a ratio of sums of squares); what other axes explain makes that too strict. An hour is
shared by all jobs of a block, so of the hour n is the number of blocks.
"""

from __future__ import annotations

import math
from datetime import datetime

import numpy as np
import pandas as pd
from scipy import stats

from harness.conditions import RunConditions
from harness.report.comparisons import AXES
from harness.report.jobs import BoolArray, FloatArray, IntArray, clock_times, numbers, rounded
from harness.report.spread_model import JointPart, SpreadPart, SpreadShare
from harness.stats.spread import MOST_AXES, multiplies_or_adds, spread

FEWEST_JOBS = 30
JOBS_A_CATEGORY = 3  # on average, over the categories of all axes
_MOST_FOLDS = 30
_MOST_FITTED = 20_000


def spread_part(jobs: pd.DataFrame, conditions: RunConditions) -> SpreadPart | None:
    """The section; null when fewer than two axes vary among the delivered jobs, or these are too few."""
    metric = "delivered_ms" if jobs["mark_download_began_at_ms"].notna().any() else "final_image_ms"
    times, censored, counts = clock_times(jobs, metric)
    cut = int(np.count_nonzero(censored & counts))
    rows = np.flatnonzero(counts & ~censored & (times > 0))
    axes, along = _axes(jobs, rows, conditions)
    categories = sum(int(codes.max()) + 1 for codes in axes.values())
    if len(axes) < 2 or rows.size < max(FEWEST_JOBS, JOBS_A_CATEGORY * categories):
        return None
    blocks = jobs["block"].iloc[rows].nunique()
    whole = np.zeros(rows.size, dtype=np.bool_)
    found = spread(times[rows], whole, axes)
    if found.unexplained is None or found.log_sd is None:
        return None
    return SpreadPart(
        metric=metric,
        axes=tuple(
            SpreadShare(
                axis=share.axis,
                categories=share.categories,
                share=round(share.share, 4),
                by_chance=round(share.by_chance, 4),
                goes_with=along.get(share.axis, ()),
                clear=share.share > _chance(share.categories, blocks if share.axis == "local_hour" else found.n),
            )
            for share in found.axes
        ),
        unexplained=round(found.unexplained, 4),
        factor=round(math.exp(found.log_sd), 3),
        residual_factor=rounded(None if found.residual_log_sd is None else math.exp(found.residual_log_sd)),
        n=found.n,
        cut_left_out=cut,
        joint=_joint(jobs, times, rows, censored & counts, conditions) if {"quality", "size"} <= set(axes) else None,
    )


def _chance(categories: int, n: int) -> float:
    if n <= categories:
        return 1.0
    return float(stats.beta.ppf(0.95, (categories - 1) / 2, (n - categories) / 2))


def _axes(
    jobs: pd.DataFrame, rows: IntArray, conditions: RunConditions
) -> tuple[dict[str, IntArray], dict[str, tuple[str, ...]]]:
    """A code for each of these jobs, for every axis that varies among them; and axes that are another one's twin."""
    names = [*AXES, "prompt_complexity"]
    if _spans_hours(conditions):
        names.append("local_hour")
    found: dict[str, IntArray] = {}
    along: dict[str, tuple[str, ...]] = {}
    for name in names:
        raw, values = pd.factorize(jobs[name].iloc[rows], use_na_sentinel=False)
        codes = raw.astype(np.int64)
        if len(values) < 2:
            continue
        # Codes are given in the order in which values come, so two axes that part the jobs alike have equal ones.
        twin = next((other for other, known in found.items() if np.array_equal(known, codes)), None)
        if twin is not None:
            along[twin] = (*along.get(twin, ()), name)
        elif len(found) < MOST_AXES:
            found[name] = codes
    return found, along


def _spans_hours(conditions: RunConditions) -> bool:
    try:
        began, ended = (datetime.fromisoformat(at or "") for at in (conditions.started_at, conditions.finished_at))
        return (ended - began).total_seconds() > 3600
    except (ValueError, TypeError):
        return False


def _joint(
    jobs: pd.DataFrame, times: FloatArray, rows: IntArray, cut: BoolArray, conditions: RunConditions
) -> JointPart | None:
    """Among the jobs of one route, so that no other route's time is taken for a sum: the one with most jobs done."""
    routes = jobs["route"].iloc[rows].astype(str).to_numpy()
    names, counts = np.unique(routes, return_counts=True)
    direct = next((route.name for route in conditions.routes if route.direct), None)
    order = sorted(zip(-counts, names != direct, names, strict=True))
    for _, _, name in order:
        own = rows[routes == name]
        codes = [pd.factorize(jobs[axis].iloc[own], use_na_sentinel=False)[0].astype(np.int64) for axis in
                 ("quality", "size")]  # fmt: skip
        if min(code.max() for code in codes) < 1:
            continue
        left_out = int(np.count_nonzero(cut & (jobs["route"].astype(str).to_numpy() == name)))
        block = numbers(jobs, "block")[own].astype(np.int64)
        folds = np.unique(block, return_inverse=True)[1].reshape(-1).astype(np.int64)
        size = int(folds.max()) + 1
        folds = folds * min(size, _MOST_FOLDS) // size  # neighbouring blocks are left out together
        taken = np.arange(own.size)
        if own.size > _MOST_FITTED:
            taken = np.sort(np.random.default_rng(0).choice(own.size, _MOST_FITTED, replace=False))
        found = multiplies_or_adds(
            times[own[taken]], np.zeros(taken.size, dtype=np.bool_), codes[0][taken], codes[1][taken], folds[taken]
        )
        return JointPart(
            kind=found.kind,
            route=str(name),
            error_multiplies=_factor(found.error_multiplies),
            error_adds=_factor(found.error_adds),
            n=found.n,
            left_out=left_out,
            why=found.why,
        )
    return None


def _factor(error: float | None) -> float | None:
    """A root mean square of logs as a typical factor minus 1."""
    return rounded(None if error is None else math.expm1(error), 4)
