"""What a comparison of two runs says, as plain data. A is the baseline; every effect is of B against A.

Units are in the names; null means "not known" or, as a limit, open.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from harness.report.model import Estimate

COMPARISON_SCHEMA_VERSION = 1

Overall = Literal["no_worse", "worse", "inconclusive"]
CellVerdict = Literal["faster", "slower", "no_difference", "inconclusive"]


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two runs."""

    run_id: str
    scenario: str
    started_at: str
    status: str
    simulated: bool
    simulator_profile: str | None
    harness: str
    jobs: int


class SettingDifference(msgspec.Struct, frozen=True, kw_only=True):
    """A setting in which the two runs differ, as text of each."""

    setting: str
    a: str
    b: str


class CellEffect(msgspec.Struct, frozen=True, kw_only=True):
    """One quantile of one cell in both runs. `a` and `b` are in ms, each with its own interval and its cut jobs."""

    cell: str
    p: float = 0.5
    a: Estimate
    b: Estimate
    difference_ms: float | None
    difference_low_ms: float | None
    difference_high_ms: float | None
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    p_value: float | None
    p_adjusted: float | None
    verdict: CellVerdict
    why: str


class FailureChange(msgspec.Struct, frozen=True, kw_only=True):
    """Jobs that did not end in an image, of those seen to their end. `p_value`: that B fails no more often."""

    failed_a: int
    judged_a: int
    failed_b: int
    judged_b: int
    p_value: float | None
    more: bool


class Comparison(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="run_comparison"):
    """Everything that `harness compare` shows."""

    schema_version: int = COMPARISON_SCHEMA_VERSION
    metric: str
    p: float  # of `cells`
    tail_p: float  # of `tails`
    family: int  # tests that Holm counts: those of both quantiles
    min_effect: float
    confidence: float
    a: Side
    b: Side
    allowed: tuple[SettingDifference, ...]  # what differs on purpose
    notes: tuple[str, ...]
    cells: tuple[CellEffect, ...]
    tails: tuple[CellEffect, ...]  # the same cells in the same order
    failures: FailureChange
    verdict: Overall
    sentence: str
