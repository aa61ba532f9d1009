"""How far clocks are apart: bounds from known pairs, a pile from unknown ones."""

from __future__ import annotations

import numpy as np
import pytest

from harness.ingest.skew import skew_of_pairs, skew_of_strangers

NONE = np.empty(0)


def test_known_pairs_bound_the_offset_from_both_sides() -> None:
    start = np.array([0.0, 100.0, 200.0])
    end = start + 50
    found = skew_of_pairs(start, end, start + 90.2, end + 89.9, 0.0)
    assert (found.low_s, found.high_s) == pytest.approx((89.9, 90.2))
    assert found.offset_s == pytest.approx(90.2)
    assert found.pairs == 3


def test_ends_of_cut_answers_bound_nothing() -> None:
    start = np.array([0.0, 100.0])
    found = skew_of_pairs(start, np.full(2, np.nan), start + 90, start + 300, 0.0)
    assert (found.low_s, found.high_s) == (None, pytest.approx(90.0))


def test_a_clock_that_was_set_meanwhile_has_no_bounds() -> None:
    start = np.array([0.0, 100.0, 200.0, 300.0])
    moved = start + np.array([0.0, 0.0, 30.0, 30.0])
    found = skew_of_pairs(start, start + 50, moved, moved + 50, 0.0)
    assert (found.low_s, found.high_s) == (None, None)
    assert "contradict" in found.why


def test_no_pair_says_so() -> None:
    assert skew_of_pairs(NONE, NONE, NONE, NONE, 1.0).offset_s is None


def test_four_records_are_too_few_to_tell_an_offset() -> None:
    start = np.array([0.0, 70.0, 150.0, 400.0])
    kinds = np.full(4, -1, dtype=np.int64)
    found = skew_of_strangers(start, kinds, start + 90, kinds, 1.0)
    assert found.offset_s is None
    assert "five" in found.why


def test_shapes_tell_apart_what_times_alone_would_not() -> None:
    dice = np.random.default_rng(1)
    start = np.cumsum(dice.exponential(2.0, 300))
    kinds = dice.integers(0, 50, 300)
    blind = skew_of_strangers(start, np.full(300, -1), start + 90, np.full(300, -1), 0.01)
    shaped = skew_of_strangers(start, kinds, start + 90, kinds, 0.01)
    assert shaped.offset_s == pytest.approx(90, abs=1)
    assert shaped.pairs >= 290
    assert blind.offset_s is None or blind.offset_s == pytest.approx(90, abs=1)


def test_unrelated_logs_show_no_offset() -> None:
    dice = np.random.default_rng(2)
    kinds = np.full(100, -1, dtype=np.int64)
    for _ in range(20):
        one, two = np.sort(dice.uniform(0, 3600, 100)), np.sort(dice.uniform(0, 3600, 100))
        assert skew_of_strangers(one, kinds, two, kinds, 1.0).offset_s is None
