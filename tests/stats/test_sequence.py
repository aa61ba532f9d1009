"""Confidence sequences against simulation: never wrong more often than they say, however often one looks."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from harness.stats.quantiles import order_statistic_ranks
from harness.stats.sequence import QuantileSequence, decided, narrow, ranks

Limits = Callable[[int], tuple[int | None, int | None]]


def ever_missed(p: float, limits: Limits, trials: int = 4000, looks: int = 200, cut: float = 0.0) -> float:
    """The share of runs in which the true quantile was outside at one look or another. Times are lognormal."""
    dice = np.random.default_rng(7)
    truth = math.exp(0.3 * float(stats.norm.ppf(p)))
    times = np.exp(dice.normal(0, 0.3, (trials, looks)))
    # Caps that know how long each run's jobs would take: no kind of cutting may do harm.
    caps = np.quantile(times, 1 - cut, axis=1, keepdims=True) if cut else np.inf
    lows, highs = np.minimum(times, caps), np.where(times > caps, np.inf, times)
    at_or_below, below = np.cumsum(lows <= truth, axis=1), np.cumsum(highs < truth, axis=1)
    found = [limits(n) for n in range(1, looks + 1)]
    least = np.array([low or 0 for low, _ in found])
    most = np.array([looks + 1 if high is None else high for _, high in found])
    # The lower limit lies above the truth when fewer lows than its rank reach no further.
    return float(np.mean(((at_or_below < least) | (below >= most)).any(axis=1)))


@pytest.mark.parametrize("p", [0.5, 0.9])
@pytest.mark.parametrize("cut", [0.0, 0.2, 0.5])
def test_the_truth_is_hardly_ever_outside_at_any_of_200_looks(p: float, cut: float) -> None:
    assert ever_missed(p, lambda n: ranks(n, p, 0.05), cut=cut) <= 0.05


def test_an_ordinary_interval_looked_at_200_times_is_wrong_far_more_often() -> None:
    assert ever_missed(0.5, lambda n: order_statistic_ranks(n, 0.5), trials=400) > 0.2


def test_the_martingale_has_mean_one_at_every_n() -> None:
    # Ranks leave out what M_n >= 1 / alpha: then P(k) * M_n sums to 1, which is what Ville's inequality needs.
    for n, p in ((1, 0.5), (7, 0.9), (40, 0.5)):
        k = np.arange(n + 1)
        of_k = stats.binom.pmf(k, n, p)
        weighted = stats.betabinom.pmf(k, n, 2 * p, 2 * (1 - p))
        assert float(np.sum(weighted)) == pytest.approx(1)
        low, high = ranks(n, p, 0.05)
        kept = [value for value in k if weighted[value] / of_k[value] < 20]
        assert (low or 0, n if high is None else high - 1) == (kept[0], kept[-1])


def test_few_samples_leave_the_interval_open_and_it_closes_at_eight() -> None:
    sequence = QuantileSequence(0.5, 0.05)
    for n in range(1, 9):
        assert sequence.interval() == (None, None)
        sequence.add(float(n), float(n))
    assert sequence.interval() == (1.0, 8.0)


def test_a_cut_sample_counts_as_larger_and_never_narrows_the_upper_side() -> None:
    whole, cut = QuantileSequence(0.5, 0.05), QuantileSequence(0.5, 0.05)
    for value in np.random.default_rng(3).lognormal(3, 0.4, 60):
        whole.add(value, value)
        cut.add(min(value, 22.0), math.inf if value > 22.0 else value)
    (low, high), (cut_low, cut_high) = whole.interval(), cut.interval()
    assert None not in (low, high, cut_low)
    assert cut_low <= low  # type: ignore[operator]
    assert cut_high is None or cut_high >= high  # type: ignore[operator]


def test_ties_are_taken_on_the_careful_side() -> None:
    # A quantile of times that are told in whole seconds: P(X < q) < p < P(X <= q).
    dice = np.random.default_rng(5)
    missed = 0
    for _ in range(300):
        sequence, wrong = QuantileSequence(0.5, 0.05), False
        for value in dice.choice([1.0, 2.0, 3.0], size=80, p=[0.3, 0.4, 0.3]):
            sequence.add(value, value)
            low, high = sequence.interval()
            wrong = wrong or (low or 0) > 2 or (high is not None and high < 2)
        missed += wrong
    assert missed / 300 <= 0.05


def test_arms_that_are_the_same_are_hardly_ever_told_apart() -> None:
    dice = np.random.default_rng(11)
    wrong = 0
    for _ in range(200):
        sequence = QuantileSequence(0.5, 0.05)
        for ratio in np.exp(dice.normal(0, 0.4, 100)):
            sequence.add(ratio, ratio)
            if decided(*sequence.interval(), 0.0) is not None:
                wrong += 1
                break
    assert wrong / 200 <= 0.05


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1.06, 1.3, "slower"), (1.06, None, "slower"), (0.4, 0.94, "faster"), (None, 0.94, "faster"),
        (0.96, 1.04, "no_difference"), (1.04, 1.2, None), (None, 1.02, None), (None, None, None),
    ],
)  # fmt: skip
def test_a_comparison_is_decided_by_the_whole_interval(
    low: float | None, high: float | None, verdict: str | None
) -> None:
    assert decided(low, high, 0.05) == verdict


def test_an_interval_is_narrow_around_its_own_middle() -> None:
    assert narrow(90.0, 110.0, 0.1)
    assert not narrow(89.0, 110.0, 0.1)
    assert not narrow(90.0, None, 1.0)


def test_what_is_no_sample_or_no_share_is_refused() -> None:
    with pytest.raises(ValueError, match="no sample lies"):
        QuantileSequence(0.5, 0.05).add(2.0, 1.0)
    with pytest.raises(ValueError, match="strictly between"):
        QuantileSequence(1.0, 0.05)
