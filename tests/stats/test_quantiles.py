"""Quantiles know how many samples they need; shares stay between 0 and 1."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats import proportion, quantile, sample_floor
from harness.stats.quantiles import order_statistic_ranks


def at_least_two_beyond(n: int, p: float) -> float:
    """P(at least two of n samples lie beyond the p-quantile), summed term by term."""
    tail = 1 - max(p, 1 - p)
    return math.fsum(math.comb(n, k) * tail**k * (1 - tail) ** (n - k) for k in range(2, n + 1))


@pytest.mark.parametrize(("p", "floor"), [(0.5, 11), (0.9, 64), (0.95, 130), (0.99, 662)])
def test_the_floor_is_the_fewest_samples_with_two_beyond_the_quantile(p: float, floor: int) -> None:
    assert sample_floor(p) == floor
    assert at_least_two_beyond(floor, p) >= 0.99
    assert at_least_two_beyond(floor - 1, p) < 0.99


def test_the_floor_of_a_low_quantile_asks_the_other_side() -> None:
    assert sample_floor(0.1) == sample_floor(0.9)


@pytest.mark.parametrize("p", [0.0, 1.0, -0.5, 2.0])
def test_what_is_no_quantile_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match="strictly between"):
        sample_floor(p)


def test_a_quantile_is_a_sample_and_nothing_is_interpolated() -> None:
    ten = [float(value) for value in range(1, 11)]
    assert [quantile(ten, p).value for p in (0.05, 0.1, 0.5, 0.9, 0.91)] == [1, 1, 5, 9, 10]


def test_few_samples_are_thin_and_bounded_by_the_largest() -> None:
    found = quantile([3.0, 1.0, 2.0], 0.9)
    assert (found.value, found.thin, found.floor, found.high) == (3.0, True, 64, None)
    assert found.bound == 3.0
    assert found.bound_confidence == pytest.approx(1 - 0.9**3)


def test_enough_samples_are_not_thin() -> None:
    assert not quantile([1.0] * 11, 0.5).thin
    assert quantile([1.0] * 10, 0.5).thin


def test_no_samples_give_no_quantile() -> None:
    found = quantile([], 0.5)
    assert (found.value, found.low, found.high, found.n, found.thin) == (None, None, None, 0, True)


def binomial_below(n: int, p: float, rank: int) -> float:
    return math.fsum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(rank))


@pytest.mark.parametrize("n", [5, 6, 10, 30, 100])
@pytest.mark.parametrize("p", [0.5, 0.9, 0.95])
def test_the_interval_has_the_best_ranks_that_the_binomial_allows(n: int, p: float) -> None:
    low, high = order_statistic_ranks(n, p)
    if low is not None:
        assert binomial_below(n, p, low) <= 0.025 < binomial_below(n, p, low + 1)
    else:
        assert binomial_below(n, p, 1) > 0.025
    if high is not None:
        assert 1 - binomial_below(n, p, high) <= 0.025 < 1 - binomial_below(n, p, high - 1)
    else:
        assert 1 - binomial_below(n, p, n) > 0.025


def test_the_known_median_interval_of_ten_is_second_to_ninth() -> None:
    assert order_statistic_ranks(10, 0.5) == (2, 9)


def test_the_interval_covers_the_true_quantile_as_often_as_it_says() -> None:
    rng = random.Random(5)
    covered = 0
    for _ in range(400):
        found = quantile([rng.expovariate(1) for _ in range(80)], 0.5)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= math.log(2) <= found.high
    assert covered / 400 >= 0.93


def test_wilson_agrees_with_the_published_example() -> None:
    # Newcombe, Statistics in Medicine 17 (1998) 857-872, table I: 81 of 263 and 15 of 148.
    assert [round(x or 0, 4) for x in (proportion(81, 263).low, proportion(81, 263).high)] == [0.2553, 0.3662]
    assert [round(x or 0, 4) for x in (proportion(15, 148).low, proportion(15, 148).high)] == [0.0624, 0.1605]


def test_a_share_of_nothing_is_not_zero() -> None:
    assert proportion(0, 0).share is None


def test_none_of_n_and_all_of_n_touch_the_end() -> None:
    assert (proportion(0, 20).low, proportion(20, 20).high) == (0.0, 1.0)
    assert proportion(0, 20).high == pytest.approx(0.1611, abs=1e-4)


def test_more_than_all_is_refused() -> None:
    with pytest.raises(ValueError, match="3 of 2"):
        proportion(3, 2)


@given(st.integers(0, 500), st.integers(1, 500))
def test_the_share_lies_in_its_interval(count: int, n: int) -> None:
    found = proportion(min(count, n), n)
    assert found.low is not None
    assert found.high is not None
    assert found.share is not None
    assert 0 <= found.low <= found.share <= found.high <= 1
