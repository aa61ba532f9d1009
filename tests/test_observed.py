"""What one event says of one clock."""

from __future__ import annotations

import math

import msgspec
import pytest

from harness.observed import WAITED, observed
from harness.report.jobs import WAITED_CLOCKS
from tests.report.build_run import job


def test_the_clocks_are_those_that_the_report_takes_for_cut() -> None:
    assert set(WAITED) == WAITED_CLOCKS


def test_an_image_is_its_clock_and_a_refusal_is_nothing() -> None:
    done = job(1, seconds=5)
    assert observed(done, "final_image_ms") == (done.final_image_ms, done.final_image_ms)
    assert observed(job(2, seconds=0.2, outcome="error", status=429), "final_image_ms") is None
    assert observed(job(3, seconds=9, outcome="error", status=500), "final_image_ms") is None


@pytest.mark.parametrize(
    ("outcome", "status"),
    [("cut", None), ("error", 504), ("error", 524), ("error", 408), ("unknown", None), ("cancelled", None)],
)
def test_a_job_that_was_cut_or_lost_took_at_least_as_long_as_it_was_watched(outcome: str, status: int | None) -> None:
    cut = job(1, seconds=60, outcome=outcome, status=status)
    found = observed(cut, "final_image_ms")
    assert found == (cut.attempts[-1].marks.ended_at_ms, math.inf)
    assert found[0] == pytest.approx(60_000, rel=0.01)


def test_a_success_that_ended_in_order_without_an_image_has_no_duration_and_one_that_broke_off_has() -> None:
    ended = job(1, seconds=60, outcome="empty")
    assert observed(msgspec.structs.replace(ended, ended="complete"), "final_image_ms") is None
    assert observed(msgspec.structs.replace(ended, ended="remote_closed"), "final_image_ms") is not None


def test_a_clock_that_had_stopped_inside_a_success_before_the_cut_is_known() -> None:
    cut = msgspec.structs.replace(job(1, seconds=60, outcome="cut", status=200, stream=True), first_event_ms=900.0)
    assert observed(cut, "first_event_ms") == (900.0, 900.0)
    assert observed(msgspec.structs.replace(cut, first_event_ms=None), "first_event_ms") is not None
    # Without a stream there is no first event to wait for.
    assert observed(job(2, seconds=60, outcome="cut", status=None), "first_event_ms") is None
    assert observed(cut, "server_ms") is None
