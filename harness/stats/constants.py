"""Constants in a crowd of times: a timer that fires at the same moment again and again.

The times are looked at on a logarithmic scale through a window of `WINDOW`. How many times a window holds is compared
with what a smooth crowd would put there: a kernel estimate of the same times, with a bandwidth far wider than the
window, so that a constant cannot explain itself away. The tail of the binomial distribution, times the number of
windows that could have been looked through (Bonferroni), is the p-value; a constant is believed below `ALPHA`. And it
has to stand out from right beside it: a crowd that is narrow by nature fills the windows next to its fullest one as
well, a timer does not (`STANDS_OUT`, `ALPHA_BESIDE`).

That is a scan statistic with an estimated intensity, as in J. Glaz, J. Naus and S. Wallenstein, *Scan Statistics*,
2001, chapters 2 and 10. Rates of found and of invented constants are in ``make bench``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

FloatArray = npt.NDArray[np.float64]

WINDOW = 0.02  # a timer's own jitter and a network's: 1.2 s at 60 s
BANDWIDTH = 0.12  # of the smooth crowd, in the same units: six windows
ALPHA = 1e-3
STANDS_OUT = 3.0  # times as many as in the fuller of the two sides, a window's width of each
ALPHA_BESIDE = 0.01  # that a window holds so many of what lies in it and beside it, where the crowd slopes by half
SIDE = 3  # windows that a side is wide
SLOPE = 1.5
FEWEST = 5  # fewer equal times are an accident that anybody can have


@dataclass(frozen=True)
class Constant:
    """A moment at which times pile up, in the unit of the samples."""

    at: float  # median of the times in the window
    count: int
    n: int
    p_value: float
    members: tuple[int, ...]  # positions of those times in what was given


def constants(times: Sequence[float] | FloatArray, *, most: int = 3) -> tuple[Constant, ...]:
    """Every constant among positive times, the most surprising first; empty when there is none.

    After one is found its times are taken out and the rest is looked at again: two layers may cut one route.
    """
    values = np.asarray(times, dtype=np.float64)
    left = np.flatnonzero(np.isfinite(values) & (values > 0))
    found: list[Constant] = []
    while len(found) < most and left.size >= FEWEST:
        one = _strongest(values, left)
        if one is None:
            break
        found.append(one)
        left = np.setdiff1d(left, np.asarray(one.members))
    return tuple(found)


def _strongest(values: FloatArray, left: npt.NDArray[np.int64]) -> Constant | None:
    order = left[np.argsort(values[left], kind="stable")]
    logs = np.log(values[order])
    n = logs.size
    # For each time: how many lie within one window from it on.
    ends = np.searchsorted(logs, logs + WINDOW, side="right")
    counts = ends - np.arange(n)
    expected = _smooth_share(logs)
    tails = stats.binom.sf(counts - 1, n, np.minimum(expected, 1.0))
    windows = max((logs[-1] - logs[0]) / WINDOW, 1.0) * 2  # windows overlap: about two to a width are independent
    p_values = np.minimum(tails * min(windows, float(n)), 1.0)
    p_values[(counts < FEWEST) | ~_stands_out(logs, counts)] = 1.0
    best = int(np.argmin(p_values))
    if p_values[best] >= ALPHA:
        return None
    members = order[best : ends[best]]
    return Constant(
        at=float(np.median(values[members])),
        count=int(counts[best]),
        n=int(values.size),
        p_value=float(p_values[best]),
        members=tuple(int(one) for one in members),
    )


def _stands_out(logs: FloatArray, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Whether each time's window holds far more than what lies right before and right behind it."""
    side = SIDE * WINDOW
    start = np.arange(logs.size)
    before = start - np.searchsorted(logs, logs - side, side="left")
    behind = np.searchsorted(logs, logs + WINDOW + side, side="right") - (start + counts)
    beside = np.maximum(before, behind)
    by_chance = stats.binom.sf(counts - 1, counts + beside, SLOPE / (SLOPE + SIDE))
    told: npt.NDArray[np.bool_] = (counts >= STANDS_OUT * beside / SIDE) & (by_chance < ALPHA_BESIDE)
    return told


def _smooth_share(logs: FloatArray) -> FloatArray:
    """The share of a smooth crowd that each time's window would hold: Gaussian kernels of `BANDWIDTH`."""
    n = logs.size
    # On a grid, longer than the kernel: a million times would make a million kernels a million times.
    grid = np.arange(logs[0] - 6 * BANDWIDTH, logs[-1] + 6 * BANDWIDTH, BANDWIDTH / 8)
    weights, _ = np.histogram(logs, bins=np.append(grid, grid[-1] + BANDWIDTH / 8))
    reach = np.arange(-32, 33) * (BANDWIDTH / 8)
    kernel = np.exp(-0.5 * (reach / BANDWIDTH) ** 2)
    smooth = np.convolve(weights, kernel / kernel.sum(), mode="same") / n / (BANDWIDTH / 8)
    centres = grid + BANDWIDTH / 16
    share: FloatArray = np.interp(logs + WINDOW / 2, centres, smooth) * WINDOW
    return share
