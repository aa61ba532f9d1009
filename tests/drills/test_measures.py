"""What a few jobs come to, counted by hand."""

from __future__ import annotations

from typing import Any

from harness.drills.measures import measured
from harness.drills.model import Leg, Outage, UserJob
from harness.policies.model import Policy

POLICY = Policy.model_validate({"name": "p"})
OUTAGE = Outage(route="a", how="command", broken_s=100, mended_s=200)


def leg(number: int, end: str = "image", begun_s: float = 0, ended_s: float = 30, **rest: Any) -> Leg:
    fields: dict[str, Any] = {"role": "first", "stage": 1, "route": "a", "estimate_usd": 0.05, "cost_usd": 0.05, **rest}
    return Leg(job_id=f"l{number}", client_request_id=f"c{number}", begun_s=begun_s, ended_s=ended_s, end=end, **fields)


def job(number: int, arrived_s: float, took_s: float, *legs: Leg, outcome: str = "image", **rest: Any) -> UserJob:
    image_s = took_s if outcome == "image" else None
    fields: dict[str, Any] = {"phase": "before", "image_s": image_s, "seen_s": image_s, **rest}
    return UserJob(
        policy="p", number=number, arrived_s=arrived_s, ended_s=arrived_s + took_s, outcome=outcome, legs=legs, **fields
    )  # type: ignore[arg-type]


def test_failover_counts_from_the_break_and_recovery_from_the_mending() -> None:
    jobs = [
        job(1, 90, 30, leg(1, begun_s=90, ended_s=120), route="a"),  # began before the break: says nothing of failover
        job(2, 110, 50, leg(2, "5xx", 110, 111), leg(3, "image", 111, 160, route="b", role="fallback"), route="b",
            phase="broken"),
        job(3, 195, 15, leg(4, "5xx", 195, 196), outcome="lost", why="5xx", phase="broken"),
        job(4, 205, 25, leg(5, begun_s=205, ended_s=230), route="a", phase="after"),
    ]  # fmt: skip
    found = measured(POLICY, "a", jobs, OUTAGE, None)
    assert (found.failover_s, found.failover_route, found.failover_open) == (60, "b", False)
    assert found.failover_sent_s == 11
    assert found.recovery_s == 30
    assert found.last_loss_s == 10
    assert {name: (share.count, share.n) for name, share in found.by_phase.items()} == {
        "before": (1, 1), "broken": (1, 2), "after": (1, 1),
    }  # fmt: skip
    assert (found.success.count, found.success.n, found.lost) == (3, 4, {"5xx": 1})


def test_what_never_came_is_null_and_not_0() -> None:
    jobs = [job(1, 150, 1, leg(1, "5xx", 150, 151, cost_usd=0.0), outcome="lost", why="5xx", phase="broken")]
    found = measured(POLICY, "a", jobs, OUTAGE, None)
    assert (found.failover_s, found.failover_sent_s, found.failover_open, found.recovery_s) == (None, None, True, None)
    assert (found.last_loss_s, found.billed) == (None, None)
    assert [(time.value, time.never) for time in found.image] == [(None, 1), (None, 1)]
    whole = measured(POLICY, "a", jobs, None, None)
    assert (whole.failover_open, whole.by_phase) == (False, {})


def test_lost_jobs_never_got_there_and_stopped_ones_are_censored() -> None:
    jobs = [job(n, 0, 10.0 * n, leg(n)) for n in range(1, 7)]  # 10 … 60 s
    lost = [job(n, 0, 1, leg(n, "5xx"), outcome="lost", why="5xx") for n in range(7, 10)]
    stopped = [job(10, 0, 25, leg(10, "dropped"), outcome="stopped")]
    plain = measured(POLICY, "a", jobs + lost, None, None)
    assert plain.image[0].value == 50, "the fifth of nine, three of which are never"
    assert plain.image[1].value is None
    assert plain.image[0].never == 3
    cut = measured(POLICY, "a", [*jobs, *lost, *stopped], None, None)
    # Kaplan-Meier: 9/10, 8/10, then of seven left one each: 8/10 · 6/7 · 5/7 … falls to a half or below at 50 s.
    assert (cut.image[0].value, cut.image[0].censored, cut.stopped, cut.success.n) == (50, 1, 1, 9)


def test_duplicates_and_orphans_are_those_of_the_embedded_apis_own_record() -> None:
    jobs = [
        job(1, 0, 90, leg(1, "timeout", maybe_billed=True), leg(2, role="retry")),  # made twice, once for nobody
        job(2, 0, 90, leg(3, "5xx", maybe_billed=True), leg(4, role="retry")),  # the 503 was never made
        job(3, 0, 30, leg(5, stage=1), leg(6, stage=2)),  # two stages are two images and no duplicate
    ]
    made = {"finished": True, "finished_after_client_left": False}
    truths = {f"c{n}": made for n in (2, 4, 5, 6)} | {"c1": {**made, "finished_after_client_left": True}}
    found = measured(POLICY, "a", jobs, None, {**truths, "c3": {"finished": False}})
    assert found.billed is not None
    assert (found.billed.images, found.billed.duplicates, found.billed.orphans) == (5, 1, 1)
    assert found.billed.usd == 0.25
    assert found.billed.duplicates_usd == 0.05
    # Without that record a bill is all that could tell, and so the bounds are wider.
    assert (found.maybe_duplicates, found.maybe_orphans, found.legs) == (2, 1, 6)
    assert round(found.maybe_billed_usd, 6) == 0.1
