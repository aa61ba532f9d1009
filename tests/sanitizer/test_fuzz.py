"""A bounded share of what `python -m tests.bench.fuzz_sanitizer 200000` does."""

from __future__ import annotations

from tests.bench.fuzz_sanitizer import fuzz


def test_mutated_inputs_crash_nothing_and_no_error_repeats_them() -> None:
    found = fuzz(1_500, seed=5)
    assert (found.crashed, found.told) == ([], [])
    assert found.slowest_s < 10  # a second is the goal; this machine may be anybody's
