"""A trace and its legs: how they are numbered, when it is all over, and which exchange decided how."""

from __future__ import annotations

import pytest

from harness.events import LegKind
from harness.wire.caps import Caps
from harness.wire.stamp import at
from harness.wire.trace import Leg, Trace

CAPS = Caps(first_byte_s=3)


def over(trace: Trace, status: int | None, *, whole: bool = True, at_ns: int = 1000) -> Trace:
    trace.started_ns, trace.http_status = at_ns - 100, status
    trace.received(10, at(at_ns))
    trace.body_end_ns = at_ns if whole else None
    trace.ended_ns = at_ns
    return trace


def attempt(*legs: tuple[LegKind, int | None, bool], status: int = 200) -> tuple[Trace, list[Leg]]:
    trace = over(Trace(CAPS), status)
    made = []
    for number, (kind, leg_status, whole) in enumerate(legs, start=2):
        made.append(trace.leg(kind))
        over(made[-1].trace, leg_status, whole=whole, at_ns=number * 1000)
    return trace, made


def reopen(*traces: Trace) -> None:
    for trace in traces:
        trace.ended_ns = None


def test_legs_are_numbered_by_their_kind_and_share_the_caps() -> None:
    trace = Trace(CAPS)
    kinds: list[LegKind] = ["poll", "poll", "download", "poll", "callback", "download"]
    legs = [trace.leg(kind) for kind in kinds]
    assert [leg.number for leg in legs] == [1, 2, 1, 3, 1, 2]
    assert all(leg.trace.caps is CAPS for leg in legs)
    assert trace.all_traces() == (trace, *(leg.trace for leg in legs))


def test_a_leg_that_was_let_go_is_still_counted() -> None:
    trace = Trace(CAPS)
    trace.legs.remove(trace.leg("poll"))
    assert trace.leg("poll").number == 2
    assert trace.leg_counts == {"poll": 2}


@pytest.mark.parametrize(
    ("legs", "deciding"),
    [
        ([], None),
        ([("poll", 200, True), ("download", 200, True)], None),
        ([("poll", 500, True), ("poll", 200, True)], None),
        ([("poll", None, False), ("poll", 200, True), ("download", 200, True)], None),
        ([("poll", 200, True), ("poll", 500, True)], 1),
        ([("poll", 200, True), ("poll", None, False)], 1),
        ([("poll", 200, True), ("result", 404, True)], 1),
        ([("poll", 200, True), ("result", 404, True), ("download", 200, True)], 1),
        ([("poll", 200, True), ("download", 200, True), ("download", 403, True)], 2),
        ([("poll", 200, True), ("download", 404, True), ("download", 500, True)], 1),
        ([("download", 302, True), ("download", 200, True)], None),
        ([("download", 200, False)], 0),
        ([("poll", 200, True), ("cancel", 500, True)], None),
        ([("callback", None, False), ("poll", 200, True)], None),
        ([("poll", 500, True), ("callback", None, True)], 0),
        ([("poll", 500, True), ("cancel", 404, True)], 0),
    ],
)
def test_what_failed_last_decides_and_a_poll_only_when_no_later_one_went_well(
    legs: list[tuple[LegKind, int | None, bool]], deciding: int | None
) -> None:
    trace, made = attempt(*legs)
    assert trace.deciding() is (None if deciding is None else made[deciding])


def test_a_first_exchange_that_failed_decides_itself() -> None:
    trace, _ = attempt(("poll", 500, True), status=503)
    assert trace.deciding() is None
    trace, _ = attempt(("poll", 500, True))
    trace.body_end_ns = None
    assert trace.deciding() is None


def test_it_is_over_when_its_last_leg_is_and_legs_that_were_cut_are_finished_with_it() -> None:
    trace, (first, second) = attempt(("poll", 200, True), ("download", 200, True))
    reopen(second.trace, trace)
    trace.finish()
    assert [one.ended_ns for one in (first.trace, second.trace, trace)] == [2000, 3000, 3000]
    trace.leg("callback").trace.ended_ns = 9000
    trace.finish()
    assert trace.ended_ns == 3000  # once is for good


def test_a_cap_that_fired_ends_it_when_it_fired_and_not_when_the_last_poll_was_over() -> None:
    trace, _ = attempt(("poll", 200, True))
    reopen(trace)
    trace.cap_fired = "poll"
    trace.finish()
    assert (trace.ended_ns or 0) > 1_000_000
