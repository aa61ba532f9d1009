"""A timer leaves equal times; a crowd does not. Truth: the constants that were put in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats.constants import ALPHA, FEWEST, constants


def crowd(seed: int, n: int, sigma: float = 0.4, median: float = 60.0) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.random.default_rng(seed).lognormal(np.log(median), sigma, n)


def cut_at(values: np.ndarray[tuple[int], np.dtype[np.float64]], cap: float, seed: int = 0):  # type: ignore[no-untyped-def]
    late = 1 + np.random.default_rng(seed).exponential(0.002, values.size)
    return np.where(values > cap, cap * late, values)


def test_a_cap_in_a_crowd_of_thirty_is_found_with_the_jobs_that_it_cut() -> None:
    values = cut_at(crowd(1, 30), 60.0)
    (found,) = constants(values)
    assert found.at == pytest.approx(60.0, rel=0.01)
    assert found.p_value < ALPHA
    assert set(np.flatnonzero(values >= 60.0)) == set(found.members)
    assert found.n == 30


@pytest.mark.parametrize("sigma", [0.1, 0.2, 0.4, 1.0])
def test_no_cap_is_invented_in_a_thousand_uncut_times(sigma: float) -> None:
    assert [constants(crowd(seed, 1000, sigma)) for seed in range(20)] == [()] * 20


def test_two_caps_on_one_route_are_both_found() -> None:
    dice = np.random.default_rng(3)
    values = np.concatenate([60 * (1 + dice.exponential(0.002, 12)), 100 * (1 + dice.exponential(0.002, 9))])
    assert sorted(round(one.at) for one in constants(values)) == [60, 100]


def test_five_equal_times_are_a_constant_and_four_are_an_accident() -> None:
    equal = [60.1, 60.2, 60.15, 60.12, 60.3]
    assert constants(equal)[0].count == FEWEST
    assert constants(equal[:4]) == ()


def test_the_order_of_the_times_does_not_matter() -> None:
    values = cut_at(crowd(5, 40), 55.0)
    shuffled = np.random.default_rng(0).permutation(values.size)
    first, second = constants(values), constants(values[shuffled])
    assert [one.at for one in first] == [one.at for one in second]
    assert {values[i] for i in first[0].members} == {values[shuffled][i] for i in second[0].members}


@pytest.mark.parametrize("values", [[], [1.0], [0.0] * 10, [float("nan")] * 10, [-1.0] * 10])
def test_nothing_is_found_in_nothing(values: list[float]) -> None:
    assert constants(values) == ()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=60))
def test_no_list_of_numbers_makes_it_fall_over(values: list[float]) -> None:
    for one in constants(values):
        assert one.count >= FEWEST
        assert len(one.members) == one.count


def test_times_that_are_equal_to_the_last_digit_are_a_constant() -> None:
    assert constants([1.0] * 5)[0].at == 1.0
