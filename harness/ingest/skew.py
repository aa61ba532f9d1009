"""How far two machines' clocks are apart, from what both wrote about the same jobs.

Offset: the inner side's clock minus the outer side's, in seconds. Two cases:

* **Pairs are known** (they share an id). The request reaches the inner side after it left the outer one, and where both
  saw the end of a whole answer, the inner side was done first. Each pair therefore bounds the offset, `end_b - end_a <=
  offset <= start_b - start_a` (Cristian's argument, Distributed Computing 3 (1989) 146-158, with a request in place of
  his question). The median of the differences of beginnings is given, held inside the bounds where they agree.
* **Pairs are not known.** If the records are of the same jobs, one difference of beginnings turns up again and again,
  and all others are scattered. The differences of all pairs that could belong together are binned; a pile counts as
  found when chance would hardly make one so high (Poisson tail, corrected for the number of bins), when it holds at
  least half of the smaller log, and when no second pile away from it is nearly as high: jobs at a steady beat give a
  comb of piles, and then nothing is joined.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]

MOST_OFFSET_S = 900.0  # machines without any time service drift apart by minutes, not by hours
SURE = 1e-6  # the chance, over all bins, of a pile by accident
RIVAL = 0.8  # a second pile this high, relative to the first, makes the answer ambiguous
MOST_PAIRS = 20_000_000


@dataclass(frozen=True)
class Skew:
    """`offset_s` null: it cannot be told, `why` says why. `low_s`, `high_s`: what it must lie between, where known.
    `rivals`: several offsets fit, so the logs show the same jobs, but not which is which."""

    offset_s: float | None
    low_s: float | None
    high_s: float | None
    pairs: int
    why: str
    rivals: bool = False


def skew_of_pairs(start_a: Floats, end_a: Floats, start_b: Floats, end_b: Floats, step_s: float) -> Skew:
    """The offset of b's clock from a's by jobs that both are known to have recorded; b lies further in.

    `end_*` is NaN where that side did not see the end of a whole answer. `step_s`: how coarse the coarser clock is.
    """
    begun = start_b - start_a
    begun = begun[~np.isnan(begun)]
    if not begun.size:
        return Skew(None, None, None, 0, "no job that both recorded has a time on both sides")
    done = end_b - end_a
    done = done[~np.isnan(done)]
    high = float(begun.min()) + step_s
    low = float(done.max()) - step_s if done.size else None
    middle = float(np.median(begun))
    if low is not None and low <= high:
        middle = min(max(middle, low), high)
    elif low is not None:
        # A clock that was set meanwhile, or drifts: no single offset holds for all.
        return Skew(middle, None, None, int(begun.size), "median; the pairs contradict one single offset")
    return Skew(middle, low, high, int(begun.size), f"median over {begun.size} jobs that both sides recorded by id")


def skew_of_strangers(start_a: Floats, kind_a: NDArray[np.int64], start_b: Floats, kind_b: NDArray[np.int64],
                      step_s: float) -> Skew:  # fmt: skip
    """The offset of b's clock from a's where nothing but times and shapes is common.

    `kind_*`: what may be the same job has the same number; -1 fits all. `step_s`: how coarse the coarser clock is.
    """
    differences = _differences(start_a, kind_a, start_b, kind_b)
    smaller = min(start_a.size, start_b.size)
    if differences is None:
        return Skew(None, None, None, 0, "too many records to try all pairs; cut out the hours that matter")
    if smaller < 5 or not differences.size:
        return Skew(None, None, None, 0, f"{smaller} records in the smaller log; five are needed to tell an offset")
    width = max(2.0 * step_s, 0.5)
    bins = np.arange(-MOST_OFFSET_S - width, MOST_OFFSET_S + 2 * width, width / 2)
    fine, _ = np.histogram(differences, bins)
    counts = fine[:-1] + fine[1:]  # windows of `width` that overlap by half: no pile is split between two
    best = int(counts.argmax())
    near = np.abs(np.arange(counts.size) - best) * (width / 2) <= 2 * width
    others = counts[~near]
    chance = float(others.mean()) if others.size else 0.0
    by_accident = float(stats.poisson.sf(counts[best] - 1, max(chance, 1e-9))) * counts.size
    if counts[best] * 2 < smaller or by_accident > SURE:
        return Skew(None, None, None, 0, "no offset under which the logs show the same jobs")
    if others.size and others.max() >= RIVAL * counts[best]:
        why = "two offsets fit about equally well; an id in both logs would decide"
        return Skew(None, None, None, 0, why, rivals=True)
    inside = differences[(differences >= bins[best] - width) & (differences <= bins[best] + 2 * width)]
    middle = float(np.median(inside))
    return Skew(
        middle, middle - width, middle + width, int(counts[best]),
        f"{min(int(counts[best]), smaller)} of {smaller} beginnings agree under it; by chance about {chance:.1f} would",
    )  # fmt: skip


def _differences(
    start_a: Floats, kind_a: NDArray[np.int64], start_b: Floats, kind_b: NDArray[np.int64]
) -> Floats | None:
    """All b - a of pairs that could be the same job and lie within `MOST_OFFSET_S`; null when they are too many."""
    order = np.argsort(start_b, kind="stable")
    sorted_b, sorted_kind = start_b[order], kind_b[order]
    first = np.searchsorted(sorted_b, start_a - MOST_OFFSET_S, side="left")
    last = np.searchsorted(sorted_b, start_a + MOST_OFFSET_S, side="right")
    sizes = last - first
    if int(sizes.sum()) > MOST_PAIRS:
        return None
    rows = np.repeat(np.arange(start_a.size), sizes)
    columns = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes) + np.repeat(first, sizes)
    one, two = kind_a[rows], sorted_kind[columns]
    fits = (one == two) | (one < 0) | (two < 0)
    found: Floats = (sorted_b[columns] - start_a[rows])[fits]
    return found


def tolerance_s(skew: Skew, step_s: float) -> float:
    """How far a pair's own difference may lie from the offset and still be the same job."""
    spread = 0.0 if skew.low_s is None or skew.high_s is None else (skew.high_s - skew.low_s) / 2
    return max(1.0, step_s, 0.0 if math.isinf(spread) else min(spread, 5.0))
