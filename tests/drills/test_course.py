"""What a job does next: move by move, and in the long run against the simulation that does the same in virtual time."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import numpy as np
import pytest

from harness.drills.course import IMAGE, Course, Drop, Over, Send
from harness.policies.laws import Exponential
from harness.policies.model import Load, Policy
from harness.policies.simulate import simulate
from harness.policies.world import Failure, RouteWorld, Source, World


def course(**steps: object) -> Course:
    return Course(Policy.model_validate({"name": "p", **steps}), "a", random.Random(1))


def test_without_a_policy_a_job_is_one_request_and_ends_as_that_does() -> None:
    one, other = course(), course()
    assert one.start(0) == [Send("a", "first", None)]
    assert math.isinf(one.next_s())
    assert one.ended(0, IMAGE, 30) == [Over(0)]
    other.start(0)
    assert other.ended(0, "5xx", 1) == [Over(None, "5xx")]


def test_a_retry_waits_for_its_pause_and_there_are_only_so_many() -> None:
    one = course(timeout=60, retry={"max": 2, "on": ["timeout"], "pause": 5})
    assert one.start(0) == [Send("a", "first", 60)]
    assert one.ended(0, "timeout", 60) == []
    assert one.next_s() == 65
    assert one.pass_time(64.9) == []
    assert one.pass_time(65) == [Send("a", "retry", 60)]
    one.ended(1, "timeout", 125)
    assert one.pass_time(130) == [Send("a", "retry", 60)]
    assert one.ended(2, "timeout", 190) == [Over(None, "timeout")]


def test_an_end_that_the_policy_does_not_name_is_not_tried_again() -> None:
    one = course(retry={"max": 5, "on": ["429"]})
    one.start(0)
    assert one.ended(0, "5xx", 1) == [Over(None, "5xx")]


def test_a_pause_of_growing_length_leaves_half_of_it_to_chance_and_a_retry_after_goes_before_it() -> None:
    one = course(retry={"max": 3, "on": ["429"], "base": 8, "cap": 30, "honour_retry_after": True})
    one.start(0)
    one.ended(0, "429", 0.0)
    assert 4 <= one.next_s() <= 8
    (sent,) = one.pass_time(8)
    assert sent == Send("a", "retry", None)
    one.ended(1, "429", 10.0, asked_s=12.5)
    assert one.next_s() == 22.5


def test_a_copy_is_sent_while_the_first_is_under_way_and_who_loses_is_dropped() -> None:
    one = course(hedge={"after": 40, "max": 1, "route": "b"})
    one.start(0)
    assert one.next_s() == 40
    assert one.pass_time(40) == [Send("b", "hedge", None)]
    assert math.isinf(one.next_s())
    assert one.ended(0, "5xx", 41) == [], "the copy is still under way"
    assert one.ended(1, IMAGE, 70) == [Over(1)]
    other = course(hedge={"after": 40, "max": 1})
    other.start(0)
    other.pass_time(40)
    assert other.ended(0, IMAGE, 50) == [Drop(1), Over(0)]
    assert other.ended(1, IMAGE, 50) == [], "over is over"


def test_a_fallback_after_a_time_gives_up_what_is_under_way_and_is_the_last_resort() -> None:
    one = course(timeout=100, retry={"max": 3, "on": ["5xx"]}, fallback={"route": "b", "after": 30, "timeout": 50})
    one.start(0)
    assert one.pass_time(30) == [Drop(0), Send("b", "fallback", 50)]
    assert one.ended(1, "5xx", 31) == [Over(None, "5xx")]


def test_a_fallback_after_an_end_comes_when_no_retry_is_left() -> None:
    one = course(retry={"max": 1, "on": ["5xx"], "pause": 0}, fallback={"route": "b", "on": ["5xx", "moderation"]})
    one.start(0)
    assert one.ended(0, "5xx", 1) == [Send("a", "retry", None)]
    assert one.ended(1, "5xx", 2) == [Send("b", "fallback", None)]
    other = course(fallback={"route": "b", "on": ["moderation"]})
    other.start(0)
    assert other.ended(0, "moderation", 1) == [Send("b", "fallback", None)]


def test_at_the_deadline_the_user_walks_away_whatever_is_under_way() -> None:
    one = course(deadline=90, hedge={"after": 40})
    one.start(0)
    one.pass_time(40)
    assert one.pass_time(90) == [Drop(0), Drop(1), Over(None, "deadline")]


@dataclass
class Long:
    """Many jobs in virtual time, with draws like those of `WORLD`."""

    won: int = 0
    sent: int = 0
    made: int = 0
    total_s: float = 0.0


MEAN_S, FAILS, FAILS_AFTER_S, JOBS = 30.0, 0.2, 2.0, 20_000
_SOURCE = Source(law=Exponential(MEAN_S), failures=(Failure("5xx", FAILS, np.array([FAILS_AFTER_S])),), usd=1.0)
WORLD = World(routes={"a": RouteWorld(_SOURCE), "b": RouteWorld(_SOURCE)}, first_route="a")


def many(policy: Policy) -> Long:
    dice, out, begun, retried = random.Random(3), Long(), 0, 0

    def may_retry() -> bool:
        nonlocal retried
        share = policy.retry.budget_share if policy.retry else None
        if share is not None and retried + 1 > max(1.0, share * begun):
            return False
        retried += 1
        return True

    for _ in range(JOBS):
        begun += 1
        one = Course(policy, "a", dice, may_retry)
        now_s, legs, steps = 0.0, dict[int, tuple[float, str]](), one.start(0.0)
        number = 0
        while one.over is None:
            for step in steps:
                if isinstance(step, Drop):
                    legs.pop(step.leg)
                if isinstance(step, Send):
                    out.sent += 1
                    fails = dice.random() < FAILS
                    lasts_s, end = (FAILS_AFTER_S, "5xx") if fails else (dice.expovariate(1 / MEAN_S), IMAGE)
                    out.made += not fails
                    if step.timeout_s is not None and lasts_s > step.timeout_s:
                        lasts_s, end = step.timeout_s, "timeout"
                    legs[number] = (now_s + lasts_s, end)
                    number += 1
            leg = min(legs, key=lambda each: legs[each][0], default=None)
            if leg is not None and legs[leg][0] <= one.next_s():
                now_s, end = legs.pop(leg)
                steps = one.ended(leg, end, now_s)
            else:
                now_s = one.next_s()
                steps = one.pass_time(now_s)
        out.won += one.over.won is not None
        out.total_s += now_s if one.over.won is not None else 0.0
    return out


@pytest.mark.parametrize(
    "steps",
    [
        {},
        {"timeout": 40, "retry": {"max": 2, "on": ["timeout", "5xx"], "pause": 0}},
        {"retry": {"max": 3, "on": ["error"], "base": 4, "cap": 10, "budget_share": 0.1}},
        {"hedge": {"after": 20, "max": 2}},
        {"timeout": 60, "hedge": {"after": 20, "route": "b"}, "retry": {"max": 1, "on": ["timeout", "5xx"]}},
        {"fallback": {"route": "b", "after": 30, "on": ["error"]}, "retry": {"max": 1, "pause": 5}},
        {"fallback": {"route": "b", "on": ["timeout"], "timeout": 90}, "timeout": 25, "hedge": {"after": 10}},
        {"deadline": 50, "retry": {"max": 9, "on": ["error"], "pause": 1}, "hedge": {"after": 30}},
    ],
    ids=lambda steps: "-".join(steps) or "nothing",
)
def test_in_the_long_run_a_course_comes_to_what_the_simulation_of_its_policy_comes_to(steps: dict[str, object]) -> None:
    policy = Policy.model_validate({"name": "p", **steps})
    here = many(policy)
    there = simulate(policy, WORLD, Load(rate=0.01, jobs=JOBS // 10), seed=1, replications=10)
    assert there.success_share.value is not None
    assert there.sent.value is not None
    assert there.usd_per_job.value is not None
    # Both are means over 20,000 jobs: half a per cent of a share, and of a count that is spread like these about one.
    assert here.won / JOBS == pytest.approx(there.success_share.value, abs=0.015)
    assert here.sent / JOBS == pytest.approx(there.sent.value, rel=0.03)
    assert here.made / JOBS == pytest.approx(there.usd_per_job.value, rel=0.03)
