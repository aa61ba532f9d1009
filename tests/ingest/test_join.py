"""Records of one job find each other, on a ground that is said; and what cannot be told apart is left alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.ingest.join import Joined, join

from .worlds import World, world


def pairs(found: Joined, made: World) -> tuple[int, int]:
    """How many jobs got both of their records, and how many got somebody else's."""
    jobs = pd.DataFrame({"job": found.job, "truth": made.truth}).groupby("job")["truth"].agg(["size", "nunique"])
    return int(((jobs["size"] == 2) & (jobs["nunique"] == 1)).sum()), int((jobs["nunique"] > 1).sum())


def test_a_shared_id_joins_whatever_the_clocks_say() -> None:
    made = world(40, ids=True, skew_s=5000.0)
    found = join(made.table)
    assert pairs(found, made) == (40, 0)
    assert set(found.ground) == {"id"}
    assert found.ties[0].by_id == 40


def test_without_ids_time_joins_and_the_clocks_difference_of_90_s_is_measured() -> None:
    made = world(40, skew_s=90.0)
    found = join(made.table)
    right, wrong = pairs(found, made)
    (tie,) = found.ties
    assert wrong == 0
    assert right >= 30
    assert right + tie.ambiguous >= 38
    assert tie.skew.offset_s == pytest.approx(90, abs=2)
    assert tie.skew.low_s is not None
    assert tie.skew.high_s is not None
    assert tie.skew.low_s <= 90 <= tie.skew.high_s
    assert "beginnings agree" in tie.skew.why


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), jobs=st.integers(5, 60), skew=st.floats(-600, 600), gap=st.floats(5, 200))
def test_no_job_ever_gets_another_jobs_record(seed: int, jobs: int, skew: float, gap: float) -> None:
    made = world(jobs, seed=seed, skew_s=skew, gap_s=gap)
    found = join(made.table)
    assert pairs(found, made)[1] == 0
    if found.ties[0].skew.offset_s is not None:
        assert found.ties[0].skew.offset_s == pytest.approx(skew, abs=3)


def test_jobs_at_a_steady_beat_are_not_joined_by_time() -> None:
    found = join(world(60, beat=True, gap_s=20).table)
    assert found.ties[0].skew.offset_s is None
    assert "equally well" in found.ties[0].skew.why
    assert found.ties[0].by_time == 0
    assert found.ties[0].ambiguous == found.doubtful.sum() == 60  # of the backend's log: the same jobs once more


def test_two_logs_of_different_hours_have_nothing_in_common() -> None:
    found = join(world(40, skew_s=7200.0).table)
    assert found.ties[0].skew.offset_s is None
    assert len(set(found.job.tolist())) == 80


def test_an_id_that_a_log_repeats_for_everybody_is_no_id() -> None:
    made = world(40)
    made.table["call_id"] = "session-of-all"
    found = join(made.table)
    assert pairs(found, made)[1] == 0


def test_two_tries_with_one_id_are_one_job() -> None:
    made = world(2, ids=True)
    again = made.table.iloc[[0]].assign(started_at_s=made.table["started_at_s"].iloc[0] + 61)
    found = join(pd.concat([made.table, again], ignore_index=True))
    assert found.job[-1] == found.job[0]
    assert len(set(found.job.tolist())) == 2


def test_records_that_fit_several_jobs_are_no_jobs_of_their_own() -> None:
    made = world(200, gap_s=3)
    found = join(made.table)
    assert pairs(found, made)[1] == 0
    assert found.doubtful.sum() > 0
    assert not found.doubtful[: len(made.cut)].any()
    assert np.bincount(found.job)[found.job[found.doubtful]].max() == 1


def test_a_third_log_is_tied_through_the_second() -> None:
    made = world(20, ids=True)
    edge = made.table.iloc[:20].assign(file=2, client_request_id=None, call_id=[f"edge-call-{n}" for n in range(20)])
    proxy_and_more = made.table.assign(call_id=[f"edge-call-{n}" for n in range(20)] + [None] * 20)
    found = join(pd.concat([proxy_and_more, edge], ignore_index=True))
    assert len(set(found.job.tolist())) == 20
    assert np.bincount(found.job).tolist() == [3] * 20


@pytest.mark.parametrize("split", ["side by side", "in two parts"])
def test_two_logs_of_one_product_are_no_two_sides_of_the_same_jobs(split: str) -> None:
    made = world(60, seed=3, beat=split == "in two parts", gap_s=60)
    proxy = made.table[made.table["side"] == "proxy"].reset_index(drop=True)
    if split == "side by side":  # a page asks for two at once, and each machine gets one of them
        dice = np.random.default_rng(1)
        other = proxy.assign(duration_ms=proxy["duration_ms"] * dice.uniform(0.93, 1.07, len(proxy)), status=200.0)
        table = pd.concat([proxy.assign(status=200.0, gave_up=None), other.assign(file=1, gave_up=None)])
    else:
        table = proxy.assign(file=(np.arange(60) >= 30).astype(int))
    found = join(table.reset_index(drop=True))
    assert len(set(found.job)) == len(table)
    assert not found.doubtful.any()


def test_two_proxies_of_one_product_one_behind_the_other_are_joined_by_how_long_all_took() -> None:
    made = world(60, seed=3)
    proxy = made.table[made.table["side"] == "proxy"].reset_index(drop=True)
    inner = proxy.assign(file=1, duration_ms=proxy["duration_ms"] - 2, started_at_s=proxy["started_at_s"] + 30)
    found = join(pd.concat([proxy, inner], ignore_index=True))
    assert found.ties[0].by_time >= 50
    assert found.ties[0].skew.offset_s == pytest.approx(30, abs=2)
