"""What a delivered image cost: a ratio of two sums, with its interval.

Sources
-------
* Ratio of two means and its variance by linearisation: W. G. Cochran, *Sampling Techniques*, 3rd ed. 1977, section 6.3
  (without the correction for a finite population: these jobs stand for all that may follow).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from harness.report.jobs import is_in, numbers
from harness.stats.quantiles import INTERVAL_CONFIDENCE


@dataclass(frozen=True)
class Price:
    """USD per delivered image with its interval, from `jobs` that delivered; `usd` null when none with a price did."""

    usd: float | None
    low: float | None
    high: float | None
    jobs: int
    images: int
    why: str


def cost_per_image(jobs: pd.DataFrame) -> Price:
    """Cost of the jobs that ended in what was asked for, over the images in them: n = 4 is four images.

    What was (or may have been) paid for jobs without an image is no part of it, and is said beside it.
    """
    costs, images = numbers(jobs, "cost_usd"), numbers(jobs, "image_count")
    delivered = is_in(jobs, "outcome", ("image",)) & (images > 0)
    priced = delivered & ~np.isnan(costs)
    n, made = int(priced.sum()), int(images[priced].sum())
    if not n:
        return Price(None, None, None, 0, 0, "no delivered image has a price" if delivered.any() else "no image came")
    paid = math.fsum(costs[priced].tolist())
    usd = paid / made
    low, high = ratio_interval(costs[priced], images[priced], usd)
    words = [f"{made} image{'s' * (made != 1)} of {n} job{'s' * (n != 1)} for {paid:.4f} USD"]
    if unpriced := int(delivered.sum()) - n:
        words.append(f"{unpriced} delivered jobs without a price left out")
    beside = costs[~delivered & (np.nan_to_num(costs) > 0)]
    if beside.size:
        words.append(f"beside it {math.fsum(beside.tolist()):.4f} USD, paid or perhaps, for {beside.size} without one")
    return Price(usd, low, high, n, made, "; ".join(words))


def spent_per_image(jobs: pd.DataFrame) -> float | None:
    """USD of all these jobs, failed ones too, over the images that were asked for and came; null without either.

    A delivered job without a price is left out with its images: nobody knows what they cost.
    """
    costs, images = numbers(jobs, "cost_usd"), numbers(jobs, "image_count")
    known = ~np.isnan(costs)
    made = float(np.nansum(images[known & is_in(jobs, "outcome", ("image",))]))
    return math.fsum(costs[known].tolist()) / made if made else None


def ratio_interval(costs: np.ndarray, images: np.ndarray, usd: float) -> tuple[float | None, float | None]:
    """The 95 % interval of `usd`, the sum of `costs` over that of `images`; null from fewer than two jobs."""
    n = costs.size
    if n < 2:
        return None, None
    spread = float(np.sqrt(np.sum((costs - usd * images) ** 2) / (n - 1) / n) / images.mean())
    half = float(stats.t.ppf((1 + INTERVAL_CONFIDENCE) / 2, n - 1)) * spread
    return max(0.0, usd - half), usd + half
