"""Kaplan-Meier against a second implementation, written by hand."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from harness.stats import quantile, survival

Z = 1.959963984540054


def by_hand(times: list[float], cut: list[bool]) -> list[tuple[float, float, float, float]]:
    """(time, share done, lower limit, upper limit) at each time, limits on log(-log) Greenwood; the upper one is
    wider by the jobs that were cut since the last one was done (Dorey and Korn)."""
    rows = []
    alive, greenwood, survived = 1.0, 0.0, 0
    for at in sorted(set(times)):
        risk = sum(time >= at for time in times)
        done = sum(time == at and not was_cut for time, was_cut in zip(times, cut, strict=True))
        alive *= 1 - done / risk
        if done and risk > done:
            greenwood += done / (risk * (risk - done))
            survived = risk - done
        left = sum(time > at for time in times)
        if 0 < alive < 1:
            spread = Z * math.sqrt(greenwood) / -math.log(alive)
            wide = spread if done else spread * math.sqrt(survived / left) if left else 0
            high = 1 - alive ** math.exp(wide) if left else 1.0
            rows.append((at, 1 - alive, 1 - alive ** math.exp(-spread), high))
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
            assert (low[index], high[index]) == pytest.approx((wanted_low, wanted_high))
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
    curve = survival([float(time) for time in times], [bool(flag) for flag in cut])
    _, high = curve.limits()
    assert curve.x[(curve.done > 0) & (high >= 0.5)][0] == 13
    # Since the patient of day 10 two were lost: what is known of those left reaches one half at the second of them.
    found = curve.quantile(0.5)
    assert (found.value, found.low, found.high) == (23, 11, None)


def test_without_cuts_the_quantile_is_the_plain_one() -> None:
    rng = random.Random(1)
    times = [rng.lognormvariate(3, 0.4) for _ in range(37)]
    curve = survival(times, [False] * 37)
    for p in (0.1, 0.5, 0.9, 0.95):
        assert curve.quantile(p).value == quantile(times, p).value


def test_a_quantile_that_the_curve_does_not_reach_is_not_estimable() -> None:
    found = survival([60.0] * 10, [True] * 10).quantile(0.5)
    assert (found.value, found.beyond, found.censored, found.n, found.bound) == (None, 60.0, 10, 10, None)


def test_where_most_were_cut_early_the_limits_rest_on_those_that_were_still_watched() -> None:
    # Of 20 jobs 19 were cut at 5 s; that the last one took 10 s says little of the median.
    found = survival([5.0] * 19 + [10.0], [True] * 19 + [False]).quantile(0.5)
    assert (found.value, found.low, found.high, found.thin) == (10.0, 5.0, None, True)
    # Nothing was cut late, and the median was watched by all: enough.
    assert not survival([5.0] * 8 + [9.0] * 12, [False] * 8 + [True] * 12).quantile(0.3).thin


def test_a_cut_does_not_close_an_interval_that_so_few_jobs_leave_open() -> None:
    for p, jobs in ((0.5, 5), (0.9, 35)):
        done = [float(at) for at in range(jobs)]
        assert survival(done, [False] * jobs).quantile(p).high is None
        cut = survival(done, [at == 0 for at in range(jobs)]).quantile(p)
        assert cut.high is None
    assert survival([10.0, 11.0, 100.0], [False, False, True]).quantile(0.5).low is None


@pytest.mark.parametrize("jobs", [3, 6, 12])
def test_the_lower_limit_of_few_jobs_of_which_most_were_cut_early_is_rarely_above_the_median(jobs: int) -> None:
    rng = np.random.default_rng(5)
    wrong = 0
    for _ in range(300):
        true = rng.exponential(1.0, jobs)
        caps = np.where(rng.random(jobs) < 0.7, 0.3, 99.0)
        found = survival(np.minimum(true, caps), true > caps).quantile(0.5)
        wrong += (found.low or 0.0) > math.log(2)
    assert wrong / 300 <= 0.05  # 2.5 % is what is promised; without a look at who is still watched it was 20 %


def test_what_all_jobs_lasted_for_is_a_lower_limit_of_their_median() -> None:
    assert survival([60.0] * 10, [True] * 10).quantile(0.5).low == 60.0
    assert survival([60.0] * 3, [True] * 3).quantile(0.5).low is None


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
