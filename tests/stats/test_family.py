"""Many comparisons from one set of resamples."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.stats import family
from harness.stats.bootstrap import beyond_resamples_p, weighted_quantile, weighted_quantiles
from harness.stats.compare import Arm, compare, compare_at
from harness.stats.family import compare_all


def arm(
    n: int, factor: float, seed: int, *, blocks: int | None = None, cap: float = math.inf, luck: float = 0.3
) -> Arm:
    """Blocks share their weather, the same for every seed."""
    block = np.arange(n, dtype=np.int64) % (blocks or n)
    weather = np.random.default_rng(99).normal(0, 0.2, blocks or n)[block]
    times = 30_000 * factor * np.exp(weather + np.random.default_rng(seed).normal(0, luck, n))
    return Arm(np.minimum(times, cap), times > cap, block, np.zeros(n, dtype=np.int64))


@pytest.mark.parametrize("cap", [math.inf, 40_000.0])
def test_two_arms_of_the_same_blocks_are_compared_as_if_alone(cap: float) -> None:
    a, b = arm(60, 1, 1, cap=cap), arm(60, 1.2, 2, cap=cap)
    ((median, tail),) = compare_all([a, b], [(0, 1)])
    for found, p in ((median, 0.5), (tail, 0.9)):
        alone = compare(a, b, p=p)
        assert (found.ratio, found.ratio_low, found.ratio_high) == (alone.ratio, alone.ratio_low, alone.ratio_high)
        assert found.p_value == alone.p_value


def test_several_quantiles_at_once_are_each_one_alone() -> None:
    a, b = arm(50, 1, 1, cap=50_000), arm(50, 1.3, 2, cap=50_000)
    assert compare_at(a, b, (0.5, 0.9)) == (compare(a, b), compare(a, b, p=0.9))
    weights = np.random.default_rng(1).integers(0, 3, (40, 50))
    for p, found in zip((0.3, 0.9), weighted_quantiles(a.times, a.censored, weights, (0.3, 0.9)), strict=True):
        for one, other in zip(found, weighted_quantile(a.times, a.censored, weights, p), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("cap", [math.inf, 45_000.0])
def test_steps_of_a_large_arm_move_its_interval_by_less_than_one_part_in_a_hundred(
    monkeypatch: pytest.MonkeyPatch, cap: float
) -> None:
    arms = [arm(3000, 1, 1, blocks=30, cap=cap), arm(3000, 1.2, 2, blocks=30, cap=cap)]
    ((coarse, _),) = compare_all(arms, [(0, 1)], resamples=500)
    monkeypatch.setattr(family, "MOST_TIMES", 10_000)
    ((exact, _),) = compare_all(arms, [(0, 1)], resamples=500)
    assert coarse.ratio == exact.ratio
    assert coarse.ratio_low == pytest.approx(exact.ratio_low, rel=0.01)
    assert coarse.ratio_high == pytest.approx(exact.ratio_high, rel=0.01)


def test_bundles_of_blocks_keep_the_interval_about_as_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    arms = [arm(400, 1, 1, blocks=200), arm(400, 1.2, 2, blocks=200)]
    ((each, _),) = compare_all(arms, [(0, 1)])
    monkeypatch.setattr(family, "MOST_BLOCKS", 50)
    ((bundled, _),) = compare_all(arms, [(0, 1)])
    widths = [math.log((one.ratio_high or 0) / (one.ratio_low or 1)) for one in (each, bundled)]
    assert 0.7 < widths[1] / widths[0] < 1.5


def test_a_single_block_is_drawn_job_by_job() -> None:
    arms = [arm(60, 1, 1, blocks=1), arm(60, 1.5, 2, blocks=1)]
    ((median, _),) = compare_all(arms, [(0, 1)])
    assert median.verdict == "slower"


def test_arms_of_one_job_or_none_are_inconclusive_and_in_no_family() -> None:
    nothing = Arm(np.empty(0), np.empty(0, dtype=np.bool_), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
    found = compare_all([arm(50, 1, 1), arm(1, 1, 2), nothing], [(0, 1), (0, 2)])
    for effect in (effect for effects in found for effect in effects):
        assert (effect.verdict, effect.p_value) == ("inconclusive", None)
    assert compare_all([], []) == []


def test_a_tail_beyond_all_resamples_survives_a_family_of_hundreds() -> None:
    arms = [arm(80, 1, seed) for seed in range(20)] + [arm(80, 2.5, 50)]
    found = compare_all(arms, [(a, b) for a in range(4) for b in range(a + 1, 21)])
    tails = [effects[1] for effects in found if effects[1].ratio is not None and effects[1].ratio > 1.8]
    assert len(found) > 70  # so that 2 / 2001, the least that counting gives, would not do
    assert len(tails) == 4
    assert {effect.verdict for effect in tails} == {"slower"}


def test_equal_arms_in_a_large_family_raise_hardly_any_alarm() -> None:
    alarms = 0
    for trial in range(12):
        arms = [arm(40, 1, 100 * trial + seed) for seed in range(12)]
        found = compare_all(arms, [(0, b) for b in range(1, 12)], min_effect=0.0, resamples=999)
        alarms += any(effect.verdict in ("faster", "slower") for effects in found for effect in effects)
    assert alarms <= 3  # at most 5 % of the families, so one of 12


def test_the_p_value_beyond_the_resamples_is_that_of_a_normal_ratio_and_1_where_an_end_is_open() -> None:
    ratios = np.exp(np.random.default_rng(1).normal(0.4, 0.1, 4000))
    assert beyond_resamples_p(ratios, ratios, 10_000) == pytest.approx(6.3e-5, rel=0.5)  # four standard deviations
    assert beyond_resamples_p(1 / ratios, 1 / ratios, 10_000) == pytest.approx(6.3e-5, rel=0.5)
    assert beyond_resamples_p(np.zeros(9), np.full(9, np.inf), 100) == 1.0


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="smallest effect"):
        compare_all([arm(9, 1, 1)], [], ps=(1.5,))
