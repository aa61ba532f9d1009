"""Does one arm take longer than the other? Rank tests that keep pairs together and let cut jobs say what they can.

One figure is taken from each block, so that jobs of one block do not count as if they were independent.

* Nothing cut, paired: Wilcoxon's signed ranks on the log ratio of each block's medians, per prompt and averaged over
  the prompts of the block. F. Wilcoxon, Biometrics Bulletin 1 (1945) 80-83; `scipy.stats.wilcoxon`.
* Nothing cut, not paired: Mann and Whitney's U on block medians. Annals of Mathematical Statistics 18 (1947) 50-60.
* Something cut, paired: the paired Prentice-Wilcoxon test in the form of M. G. Akritas, "Rank transform statistics with
  censored data", Statistics & Probability Letters 13 (1992) 209-221 (after P. C. O'Brien and T. R. Fleming, Biometrics
  43 (1987) 169-180): each job's score is its place in the Kaplan-Meier curve of both arms together, half way up its own
  step when it was done, half way from its cut to the end when it was cut; Student's t of the differences of scores.
* Something cut, not paired, one job a block: logrank, N. Mantel, Cancer Chemotherapy Reports 50 (1966) 163-170;
  `scipy.stats.logrank`. With several jobs a block: Welch's t of the blocks' mean scores, as above.
"""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import stats

from harness.stats.censored import BoolArray, IntArray, survival
from harness.stats.quantiles import FloatArray

_SMALLEST_MS = 1e-6  # under every clock's resolution: a time of 0 still has a logarithm
Middle = Literal["mean", "median"]


def akritas_scores(times: FloatArray, censored: BoolArray) -> FloatArray:
    """Each job's place, 0 to 1, in the Kaplan-Meier curve of all of them."""
    curve = survival(times, censored)
    index = np.searchsorted(curve.x, times)
    until = curve.cdf[index]
    before = np.concatenate(([0.0], curve.cdf))[index]
    return np.where(censored, (1 + until) / 2, (before + until) / 2)


def by_block(values: FloatArray, block: IntArray, prompt: IntArray, middle: Middle) -> dict[tuple[int, int], float]:
    """One figure for each (block, prompt)."""
    grouped = pd.Series(values).groupby([block, prompt], sort=True)
    found = grouped.mean() if middle == "mean" else grouped.median()
    return {(int(key[0]), int(key[1])): float(one) for key, one in found.items()}  # type: ignore[index]


def of_blocks(values: FloatArray, block: IntArray, middle: Middle) -> FloatArray:
    """One figure for each block, by ascending block."""
    grouped = pd.Series(values).groupby(block, sort=True)
    return np.asarray(grouped.mean() if middle == "mean" else grouped.median(), dtype=np.float64)


def paired_p(a: dict[tuple[int, int], float], b: dict[tuple[int, int], float], *, ranks: bool) -> float | None:
    """p-value from the differences of what both have, averaged by block. Signed ranks, or Student's t."""
    gathered: dict[int, list[float]] = {}
    for key in sorted(a.keys() & b.keys()):
        gathered.setdefault(key[0], []).append(b[key] - a[key])
    differences = np.array([np.mean(found) for found in gathered.values()])
    if differences.size < 2:
        return None
    if not np.any(np.abs(differences) > 1e-12):
        return 1.0
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # ties, and differences that are all the same
        test: Any = stats.wilcoxon(differences) if ranks else stats.ttest_1samp(differences, 0.0)
    return _known(test.pvalue)


def unpaired_p(a: FloatArray, b: FloatArray, *, ranks: bool) -> float | None:
    """p-value from one figure a block of each arm. Mann-Whitney, or Welch's t."""
    if min(a.size, b.size) < 2:
        return None
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        test: Any = stats.mannwhitneyu(a, b) if ranks else stats.ttest_ind(a, b, equal_var=False)
    return _known(test.pvalue)


def logrank_p(a: FloatArray, cut_a: BoolArray, b: FloatArray, cut_b: BoolArray) -> float | None:
    """p-value of the logrank test over jobs that are independent; null when too few were done to say anything."""
    if min(a.size, b.size) < 2 or (cut_a.all() and cut_b.all()):
        return None
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        test: Any = stats.logrank(
            stats.CensoredData.right_censored(a, cut_a), stats.CensoredData.right_censored(b, cut_b)
        )
    return _known(test.pvalue)


def log_times(times: FloatArray) -> FloatArray:
    """Natural logarithm of times in ms."""
    return np.log(np.maximum(times, _SMALLEST_MS))


def _known(p: float) -> float | None:
    return float(min(1.0, p)) if np.isfinite(p) else None
