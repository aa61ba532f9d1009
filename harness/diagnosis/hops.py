"""The hop walk: the same shape at several entry points of one chain, and at which of them delay or failure appears.

Hops are compared in pairs that follow each other, outermost first, block by block: what an outer hop takes longer than
the next inner one in the same block is what lies between them. The interval of the median difference is the one of
order statistics (`harness.stats.quantiles`), its confidence shared out over the pairs of hops (Bonferroni). Failures
are compared by McNemar's exact test (Q. McNemar, Psychometrika 12 (1947) 153-157) on the same pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from scipy.stats import binom

from harness.conditions import EVENTS_FILE
from harness.frame import load_frame
from harness.stats import proportion, quantile, survival

HOPS_FILE = "hops.json"
DELIVERED = ("image", "wrong_image")
CUT_STATUSES = (408, 500, 502, 503, 504, 520, 522, 524)
ALPHA = 0.05
MIN_DELAY_MS = 1000.0
MIN_SHARE = 0.05  # of what the inner hop takes


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """One entry point. Times in ms; null where they cannot be told from these jobs."""

    route: str
    jobs: int
    delivered: int
    delivered_low: float | None
    delivered_high: float | None
    median_ms: float | None
    median_low_ms: float | None
    median_high_ms: float | None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What lies between a hop and the next inner one."""

    outer: str
    inner: str
    pairs: int  # blocks in which the difference, or its sign, is known
    adds_ms: float | None  # median of outer minus inner; null where the outer hop was cut in most of them
    adds_low_ms: float | None
    adds_high_ms: float | None
    delays: bool  # the whole interval lies above what matters
    failed_only_outside: int  # blocks in which the outer hop failed and the inner one delivered
    failed_only_inside: int
    p_value: float | None  # that the outer hop fails no more often than the inner one
    fails: bool


class Walk(msgspec.Struct, frozen=True, kw_only=True):
    """The whole walk, outermost hop first."""

    hops: tuple[Hop, ...]
    steps: tuple[Step, ...]
    confidence: float  # of each step's interval; together they hold with 95 %
    verdict: tuple[str, ...]


def walk_run(run_dir: Path, order: Sequence[str]) -> Walk:
    """The walk that a run's directory holds; written there as ``hops.json``.

    Raises:
        UsageProblem: the journal cannot be read.
    """
    jobs, _ = load_frame(run_dir / EVENTS_FILE)
    walked = walk(jobs, order)
    (run_dir / HOPS_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(walked), indent=2) + b"\n")
    return walked


def walk(jobs: pd.DataFrame, order: Sequence[str]) -> Walk:
    """Compare the hops of `order`, outermost first, over the jobs of one run."""
    frame = jobs.assign(
        # Equal for cells that differ in their route alone, which stands first in a cell's id.
        shape_key=[str(cell).partition("/")[2] for cell in jobs["cell"]],
        delivered=jobs["outcome"].isin(DELIVERED),
        took_ms=jobs["delivered_ms"].where(jobs["delivered_ms"].notna(), jobs["final_image_ms"]),
        cut=(jobs["outcome"] == "cut") | ((jobs["outcome"] == "error") & jobs["http_status"].isin(CUT_STATUSES)),
    )
    confidence = 1 - ALPHA / max(len(order) - 1, 1)
    by_hop = {name: frame[frame["route"] == name].set_index(["block", "shape_key"]) for name in order}
    hops = tuple(_hop(name, by_hop[name]) for name in order)
    steps = tuple(_step(outer, inner, by_hop[outer], by_hop[inner], confidence) for outer, inner in pairwise(order))
    return Walk(hops=hops, steps=steps, confidence=confidence, verdict=_verdict(steps, hops))


def _hop(name: str, jobs: pd.DataFrame) -> Hop:
    share = proportion(int(jobs["delivered"].sum()), len(jobs))
    # A job that was cut would have taken longer: its time is known from below. Refusals say nothing of time.
    timed = jobs[jobs["delivered"] | jobs["cut"]]
    times = np.where(timed["delivered"], timed["took_ms"], timed["total_ms"]).astype(float)
    known = np.isfinite(times)
    cut = ~timed["delivered"].to_numpy(dtype=bool)
    median = survival(times[known], cut[known]).quantile(0.5) if known.any() else None
    return Hop(
        route=name,
        jobs=len(jobs),
        delivered=share.count,
        delivered_low=share.low,
        delivered_high=share.high,
        median_ms=None if median is None else median.value,
        median_low_ms=None if median is None else median.low,
        median_high_ms=None if median is None else median.high,
    )


def _step(outer: str, inner: str, outside: pd.DataFrame, inside: pd.DataFrame, confidence: float) -> Step:
    pairs = outside.merge(inside, left_index=True, right_index=True, suffixes=("_out", "_in"))
    differences = [one for one in (_difference(row) for _, row in pairs.iterrows()) if one is not None]
    found = quantile(differences, 0.5, confidence)
    reference = float(np.nanmedian(pairs["took_ms_in"])) if pairs["took_ms_in"].notna().any() else 0.0
    only_outside = int((~pairs["delivered_out"] & pairs["delivered_in"]).sum())
    only_inside = int((pairs["delivered_out"] & ~pairs["delivered_in"]).sum())
    split = only_outside + only_inside
    p_value = float(binom.sf(only_outside - 1, split, 0.5)) if split else None
    return Step(
        outer=outer,
        inner=inner,
        pairs=len(differences),
        adds_ms=_finite(found.value),
        adds_low_ms=_finite(found.low),
        adds_high_ms=_finite(found.high),
        delays=found.low is not None and found.low >= max(MIN_DELAY_MS, MIN_SHARE * reference),
        failed_only_outside=only_outside,
        failed_only_inside=only_inside,
        p_value=p_value,
        fails=p_value is not None and p_value < 1 - confidence,
    )


def _difference(row: Any) -> float | None:
    """Outer minus inner in one block; infinite where the outer hop was cut later than the inner one delivered."""
    if not row["delivered_in"]:
        return None
    if row["delivered_out"]:
        return float(row["took_ms_out"] - row["took_ms_in"])
    return np.inf if row["cut_out"] and row["total_ms_out"] > row["took_ms_in"] else None


def _finite(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else value


def _verdict(steps: Sequence[Step], hops: Sequence[Hop]) -> tuple[str, ...]:
    lines = []
    for step in steps:
        if step.delays:
            much = "more than can be seen" if step.adds_ms is None else f"{step.adds_ms / 1000:.1f} s"
            lines.append(f"delay appears between {step.outer} and {step.inner}: {much}")
        if step.fails:
            lines.append(
                f"failure appears between {step.outer} and {step.inner}: {step.failed_only_outside} blocks failed at "
                f"{step.outer} alone, {step.failed_only_inside} at {step.inner} alone (p = {step.p_value:.2g})"
            )
    if lines:
        return tuple(lines)
    innermost = hops[-1]
    if innermost.jobs and not innermost.delivered:
        return (f"everything fails at the innermost hop, {innermost.route}: what lies outside of it is not to blame",)
    enough = all(step.adds_low_ms is not None and step.adds_high_ms is not None for step in steps)
    if enough:
        return ("no hop is shown to add delay or failure: the time is that of the innermost one",)
    return ("not enough blocks to say at which hop delay or failure appears: give more --blocks",)
