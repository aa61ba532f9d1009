"""The pacer without a clock: what goes out when, for every shape of load."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from harness.loads import LoadShape
from harness.run.pacer import Arrivals, Drop, Pacer, Send, State, Stop, Wait, make_pacer


def play(
    pacer: Pacer, jobs: int, service_s: Callable[[int], float]
) -> tuple[list[tuple[float, float | None]], list[float], int]:
    """Run a pacer in virtual time. Gives (sent at, due at) of each job, when jobs were dropped, and most in flight."""
    now, begun, ends, last_end = 0.0, 0, list[float](), -math.inf
    sent: list[tuple[float, float | None]] = []
    dropped: list[float] = []
    most = 0
    while begun < jobs:
        over = [end for end in ends if end <= now]
        ends = [end for end in ends if end > now]
        last_end = max([last_end, *over])
        step = pacer(now, State(begun, len(ends), now - last_end if not ends else 0.0))
        match step:
            case Send():
                sent.append((now, step.due_s))
                ends.append(now + service_s(begun))
                begun += 1
                most = max(most, len(ends))
            case Drop():
                dropped.append(step.due_s)
                begun += 1
            case Wait():
                waits = [end for end in ends if end > now] + ([] if step.s is None else [now + step.s])
                assert waits, "waiting for nothing"
                now = min(waits)
            case Stop():
                break
    return sent, dropped, most


def test_a_closed_load_keeps_so_many_under_way_and_plans_no_moment() -> None:
    sent, _, most = play(make_pacer(LoadShape(concurrency=3), 0), 12, lambda _: 10.0)
    assert most == 3
    assert sent == [(10.0 * (number // 3), None) for number in range(12)]


def test_a_constant_rate_is_due_at_even_steps_however_slow_the_answers_are() -> None:
    shape = LoadShape(kind="rate", rate_per_s=0.1, concurrency=0)
    sent, _, most = play(make_pacer(shape, 0), 20, lambda _: 95.0)
    assert [due for _, due in sent] == pytest.approx([10.0 * number for number in range(20)])
    assert [at for at, _ in sent] == pytest.approx([10.0 * number for number in range(20)])
    assert most == 10  # Little's law: 0.1 a second for 95 s


def test_late_jobs_keep_the_moment_at_which_they_were_due() -> None:
    shape = LoadShape(kind="rate", rate_per_s=1.0, concurrency=1)
    sent, dropped, most = play(make_pacer(shape, 0), 5, lambda _: 3.0)
    assert [at for at, _ in sent] == pytest.approx([0, 3, 6, 9, 12])
    assert [due for _, due in sent] == pytest.approx([0, 1, 2, 3, 4])
    assert (dropped, most) == ([], 1)


def test_jobs_that_find_no_place_are_dropped_where_that_was_asked_for() -> None:
    shape = LoadShape(kind="rate", rate_per_s=1.0, concurrency=1, when_full="drop")
    sent, dropped, _ = play(make_pacer(shape, 0), 9, lambda _: 3.0)
    assert [due for _, due in sent] == pytest.approx([0, 3, 6])
    assert dropped == pytest.approx([1, 2, 4, 5, 7, 8])


def test_poisson_arrivals_are_exponential_and_the_same_for_the_same_seed() -> None:
    shape = LoadShape(kind="rate", rate_per_s=0.5, arrivals="poisson", concurrency=0)
    one, again, other = (Arrivals(shape, seed) for seed in (4, 4, 5))
    due = np.array([one.due_s(number) for number in range(4000)])
    assert kstest(np.diff(due), "expon", args=(0, 2.0)).pvalue > 0.01
    assert due.tolist() == [again.due_s(number) for number in range(4000)]
    assert due[0] != other.due_s(0)


@pytest.mark.parametrize(("first", "last"), [(0.1, 2.0), (2.0, 0.1), (1.0, 1.0)])
def test_a_rising_rate_brings_as_many_jobs_as_its_area(first: float, last: float) -> None:
    shape = LoadShape(kind="rate", rate_per_s=last, ramp_from=first, ramp_s=300.0, concurrency=0)
    arrivals = Arrivals(shape, 0)
    for number in (0, 1, 10, 100, 250, 400):
        due = arrivals.due_s(number)
        grid = np.linspace(0, due, 20_001)
        rate = np.where(grid < 300, first + (last - first) * grid / 300, last)
        assert np.trapezoid(rate, grid) == pytest.approx(number, abs=0.01)


def test_a_rising_concurrency_opens_one_place_after_the_other() -> None:
    shape = LoadShape(concurrency=5, ramp_from=1, ramp_s=100.0)
    sent, _, most = play(make_pacer(shape, 0), 5, lambda _: 1000.0)
    assert [at for at, _ in sent] == pytest.approx([0, 25, 50, 75, 100])
    assert most == 5


@given(size=st.integers(1, 6), gap=st.floats(0, 30), seed=st.integers(0, 1000))
def test_batches_never_overlap_and_rest_between(size: int, gap: float, seed: int) -> None:
    dice = np.random.default_rng(seed)
    took = dice.uniform(1, 50, 20)
    shape = LoadShape(kind="batch", concurrency=size, gap_s=gap)
    sent, _, most = play(make_pacer(shape, 0), 20, lambda number: float(took[number]))
    assert most <= size
    begins = [at for at, _ in sent]
    for first in range(size, 20, size):
        before = range(first - size, first)
        assert begins[first] == pytest.approx(max(begins[n] + took[n] for n in before) + gap)


def test_nothing_is_sent_after_the_end_that_was_set() -> None:
    shape = LoadShape(kind="rate", rate_per_s=1.0, concurrency=0, stop_after_s=4.5)
    sent, _, _ = play(make_pacer(shape, 0), 100, lambda _: 1.0)
    assert len(sent) == 5


@given(
    kind=st.sampled_from(["closed", "rate", "batch"]),
    most=st.integers(1, 5),
    rate=st.floats(0.01, 5),
    elapsed=st.floats(0, 1e5),
    begun=st.integers(0, 200),
    busy=st.integers(0, 5),
    ramp=st.none() | st.floats(0.5, 4),
)
def test_no_shape_ever_waits_for_nothing(
    kind: str, most: int, rate: float, elapsed: float, begun: int, busy: int, ramp: float | None
) -> None:
    shape = LoadShape(kind=kind, concurrency=most, rate_per_s=rate, ramp_from=ramp, ramp_s=60.0 if ramp else 0.0)  # type: ignore[arg-type]
    step = make_pacer(shape, 1)(elapsed, State(begun, busy))
    if isinstance(step, Wait) and step.s is None:
        assert busy > 0
    if isinstance(step, Wait) and step.s is not None:
        assert step.s > 0
