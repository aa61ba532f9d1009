"""What a cap would cut, from jobs of which some were cut before."""

from __future__ import annotations

import numpy as np
import pytest

from harness.stats import proportion
from harness.stats.beyond import share_beyond


def test_without_cuts_it_is_a_plain_share_with_wilsons_interval() -> None:
    found = share_beyond([10, 20, 30, 40], [False] * 4, 25)
    plain = proportion(2, 4)
    assert (found.share, found.low, found.high, found.censored) == (0.5, plain.low, plain.high, 0)


def test_jobs_that_the_cap_itself_cut_last_longer_than_it() -> None:
    found = share_beyond([10, 20, 60.02, 59.9], [False, False, True, True], 60)
    assert (found.share, found.censored) == (0.5, 0)


def test_beyond_the_cap_that_cut_them_nothing_can_be_estimated() -> None:
    found = share_beyond([10, 20, 60, 60], [False, False, True, True], 120)
    assert found.share is None
    assert found.at_most is not None
    assert 0.5 <= found.at_most <= 1


def test_jobs_cut_early_count_until_then_and_no_further() -> None:
    # One of two is done at 10; of the other two, one is cut at 20 and one is done at 30.
    found = share_beyond([10, 10, 20, 30], [False, False, True, False], 25)
    assert found.share == pytest.approx(0.5)
    assert found.censored == 1


def test_when_all_that_was_watched_is_done_the_share_is_nothing() -> None:
    found = share_beyond([5, 10, 20], [True, False, False], 100)
    assert found.share == pytest.approx(0)


def test_nothing_done_yet_means_that_all_last() -> None:
    found = share_beyond([5, 10, 20], [True, False, False], 7)
    assert found.share == 1
    assert found.low is not None
    assert found.low < 1


def test_no_jobs_say_nothing() -> None:
    assert share_beyond([], [], 60).share is None


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    # Lognormal waits, a third of the jobs behind a layer that cuts at 150 s; what would a cap at 250 s cut?
    truth = 1 - 0.88406  # of lognormal(ln 195, 0.2078) beyond 250 s: z = 1.1957
    rng = np.random.default_rng(5)
    inside = 0
    for _ in range(200):
        waits = np.exp(rng.normal(np.log(195), 0.2078, 90))
        capped = np.arange(90) % 3 == 0
        cut = capped & (waits > 150)
        found = share_beyond(np.where(cut, 150.0, waits), cut, 250)
        assert found.low is not None
        assert found.high is not None
        inside += found.low <= truth <= found.high
    assert inside >= 182  # 95 % of 200, less three standard errors
