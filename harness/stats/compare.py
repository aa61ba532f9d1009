"""Is one arm faster than the other, by how much, and how sure is that?

The effect is a quantile of b against the same quantile of a, as a difference in ms and as a ratio, each with an
interval from resampled blocks (`harness.stats.bootstrap`). Beside it stands a test (`harness.stats.ranktests`): of the
median by ranks, of other quantiles by the same resamples, because a rank test says nothing about a tail.

The verdict on both together is that of `harness.stats.effect`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.stats.bootstrap import (
    beyond_resamples_p,
    bootstrap_p,
    draws,
    percentile_limits,
    weighted_quantile,
    weighted_quantiles,
)
from harness.stats.censored import BoolArray, IntArray
from harness.stats.effect import Effect, EffectVerdict, adjusted, judged
from harness.stats.holm import holm
from harness.stats.quantiles import INTERVAL_CONFIDENCE, FloatArray, order_statistic_ranks
from harness.stats.ranktests import (
    Middle,
    akritas_scores,
    by_block,
    log_times,
    logrank_p,
    of_blocks,
    paired_p,
    unpaired_p,
)

Resampled = tuple[FloatArray, FloatArray, FloatArray, FloatArray]
"""A quantile in each resample: of a at least and at most, then of b."""

__all__ = ["Arm", "Effect", "EffectVerdict", "Resampled", "adjusted", "compare", "compare_at", "holm"]


@dataclass(frozen=True)
class Arm:
    """One row a job, arrays of equal length. `times` in ms; where `censored`, the true time is larger.

    `block` and `prompt` are any whole numbers; equal ones in two arms mean the same block and the same prompt. Blocks
    of two runs that have nothing to do with each other need different numbers.

    Raises:
        ValueError: lengths differ, or a time is negative or not finite.
    """

    times: FloatArray
    censored: BoolArray
    block: IntArray
    prompt: IntArray

    def __post_init__(self) -> None:
        if not self.times.shape == self.censored.shape == self.block.shape == self.prompt.shape:
            raise ValueError("times, flags, blocks and prompts are not of one length")
        if not np.isfinite(self.times).all() or (self.times < 0).any():
            raise ValueError("a time is negative or not finite")


def compare(
    a: Arm,
    b: Arm,
    *,
    p: float = 0.5,
    min_effect: float = 0.05,
    confidence: float = INTERVAL_CONFIDENCE,
    seed: int = 0,
    resamples: int = 2000,
) -> Effect:
    """The effect of being in b instead of in a. `p_adjusted` is that of this one comparison; see `adjusted`.

    Raises:
        ValueError: a share is not between 0 and 1, or the smallest effect is not from 0 to below 1.
    """
    return compare_at(a, b, (p,), min_effect=min_effect, confidence=confidence, seed=seed, resamples=resamples)[0]


def compare_at(
    a: Arm,
    b: Arm,
    ps: Sequence[float],
    *,
    min_effect: float = 0.05,
    confidence: float = INTERVAL_CONFIDENCE,
    seed: int = 0,
    resamples: int = 2000,
) -> tuple[Effect, ...]:
    """`compare` at several quantiles, from the same resamples."""
    if not (all(0 < p < 1 for p in ps) and 0 < confidence < 1 and 0 <= min_effect < 1):
        raise ValueError("p and confidence lie strictly between 0 and 1, the smallest effect from 0 to below 1")
    clusters_a, clusters_b, clusters = _clusters(a, b)
    fewest = min(np.unique(clusters_a).size, np.unique(clusters_b).size)
    several = _most_jobs(clusters_a) > 1 or _most_jobs(clusters_b) > 1
    resampled: Sequence[Resampled | None] = [None] * len(ps)
    if fewest >= 2:
        resampled = _resampled(a, b, clusters_a, clusters_b, clusters, ps, seed, resamples)
    return tuple(
        effect_of(a, b, one, p=p, min_effect=min_effect, confidence=confidence, fewest=fewest, several=several)
        for p, one in zip(ps, resampled, strict=True)
    )


def effect_of(
    a: Arm,
    b: Arm,
    resampled: Resampled | None,
    *,
    p: float,
    min_effect: float,
    confidence: float,
    fewest: int,
    several: bool,
) -> Effect:
    """The effect from quantiles that were resampled already: a's as (at least, at most), then b's. Null: none were.

    `fewest` clusters that an arm has; `several`: a cluster holds more than one job of an arm.
    """
    value_a, value_b = _value(a, p), _value(b, p)
    known = value_a is not None and value_b is not None
    low = high = ratio_low = ratio_high = p_value = None
    limits = _open_sides(a, b, p, confidence)
    # With both sides open nothing can be concluded, whatever a test says: then it is none of Holm's comparisons.
    if resampled is not None and any(limits):
        least_a, most_a, least_b, most_b = resampled
        low, high = _kept(percentile_limits(least_b - most_a, most_b - least_a, confidence, fewest, several), limits)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = (
                np.nan_to_num(least_b / most_a, nan=0.0, posinf=np.inf),
                np.nan_to_num(most_b / least_a, nan=np.inf, posinf=np.inf),
            )
        ratio_low, ratio_high = _kept(percentile_limits(*ratios, confidence, fewest, several), limits)
        if p == 0.5:
            p_value = _median_p(a, b)
        else:
            p_value = bootstrap_p(least_b - most_a, most_b - least_a, fewest, several, limits)
            if p_value is not None and p_value <= 4 / (least_a.size + 1):
                p_value = min(p_value, beyond_resamples_p(*ratios, fewest))
    effect = Effect(
        p=p,
        a=value_a,
        b=value_b,
        difference=value_b - value_a if value_a is not None and value_b is not None else None,
        low=low,
        high=high,
        ratio=value_b / value_a if known and value_a and value_b is not None else None,
        ratio_low=ratio_low or None,  # 0 is what an infinite quantile of a leaves: open
        ratio_high=ratio_high,
        n_a=int(a.times.size),
        n_b=int(b.times.size),
        pairs=_pairs(a, b),
        censored_a=int(np.count_nonzero(a.censored)),
        censored_b=int(np.count_nonzero(b.censored)),
        p_value=p_value,
        p_adjusted=p_value,
        confidence=confidence,
        min_effect=min_effect,
        verdict="inconclusive",
        why="",
    )
    return judged(effect)


def _value(arm: Arm, p: float) -> float | None:
    one = np.ones((1, arm.times.size))
    _, most = weighted_quantile(arm.times, arm.censored, one, p)
    return float(most[0]) if math.isfinite(most[0]) else None


def _clusters(a: Arm, b: Arm) -> tuple[IntArray, IntArray, int]:
    """What is drawn together: the block of each job, numbered from 0 over both arms; else each job for itself.

    A single block in all says nothing about blocks, so there jobs are drawn as if they were independent.
    """
    blocks, where = np.unique(np.concatenate([a.block, b.block]), return_inverse=True)
    where = where.reshape(-1).astype(np.int64)
    if blocks.size == 1:
        where = np.arange(where.size, dtype=np.int64)
    return where[: a.block.size], where[a.block.size :], int(where.max(initial=-1)) + 1


def _most_jobs(clusters: IntArray) -> int:
    return int(np.bincount(clusters).max(initial=0))


def _resampled(
    a: Arm,
    b: Arm,
    clusters_a: IntArray,
    clusters_b: IntArray,
    clusters: int,
    ps: Sequence[float],
    seed: int,
    resamples: int,
) -> list[Resampled]:
    """For each p the quantile of each arm in each resample, as pairs (at least, at most)."""
    pieces: list[list[Resampled]] = []
    jobs = max(a.times.size, b.times.size)
    streams: Iterator[tuple[IntArray, IntArray]]
    if np.intersect1d(clusters_a, clusters_b).size:
        streams = ((drawn, drawn) for drawn in draws(clusters, resamples, seed, jobs))
    else:
        own = [(np.unique(of), seed + index) for index, of in enumerate((clusters_a, clusters_b))]
        streams = zip(*(_spread(of, clusters, resamples, stream, jobs) for of, stream in own), strict=True)
    for drawn_a, drawn_b in streams:
        of_a = weighted_quantiles(a.times, a.censored, drawn_a[:, clusters_a], ps)
        of_b = weighted_quantiles(b.times, b.censored, drawn_b[:, clusters_b], ps)
        pieces.append([(*one, *other) for one, other in zip(of_a, of_b, strict=True)])
    found: list[Resampled] = []
    for of_p in zip(*pieces, strict=True):
        least_a, most_a, least_b, most_b = (np.concatenate(column) for column in zip(*of_p, strict=True))
        found.append((least_a, most_a, least_b, most_b))
    return found


def _spread(own: IntArray, clusters: int, resamples: int, seed: int, jobs: int) -> Iterator[IntArray]:
    for drawn in draws(own.size, resamples, seed, jobs):
        wide = np.zeros((drawn.shape[0], clusters), dtype=np.int64)
        wide[:, own] = drawn
        yield wide


def _open_sides(a: Arm, b: Arm, p: float, confidence: float) -> tuple[bool, bool]:
    """Whether (low, high) can be told: an arm has to have enough jobs for a limit of its own quantile on that side."""
    low_a, high_a = order_statistic_ranks(int(a.times.size), p, confidence)
    low_b, high_b = order_statistic_ranks(int(b.times.size), p, confidence)
    return low_b is not None and high_a is not None, high_b is not None and low_a is not None


def _kept(found: tuple[float | None, float | None], told: tuple[bool, bool]) -> tuple[float | None, float | None]:
    return (found[0] if told[0] else None), (found[1] if told[1] else None)


def _pairs(a: Arm, b: Arm) -> int:
    """Combinations of block and prompt that both have."""
    low = int(min(a.prompt.min(initial=0), b.prompt.min(initial=0)))
    wide = int(max(a.prompt.max(initial=0), b.prompt.max(initial=0))) - low + 1
    return int(np.intersect1d(a.block * wide + a.prompt - low, b.block * wide + b.prompt - low).size)


def _median_p(a: Arm, b: Arm) -> float | None:
    shared = np.intersect1d(a.block, b.block).size
    blocks_a, blocks_b = np.unique(a.block).size, np.unique(b.block).size
    paired = _pairs(a, b) > 0 and 2 * shared >= min(blocks_a, blocks_b) and shared > 1
    cut = bool(a.censored.any() or b.censored.any())
    if not cut:
        values_a, values_b = log_times(a.times), log_times(b.times)
    else:
        scores = akritas_scores(np.concatenate([a.times, b.times]), np.concatenate([a.censored, b.censored]))
        values_a, values_b = scores[: a.times.size], scores[a.times.size :]
    middle: Middle = "mean" if cut else "median"
    if paired:
        of_a, of_b = (by_block(v, arm.block, arm.prompt, middle) for v, arm in ((values_a, a), (values_b, b)))
        return paired_p(of_a, of_b, ranks=not cut)
    lone = max(blocks_a, blocks_b) == 1 or (blocks_a == a.times.size and blocks_b == b.times.size)
    if lone and cut:
        return logrank_p(a.times, a.censored, b.times, b.censored)
    if not lone:
        values_a, values_b = (of_blocks(v, arm.block, middle) for v, arm in ((values_a, a), (values_b, b)))
    return unpaired_p(values_a, values_b, ranks=not cut)
