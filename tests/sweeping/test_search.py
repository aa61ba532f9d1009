"""The search and what it concludes, against routes whose limit is known."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sweeping.model import Rules, Sent, SweepRecord, Trial
from harness.sweeping.result import configure, found, per_minute
from harness.sweeping.search import bounds, most_jobs, next_trial
from harness.sweeping.text import lines


def sweep(rules: Rules, refuses: dict[int, float], seed: int = 0) -> list[Trial]:
    """Trials against a route that refuses each job at a level with this probability (0 where it is not named)."""
    dice, trials = random.Random(seed), list[Trial]()
    while (step := next_trial(trials, rules)) is not None:
        level, jobs = step
        hit = next((n for n in range(1, jobs + 1) if dice.random() < refuses.get(level, 0.0)), None)
        trials.append(Trial(level=level, jobs=hit or jobs, refused=int(hit is not None), took_s=10.0, images=jobs))
        assert len(trials) < 100
    return trials


def above(limit: int) -> dict[int, float]:
    return dict.fromkeys(range(limit + 1, 100), 1.0)


@given(limit=st.integers(0, 40), most=st.integers(1, 33))
def test_a_sharp_limit_is_found_exactly_with_enough_jobs_at_it(limit: int, most: int) -> None:
    rules = Rules(most=most)
    trials = sweep(rules, above(limit))
    what = found(trials, [])
    assert what is not None
    assert what.level == min(limit, most)
    assert what.level_high == (limit if limit < most else None)
    if what.level:
        assert what.level_low == what.level
        assert what.clean_jobs >= rules.confirm
        assert what.refused_share_high == pytest.approx(1 - 0.05 ** (1 / what.clean_jobs), abs=1e-4)
    else:
        assert configure(what) is None


@given(limit=st.integers(0, 40), most=st.integers(1, 33), jobs=st.integers(1, 9), confirm=st.integers(1, 60))
def test_what_was_said_to_be_the_dearest_is_never_exceeded(limit: int, most: int, jobs: int, confirm: int) -> None:
    rules = Rules(most=most, jobs=jobs, confirm=confirm)
    trials = sweep(rules, above(limit))
    dearest, count = most_jobs(rules)
    assert sum(trial.jobs for trial in trials) <= dearest
    assert len(trials) <= count


def test_a_level_that_refuses_now_and_then_is_not_named_more_often_than_was_said() -> None:
    # Every fifth job is refused at 5 and above: to be named, 5 has to bring 30 jobs through, 0.8^30 = 0.1 %.
    named = [found(sweep(Rules(), dict.fromkeys(range(5, 100), 0.2), seed), []) for seed in range(300)]
    assert all(what is not None and what.level >= 1 for what in named)
    assert sum(what is not None and what.level > 4 for what in named) <= 6


def test_a_level_at_which_every_job_failed_is_not_clean_and_nothing_is_to_be_configured() -> None:
    trials = [Trial(level=1, jobs=6, refused=0, failed=6, took_s=10.0)]
    what = found(trials, [Sent(at_s=float(n), level=1, images=1, refused=False, failed=True) for n in range(6)])
    assert what is not None
    assert (what.level, what.images_per_minute_low, configure(what)) == (0, 0, None)
    record = SweepRecord(run_id="r", scenario_sha256="s", route="a", rules=Rules(), found=what)
    assert "not known, no request went through" in "\n".join(lines(record))


def test_a_refusal_at_a_level_that_was_clean_takes_the_answer_down() -> None:
    trials = [
        Trial(level=4, jobs=12, refused=0, took_s=1),
        Trial(level=2, jobs=6, refused=0, took_s=1),
        Trial(level=5, jobs=5, refused=1, took_s=1),
        Trial(level=4, jobs=3, refused=1, took_s=1),
    ]
    assert (bounds(trials).low, bounds(trials).high) == (2, 4)
    assert next_trial(trials, Rules()) == (3, 9)


@given(
    limit=st.integers(1, 12),
    steps=st.lists(st.tuples(st.floats(0.5, 30), st.integers(1, 4)), min_size=1, max_size=60),
)
def test_the_limit_of_a_minute_lies_between_the_two_figures(limit: int, steps: list[tuple[float, int]]) -> None:
    sent: list[Sent] = []
    now = 0.0
    for pause, images in steps:
        now += pause
        used = sum(one.images for one in sent if not one.refused and now - 60 < one.at_s)
        refused = used + images > limit
        sent.append(Sent(at_s=now, level=1, images=images, refused=refused, kind="per_minute" if refused else None))
    low, high = per_minute(sent)
    assert low <= limit
    assert high is None or high >= limit


def test_the_words_say_what_is_not_known() -> None:
    from harness.sweeping.model import SweepRecord

    trials = (Trial(level=1, jobs=4, refused=0, took_s=20, images=4),)
    record = SweepRecord(
        run_id="x", scenario_sha256="y", route="r", rules=Rules(), trials=trials, status="stopped",
        stopped_by="budget", found=found(trials, []),
    )  # fmt: skip
    text = "\n".join(lines(record))
    assert "stopped (budget)" in text
    assert "not enough jobs for a lower limit" in text
    assert "no level was refused" in text
