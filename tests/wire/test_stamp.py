"""Stamps as intervals, and the one offset between the kernel's clock and ours."""

from __future__ import annotations

import time

import pytest

from harness.wire import stamp
from harness.wire.stamp import KernelClock, Stamp, at, measured_offset_ns


def test_the_mark_of_an_interval_is_its_end() -> None:
    assert (Stamp(3, 10).ns, Stamp(3, 10).width_ns) == (10, 7)
    assert (at(5).ns, at(5).width_ns) == (5, 0)


def test_the_offset_turns_wall_time_into_monotonic_time() -> None:
    clock = KernelClock()
    before = time.monotonic_ns()
    converted = clock.monotonic_ns(time.time_ns())
    assert before - stamp.STEP_NS <= converted <= time.monotonic_ns() + stamp.STEP_NS
    assert abs(measured_offset_ns() - clock.offset_ns) < stamp.STEP_NS


def test_a_step_of_the_wall_clock_is_seen_once_and_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = KernelClock()
    assert not clock.stepped()
    stepped = clock.offset_ns + 3_600_000_000_000
    monkeypatch.setattr(stamp, "measured_offset_ns", lambda: stepped)
    assert clock.stepped()
    assert not clock.stepped()
    assert (clock.offset_ns, clock.steps) == (stepped, 1)
