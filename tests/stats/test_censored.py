"""Kaplan-Meier against a second implementation, written by hand."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from harness.stats import quantile, survival

Z = 1.959963984540054


def by_hand(times: list[float], cut: list[bool]) -> list[tuple[float, float, float, float]]:
    """(time, share done, lower limit, upper limit) at each time, limits on log(-log) Greenwood."""
    rows = []
    alive, greenwood = 1.0, 0.0
    for at in sorted(set(times)):
        risk = sum(time >= at for time in times)
        done = sum(time == at and not was_cut for time, was_cut in zip(times, cut, strict=True))
        alive *= 1 - done / risk
        if done and risk > done:
            greenwood += done / (risk * (risk - done))
        if 0 < alive < 1:
            spread = Z * math.sqrt(greenwood) / math.log(alive)
            rows.append((at, 1 - alive, 1 - alive ** math.exp(spread), 1 - alive ** math.exp(-spread)))
        else:
            rows.append((at, 1 - alive, math.nan, math.nan))
    return rows


@pytest.mark.parametrize("seed", range(25))
def test_curve_and_limits_agree_with_a_hand_written_one(seed: int) -> None:
    rng = random.Random(seed)
    n = rng.randint(2, 60)
    # Few distinct values, so that ties of every kind come up.
    times = [float(rng.randint(1, 25)) for _ in range(n)]
    cut = [rng.random() < 0.4 for _ in range(n)]
    curve = survival(times, cut)
    expected = by_hand(times, cut)
    low, high = curve.limits()
    assert curve.x.tolist() == [row[0] for row in expected]
    assert curve.cdf == pytest.approx([row[1] for row in expected])
    assert curve.at_risk.tolist() == [sum(time >= at for time in times) for at in curve.x]
    for index, (_, share, wanted_low, wanted_high) in enumerate(expected):
        if 0 < share < 1:
            assert sorted((wanted_low, wanted_high)) == pytest.approx([low[index], high[index]])
    assert (low <= curve.cdf + 1e-9).all()
    assert (curve.cdf <= high + 1e-9).all()
    for p in (0.25, 0.5, 0.9):
        reached = [at for at, share, *_ in expected if share >= p - 1e-9]
        assert curve.quantile(p).value == (reached[0] if reached else None)


def test_the_textbook_example_agrees() -> None:
    # Remission times of leukaemia patients on 6-MP, Freireich et al. 1963: median 23, 95 % interval 13 to open
    # (as R's survival::survfit gives it with conf.type = "log-log").
    times = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
    cut = [0, 0, 0, 1, 0, 1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1]
    found = survival([float(time) for time in times], [bool(flag) for flag in cut]).quantile(0.5)
    assert (found.value, found.low, found.high) == (23, 13, None)


def test_without_cuts_the_quantile_is_the_plain_one() -> None:
    rng = random.Random(1)
    times = [rng.lognormvariate(3, 0.4) for _ in range(37)]
    curve = survival(times, [False] * 37)
    for p in (0.1, 0.5, 0.9, 0.95):
        assert curve.quantile(p).value == quantile(times, p).value


def test_a_quantile_that_the_curve_does_not_reach_is_not_estimable() -> None:
    found = survival([60.0] * 10, [True] * 10).quantile(0.5)
    assert (found.value, found.beyond, found.censored, found.n, found.bound) == (None, 60.0, 10, 10, None)


def test_cut_jobs_pull_the_median_up() -> None:
    done = [10.0, 11.0, 12.0, 13.0]
    assert survival(done, [False] * 4).quantile(0.5).value == 11
    assert survival([*done, 5.0, 5.0], [False] * 4 + [True] * 2).quantile(0.5).value == 11
    assert survival([*done, 60.0, 60.0], [False] * 4 + [True] * 2).quantile(0.5).value == 12


def test_a_cut_at_the_moment_another_is_done_counts_as_under_way() -> None:
    curve = survival([5.0, 5.0], [False, True])
    assert curve.at_risk.tolist() == [2]
    assert curve.cdf.tolist() == [0.5]
    assert (curve.done.tolist(), curve.cut.tolist()) == ([1], [1])


def test_no_jobs_give_an_empty_curve() -> None:
    curve = survival([], [])
    assert curve.n == 0
    assert curve.quantile(0.5).value is None
    assert curve.quantile(0.5).beyond is None


def test_one_job_has_a_median_and_an_open_interval() -> None:
    found = survival([7.0], [False]).quantile(0.5)
    assert (found.value, found.high, found.thin) == (7.0, None, True)


@pytest.mark.parametrize(("times", "cut"), [([1.0], [True, False]), ([math.inf], [False]), ([math.nan], [True])])
def test_what_is_no_time_is_refused(times: list[float], cut: list[bool]) -> None:
    with pytest.raises(ValueError):
        survival(times, cut)


def test_the_interval_of_a_cut_median_covers_it_as_often_as_it_says() -> None:
    rng = np.random.default_rng(11)
    covered = 0
    for _ in range(200):
        true = rng.exponential(1.0, 80)
        caps = rng.uniform(0.5, 3.0, 80)
        found = survival(np.minimum(true, caps), true > caps).quantile(0.5)
        covered += (found.low or 0) <= math.log(2) <= (found.high or math.inf)
    assert covered / 200 >= 0.92
