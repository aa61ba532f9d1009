"""What the report says of one setting against another within a run, as plain data.

Units are in the names; null means "not known" or, as a limit, open. `Estimate` comes from `harness.estimate`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from harness.estimate import Estimate

Standing = Literal["better", "worse", "no_difference", "inconclusive"]


class QuantileEffect(msgspec.Struct, frozen=True, kw_only=True):
    """One quantile of the value against the baseline's: value minus baseline in ms, value / baseline as the ratio."""

    baseline: Estimate
    value: Estimate
    difference_ms: float | None
    difference_low_ms: float | None
    difference_high_ms: float | None
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    p_value: float | None
    p_adjusted: float | None  # after Holm over all comparisons of the section
    verdict: Standing  # better: faster
    why: str


class ComparisonRow(msgspec.Struct, frozen=True, kw_only=True):
    """Two cells that differ in one axis only."""

    axis: str
    value: str
    baseline: str
    shared: str  # what both cells asked for beside it
    n_value: int
    n_baseline: int
    pairs: int  # combinations of block and prompt that both have
    p50: QuantileEffect
    p90: QuantileEffect
    value_cost_per_image_usd: float | None
    baseline_cost_per_image_usd: float | None
    cost_difference_usd: float | None


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """How many comparisons of one value came out how."""

    better: int
    worse: int
    no_difference: int
    inconclusive: int


class AxisLine(msgspec.Struct, frozen=True, kw_only=True):
    """One value of an axis against its baseline, over all pairs of cells."""

    axis: str
    value: str
    baseline: str
    cells: int
    p50: Tally
    p90: Tally
    cost_ratio_low: float | None  # cost per image, value / baseline: smallest and largest over the pairs of cells
    cost_ratio_high: float | None


class Comparisons(msgspec.Struct, frozen=True, kw_only=True):
    """The section. `metric`: the clock. `family`: comparisons that Holm counts, those with a p-value."""

    metric: str
    min_effect: float
    confidence: float
    resamples: int
    family: int
    lines: tuple[AxisLine, ...]
    rows: tuple[ComparisonRow, ...]
    left_out: int  # pairs of cells beyond the most that are compared
