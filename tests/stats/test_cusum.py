"""The chart that finds changes of level, against published figures, other implementations and simulation."""

from __future__ import annotations

import math
import random
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.stats import survival
from harness.stats.cusum import LEARN, Design, follow, limit_for, median_of, run_length, score

MOMENTS = st.tuples(st.floats(1, 1e5), st.booleans())


def sequence(n: int, seed: int, shift_at: int | None = None, factor: float = 1.0) -> list[tuple[float, bool]]:
    dice = random.Random(seed)
    return [
        (5000 * math.exp(dice.gauss(0, 0.2)) * (factor if shift_at is not None and at >= shift_at else 1.0), False)
        for at in range(n)
    ]


@pytest.mark.parametrize(
    ("h", "shift", "published"),
    [
        (4, 0.0, 168), (4, 0.5, 26.6), (4, 1.0, 8.38), (4, 2.0, 3.34),
        (5, 0.0, 465), (5, 0.5, 38.0), (5, 1.0, 10.4), (5, 2.0, 4.01),
    ],
)  # fmt: skip
def test_average_run_lengths_are_those_of_montgomerys_table(h: float, shift: float, published: float) -> None:
    assert run_length(h, 0.5, shift) == pytest.approx(published, rel=0.04)  # k = 0.5, two-sided (table 9.3)


def test_the_limit_is_the_one_that_gives_the_run_length_asked_for() -> None:
    assert run_length(limit_for(2880), 0.5) == pytest.approx(2880, rel=0.03)
    assert limit_for(1) == pytest.approx(4, abs=0.01)
    assert limit_for(1e12) == pytest.approx(12, abs=0.01)


@settings(max_examples=60, deadline=None)
@given(st.lists(MOMENTS, min_size=1, max_size=12))
def test_the_median_of_a_round_is_that_of_kaplan_and_meier(values: list[tuple[float, bool]]) -> None:
    found = survival([one for one, _ in values], [cut for _, cut in values]).quantile(0.5)
    assert median_of(values) == ((found.value, False) if found.value is not None else (found.beyond, True))


def test_without_cuts_a_score_is_the_normal_score_of_the_rank() -> None:
    reference = [(float(at), False) for at in (10, 20, 30, 40)]
    assert score(reference, (25.0, False)) == pytest.approx(0)
    assert score(reference, (50.0, False)) == pytest.approx(NormalDist().inv_cdf(0.9))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(1, 1e4), min_size=12, max_size=30, unique=True), st.floats(1, 1e4))
def test_a_cut_value_scores_as_the_mean_of_all_that_it_may_have_been(times: list[float], cut_at: float) -> None:
    reference = [(one, False) for one in times]
    share = 1 - sum(one <= cut_at for one in times) / (len(times) + 1)  # the new one itself was watched until then
    found = score(reference, (cut_at, True))
    if share == 1.0:
        assert found == 0
        return
    low = NormalDist().inv_cdf(1 - share)
    grid = np.linspace(low, 9, 4_001)
    density = np.exp(-grid * grid / 2)
    assert found == pytest.approx(float((grid * density).sum() / density.sum()), abs=0.01)


def test_a_change_of_two_deviations_is_found_soon_and_its_beginning_is_named() -> None:
    found = [follow(sequence(160, seed, 100, 1.5)).changes for seed in range(20)]
    assert all(len(one) == 1 for one in found)
    assert all(one[0].direction == "up" and 85 <= one[0].since <= 104 for one in found)
    assert max(one[0].alarm for one in found) < 120


def test_what_matters_is_order_alone_so_no_distribution_has_to_be_assumed() -> None:
    values = sequence(200, 3, 120, 1.4)
    other = [(math.log(one) ** 7, cut) for one, cut in values]
    assert follow(values) == follow(other)


def test_false_alarms_come_as_rarely_as_ranks_drawn_by_lot_say() -> None:
    n, runs, h, k = 200, 150, 5.0, 0.5
    dice, up, down = np.random.default_rng(3), np.zeros(4000), np.zeros(4000)
    alarmed = np.zeros(4000, dtype=bool)
    for known in range(LEARN + 1, n + 1):  # the rank of the newest of independent values is uniform, and that is all
        z = stats.norm.ppf((dice.integers(1, known + 1, 4000) - 0.5) / known)
        up, down = np.maximum(0, up + z - k), np.maximum(0, down - z - k)
        alarmed |= (up > h) | (down > h)
    design = Design(k, h, settle=1000)
    found = sum(bool(follow(sequence(n, 5000 + seed), design=design).changes) for seed in range(runs)) / runs
    assert found == pytest.approx(alarmed.mean(), abs=0.12)  # three standard errors of 150 runs
    assert alarmed.mean() <= 1 - math.exp(-(n - LEARN) / run_length(h))  # what is printed is no promise too much


def test_a_busy_hour_is_a_change_until_it_is_known_and_none_after() -> None:
    def days(count: int) -> tuple[list[tuple[float, bool]], list[int]]:
        dice, values, hours = random.Random(11), [], []
        for number in range(24 * count):
            hour = number % 24
            values.append((5000 * (3.0 if 9 <= hour < 17 else 1.0) * math.exp(dice.gauss(0, 0.1)), False))
            hours.append(hour)
        return values, hours

    values, hours = days(40)
    late = 24 * 16
    assert not [one for one in follow(values, hours).changes if one.since > late]
    assert [one for one in follow(values).changes if one.since > late]


def test_cut_rounds_make_a_cell_slow_and_a_cell_that_is_always_cut_does_not_change() -> None:
    values = sequence(100, 5) + [(60_000.0, True)] * 20
    (change,) = follow(values).changes
    assert change.direction == "up"
    assert change.since >= 97
    assert not follow([(60_000.0, True)] * 200).changes


def test_a_change_ends_when_the_level_is_back_or_when_it_has_become_the_usual() -> None:
    slow = sequence(90, 1, 50, 2.0)
    back = follow(slow[:70] + sequence(120, 2)).changes[0]
    assert back.over == "back"
    assert back.ended is not None
    assert back.ended < 70 + 20
    settled = follow(slow + sequence(120, 2, 0, 2.0), design=Design(settle=60)).changes[0]
    assert settled.over == "settled"


def test_nothing_is_said_before_there_is_enough() -> None:
    found = follow(sequence(LEARN, 1))
    assert found.ranked == 0
    assert not found.changes
    with pytest.raises(ValueError, match="strata"):
        follow(sequence(3, 1), [1, 2])
