"""Comparisons of two arms: against simulation, against other implementations, and at the edges of what can be told."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from harness.stats import survival
from harness.stats.bootstrap import weighted_quantile
from harness.stats.compare import Arm, Effect, adjusted, compare, holm
from harness.stats.ranktests import akritas_scores


def arm(times: object, cap: float = math.inf, first_block: int = 0, blocks: int | None = None) -> Arm:
    """Times of blocks one after the other, cut at `cap`; one job a block unless `blocks` says fewer."""
    all_of = np.asarray(times, dtype=np.float64)
    block = np.arange(all_of.size) % (blocks or all_of.size) + first_block
    return Arm(np.minimum(all_of, cap), all_of > cap, block, np.zeros(all_of.size, dtype=np.int64))


def pair(factor: float, n: int = 60, seed: int = 0, luck: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    dice = np.random.default_rng(seed)
    weather = dice.normal(10, 0.3, n)
    return np.exp(weather + dice.normal(0, luck, n)), factor * np.exp(weather + dice.normal(0, luck, n))


@pytest.mark.parametrize("seed", range(20))
def test_a_weighted_quantile_is_that_of_the_repeated_jobs(seed: int) -> None:
    dice = np.random.default_rng(seed)
    n = int(dice.integers(1, 40))
    times = dice.integers(1, 15, n).astype(np.float64)
    cut = dice.random(n) < (0.4 if seed % 2 else 0.0)
    weights = dice.integers(0, 4, (5, n))
    for p in (0.25, 0.5, 0.9):
        least, most = weighted_quantile(times, cut, weights, p)
        for row, (low, high) in zip(weights, zip(least, most, strict=True), strict=True):
            repeated, flags = np.repeat(times, row), np.repeat(cut, row)
            found = survival(repeated, flags).quantile(p).value
            if found is not None:
                assert low == high == found
            else:
                assert high == math.inf
                assert low == (repeated.max() if repeated.size else 0.0)


def test_a_slower_arm_is_called_slower_and_the_other_way_round_faster() -> None:
    a, b = pair(1.3)
    slower, faster = compare(arm(a), arm(b)), compare(arm(b), arm(a))
    assert (slower.verdict, faster.verdict) == ("slower", "faster")
    assert slower.ratio == pytest.approx(1 / (faster.ratio or 0))
    assert slower.ratio_low is not None
    assert slower.ratio_low == pytest.approx(1 / (faster.ratio_high or 0), rel=0.02)
    assert slower.pairs == slower.n_a == 60
    assert slower.p_value == pytest.approx(stats.wilcoxon(np.log(b) - np.log(a)).pvalue)


def test_equal_arms_differ_in_nothing_only_when_there_are_enough_jobs_to_say_so() -> None:
    enough = compare(*map(arm, pair(1.0, n=3000, luck=0.05)))
    few = compare(*map(arm, pair(1.0, n=20)))
    assert enough.verdict == "no_difference"
    assert few.verdict == "inconclusive"


def test_arms_that_are_the_same_to_the_last_digit_are_no_reason_to_stumble() -> None:
    a, _ = pair(1.0)
    same = compare(arm(a), arm(a))
    assert (same.difference, same.low, same.high) == (0, 0, 0)
    assert same.verdict == "no_difference"


def test_pairing_takes_the_weather_out() -> None:
    a, b = pair(1.1, n=80, luck=0.02)
    paired, unpaired = compare(arm(a), arm(b)), compare(arm(a), arm(b, first_block=1000))
    assert (paired.pairs, unpaired.pairs) == (80, 0)
    assert (paired.ratio_high or 0) - (paired.ratio_low or 0) < (unpaired.ratio_high or 0) - (unpaired.ratio_low or 0)
    assert unpaired.p_value == pytest.approx(stats.mannwhitneyu(a, b).pvalue)
    assert (paired.p_value or 1) < (unpaired.p_value or 0)


def test_blocks_of_many_jobs_count_as_blocks() -> None:
    dice = np.random.default_rng(3)
    weather_a, weather_b = dice.normal(10, 0.3, 6), dice.normal(10, 0.3, 6)
    a = np.exp(np.tile(weather_a, 50) + dice.normal(0, 0.01, 300))
    b = np.exp(np.tile(weather_b, 50) + dice.normal(0, 0.01, 300))
    as_blocks = compare(arm(a, blocks=6), arm(b, blocks=6, first_block=100))
    as_jobs = compare(arm(a), arm(b, first_block=1000))
    assert (as_blocks.high or math.inf) - (as_blocks.low or -math.inf) > 3 * ((as_jobs.high or 0) - (as_jobs.low or 0))


def test_a_cut_arm_is_slower_by_at_least_what_its_cuts_show() -> None:
    a, b = pair(5.0)
    effect = compare(arm(a), arm(b, cap=float(np.median(a)) * 2))
    assert effect.b is None
    assert effect.ratio is None
    assert effect.ratio_high is None
    assert effect.ratio_low is not None
    assert 1.05 < effect.ratio_low < 2.01
    assert effect.verdict == "slower"
    assert effect.censored_b > 30


def test_two_arms_that_are_mostly_cut_say_nothing() -> None:
    a, b = pair(1.2)
    effect = compare(arm(a, cap=float(a.min())), arm(b, cap=float(a.min())))
    assert (effect.a, effect.b, effect.low, effect.high) == (None, None, None, None)
    assert effect.verdict == "inconclusive"


def test_leaving_the_cut_jobs_out_would_have_hidden_it() -> None:
    a, b = pair(1.3, n=100)
    cap = float(np.quantile(a, 0.8))
    effect = compare(arm(a, cap), arm(b, cap))
    naive = float(np.median(b[b <= cap]) / np.median(a[a <= cap]))
    assert effect.verdict == "slower"
    assert naive < (effect.ratio_low or 0) < 1.3


def test_unpaired_cut_arms_are_tested_by_logrank() -> None:
    a, b = pair(1.3, n=100)
    cap = float(np.quantile(a, 0.7))
    effect = compare(arm(a, cap), arm(b, cap, first_block=1000))
    cut = [stats.CensoredData.right_censored(np.minimum(x, cap), x > cap) for x in (a, b)]
    assert effect.p_value == pytest.approx(stats.logrank(*cut).pvalue)


def test_without_cuts_the_scores_are_ranks() -> None:
    times = np.array([5.0, 1.0, 3.0, 3.0, 9.0])
    scores = akritas_scores(times, np.zeros(5, dtype=np.bool_))
    assert scores == pytest.approx((stats.rankdata(times) - 0.5) / 5)


def test_a_cut_job_ranks_half_way_from_its_cut_to_the_end() -> None:
    scores = akritas_scores(np.array([1.0, 2.0, 2.0, 4.0]), np.array([False, False, True, False]))
    assert scores == pytest.approx([0.125, 0.375, 0.75, 0.75])


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_too_few_jobs_are_inconclusive_and_say_why(n: int) -> None:
    effect = compare(arm([1000.0] * n), arm([9000.0 + i for i in range(n)]))
    assert effect.verdict == "inconclusive"
    assert effect.why


def test_a_tail_has_no_limit_that_no_job_can_serve_for() -> None:
    a, b = pair(2.0, n=20)
    effect = compare(arm(a), arm(b), p=0.9)
    assert effect.ratio is not None
    assert effect.ratio_high is None
    assert effect.verdict == "inconclusive"


def test_a_single_block_is_drawn_job_by_job() -> None:
    a, b = pair(1.5)
    effect = compare(arm(a, blocks=1), arm(b, blocks=1))
    assert effect.verdict == "slower"


def test_the_same_seed_gives_the_same_effect_and_pieces_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = map(arm, pair(1.1))
    whole = compare(a, b, seed=4)
    assert compare(a, b, seed=4) == whole
    monkeypatch.setattr("harness.stats.bootstrap._CHUNK", 6000)
    in_pieces = compare(a, b, seed=4)
    assert in_pieces == whole


def test_a_time_of_zero_is_a_time() -> None:
    effect = compare(arm([0.0] * 20), arm([5.0 + i for i in range(20)]))
    assert (effect.ratio, effect.ratio_low, effect.ratio_high) == (None, None, None)
    assert effect.difference == 14.0


def test_nonsense_is_refused() -> None:
    a = arm([1.0, 2.0])
    with pytest.raises(ValueError, match="length"):
        replace(a, block=np.array([1]))
    with pytest.raises(ValueError, match="negative"):
        arm([-1.0])
    with pytest.raises(ValueError, match="strictly"):
        compare(a, a, p=1.0)


def test_holm_agrees_with_its_definition() -> None:
    assert holm([0.01, None, 0.04, 0.03]) == pytest.approx([0.03, None, 0.06, 0.06])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []
    dice = np.random.default_rng(0)
    p = dice.random(12)
    ranks = np.argsort(np.argsort(p))
    wanted = [max(min(1.0, (12 - ranks[j]) * p[j]) for j in range(12) if p[j] <= p[i]) for i in range(12)]
    assert holm(list(p)) == pytest.approx(wanted)


def test_many_comparisons_raise_the_bar_and_the_verdict_follows() -> None:
    a, b = pair(1.14, n=60, luck=0.2)
    alone = compare(arm(a), arm(b), min_effect=0.0)
    assert alone.verdict == "slower"
    others: list[Effect] = [compare(*map(arm, pair(1.0, seed=seed))) for seed in range(1, 4)]
    together = adjusted([alone, *others] * 40)
    assert together[0].p_value == alone.p_value
    assert (together[0].p_adjusted or 0) > (alone.p_value or 0)
    assert together[0].verdict == ("inconclusive" if (together[0].p_adjusted or 0) >= 0.05 else "slower")


def test_equal_arms_raise_few_alarms_and_their_intervals_hold() -> None:
    alarms = held = 0
    for seed in range(200):
        effect = compare(*map(arm, pair(1.0, n=30, seed=seed, luck=0.3)), min_effect=0.0, resamples=400)
        alarms += effect.verdict != "inconclusive"
        held += (effect.ratio_low or 0) <= 1 <= (effect.ratio_high or math.inf)
    assert alarms <= stats.binom.ppf(0.999, 200, 0.05)
    assert held >= stats.binom.ppf(0.001, 200, 0.95)


def test_a_p_value_shows_nothing_towards_a_side_that_is_open() -> None:
    """Of six jobs no quantile has an upper limit at 90 %: p was under 0.05 for a quarter of equal arms."""
    small = 0
    for seed in range(100):
        dice = np.random.default_rng(seed)
        effect = compare(
            arm(dice.lognormal(0, 0.4, 6)), arm(dice.lognormal(0, 0.4, 60), first_block=100), p=0.9, min_effect=0.0,
            resamples=400,
        )  # fmt: skip
        assert (effect.low, effect.high is None) == (None, False)
        small += effect.p_value is not None and effect.p_value < 0.05
    assert small <= stats.binom.ppf(0.999, 100, 0.05)


def test_caps_that_differ_between_equal_arms_are_no_effect() -> None:
    alarms = 0
    for seed in range(300):
        a, b = pair(1.0, n=40, seed=seed, luck=0.3)
        effect = compare(arm(a, cap=22_000.0), arm(b, cap=34_000.0), min_effect=0.0, resamples=200)
        alarms += effect.p_value is not None and effect.p_value < 0.05
    assert alarms <= stats.binom.ppf(0.999, 300, 0.05)
