"""Many comparisons among the cells of one run, from one set of resamples.

The cells of a run share its blocks, so the blocks are drawn once for all of them. In each resample every arm has its
quantiles once, however many comparisons it takes part in; two arms stay paired, because their blocks were drawn
together. That is `harness.stats.compare` for each pair, but for one thing: there the blocks of the pair are drawn, here
those of the run, so an arm that lacks blocks has an interval that is a little wider.

What keeps this bearable in a run of any size:

* More than `MOST_BLOCKS` blocks are drawn as that many bundles of neighbouring ones. A bundle holds the weather of its
  blocks, so intervals become no narrower than they should be.
* In an arm of more than `MOST_TIMES` jobs, times are put up to the next of `STEPS` moments that part its jobs evenly.
  A resampled quantile is then off by at most one part in `STEPS` of the jobs, which is little beside its interval. The
  figures themselves and the tests of the median take every job as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.stats.bootstrap import draws, weighted_quantiles
from harness.stats.censored import BoolArray, IntArray
from harness.stats.compare import Arm, Effect, adjusted, effect_of
from harness.stats.quantiles import INTERVAL_CONFIDENCE, FloatArray

MOST_BLOCKS = 400
MOST_TIMES = 2000
STEPS = 500

_Pair = tuple[FloatArray, FloatArray]


def compare_all(
    arms: Sequence[Arm],
    pairs: Sequence[tuple[int, int]],
    *,
    ps: Sequence[float] = (0.5, 0.9),
    min_effect: float = 0.05,
    confidence: float = INTERVAL_CONFIDENCE,
    seed: int = 0,
    resamples: int = 2000,
) -> list[tuple[Effect, ...]]:
    """For each pair (a, b) of positions in `arms` an effect for each p; b against a. Holm over all of them together.

    Raises:
        ValueError: a share is not between 0 and 1, or the smallest effect is not from 0 to below 1.
    """
    if not (all(0 < p < 1 for p in ps) and 0 < confidence < 1 and 0 <= min_effect < 1):
        raise ValueError("p and confidence lie strictly between 0 and 1, the smallest effect from 0 to below 1")
    wanted = sorted({index for pair in pairs for index in pair})
    blocks = np.unique(np.concatenate([arms[index].block for index in wanted])) if wanted else np.empty(0)
    single = blocks.size <= 1  # says nothing about blocks: there jobs are drawn as if they were independent
    clusters, drawn = {}, {}
    common = None if single else _drawn(min(blocks.size, MOST_BLOCKS), resamples, seed)
    for index in wanted:
        arm = arms[index]
        where = np.searchsorted(blocks, arm.block)
        clusters[index] = (
            np.arange(arm.times.size, dtype=np.int64)
            if single
            else where * min(blocks.size, MOST_BLOCKS) // blocks.size
        )
        if arm.times.size >= 2 and np.unique(clusters[index]).size >= 2:
            own = _drawn(min(arm.times.size, MOST_BLOCKS), resamples, seed + index) if common is None else common
            if single:
                clusters[index] = clusters[index] * own.shape[1] // arm.times.size
            drawn[index] = _quantiles(arm, clusters[index], own, ps)
    effects: list[Effect] = []
    for one, other in pairs:
        a, b = arms[one], arms[other]
        fewest = min(np.unique(clusters[one]).size, np.unique(clusters[other]).size)
        several = max(_most(clusters[one]), _most(clusters[other])) > 1
        for at, p in enumerate(ps):
            known = one in drawn and other in drawn
            resampled = (*drawn[one][at], *drawn[other][at]) if known else None
            effects.append(
                effect_of(a, b, resampled, p=p, min_effect=min_effect, confidence=confidence, fewest=fewest,
                          several=several)
            )  # fmt: skip
    after = adjusted(effects)
    return [tuple(after[start : start + len(ps)]) for start in range(0, len(after), len(ps))]


def _drawn(clusters: int, resamples: int, seed: int) -> IntArray:
    return np.concatenate(list(draws(clusters, resamples, seed, clusters)))


def _most(clusters: IntArray) -> int:
    return int(np.bincount(clusters).max(initial=0))


def _quantiles(arm: Arm, clusters: IntArray, drawn: IntArray, ps: Sequence[float]) -> list[_Pair]:
    """The quantiles of one arm in each resample, as (at least, at most)."""
    if arm.times.size <= MOST_TIMES:
        return weighted_quantiles(arm.times, arm.censored, drawn[:, clusters], ps)
    times, censored, counts = _stepped(arm.times, arm.censored, clusters, drawn.shape[1])
    return weighted_quantiles(times, censored, drawn.astype(np.float64) @ counts, ps)


def _stepped(
    times: FloatArray, censored: BoolArray, clusters: IntArray, size: int
) -> tuple[FloatArray, BoolArray, FloatArray]:
    """Moments, whether what is counted there was cut, and how many jobs of each cluster (row) are there."""
    ordered = np.sort(times)
    edges = np.unique(ordered[np.ceil(np.arange(1, STEPS + 1) * times.size / STEPS).astype(np.int64) - 1])
    step = np.searchsorted(edges, times)
    place = step * 2 + censored
    flat = np.bincount(clusters * (2 * edges.size) + place, minlength=size * 2 * edges.size)
    counts = flat.reshape(size, 2 * edges.size).astype(np.float64)
    there = counts.any(axis=0)
    return np.repeat(edges, 2)[there], np.tile(np.array([False, True]), edges.size)[there], counts[:, there]
