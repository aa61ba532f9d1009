"""The share of jobs whose clock was beyond a time, also where some were cut.

Nothing cut before that time: every job is known to be on one side, and the share is counted, with Wilson's interval
(`harness.stats.proportion`). Otherwise it is one minus the Kaplan-Meier curve there, with the pointwise limits of
`harness.stats.censored`. Where the curve ends before that time, only a bound is known: at most what was left of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.stats import Curve, proportion


@dataclass(frozen=True)
class Beyond:
    """The share, null when the curve does not get there, and its 95 % interval (then from bounds)."""

    share: float | None
    low: float
    high: float
    why: str
    cut_before: int = 0


def share_beyond(curve: Curve, comparison: Literal["<", "<=", ">", ">="], ms: float) -> Beyond:
    """The share of jobs with `clock comparison ms`. The curve holds at least one job."""
    larger = comparison in (">", ">=")
    # `by` counts the moments on the near side: those up to ms, or only those before it.
    by = int(np.searchsorted(curve.x, ms, side="right" if comparison in (">", "<=") else "left"))
    near = int(curve.done[:by].sum())
    cut = int(curve.cut[: int(np.searchsorted(curve.x, ms, side="left"))].sum())
    if not cut:
        count = curve.n - near if larger else near
        found = proportion(count, curve.n)
        assert found.low is not None
        assert found.high is not None
        return Beyond(found.share, found.low, found.high, f"{count} of {curve.n} jobs")
    done = float(curve.cdf[by - 1]) if by else 0.0
    lows, highs = curve.limits()
    low, high = (float(lows[by - 1]), float(highs[by - 1])) if by else (0.0, 0.0)
    why = f"{curve.n} jobs, {cut} of them cut before it"
    ends = ms > float(curve.x[-1]) and done < 1 - 1e-9
    if ends:
        high, why = 1.0, f"{why}, too many to tell the share"
    if larger:
        return Beyond(None if ends else 1 - done, 1 - high, 1 - low, why, cut)
    return Beyond(None if ends else done, low, high, why, cut)
