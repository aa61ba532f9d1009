"""Clock offsets from round trips: the truth lies inside of the error, whatever the ways are like."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.cluster.offset import DRIFT, Offsets, Sample

NOW = 1_800_000_000_000_000_000
ways = st.integers(0, 400_000_000)  # ns


@given(st.integers(-(10**12), 10**12), st.lists(st.tuples(ways, ways), min_size=1, max_size=20))
def test_the_true_offset_lies_inside_of_the_error_however_unequal_the_ways(
    true_ns: int, trips: list[tuple[int, int]]
) -> None:
    offsets, at = Offsets(), NOW
    for there, back in trips:
        offsets.add(Sample(at, at + there + true_ns, at + there + back))
        at += there + back + 1_000_000_000
    found = offsets.at(at)
    assert found is not None
    assert abs(found.ms - true_ns / 1e6) <= found.error_ms + 1e-6
    fastest = min(there + back for there, back in trips) / 2e6
    assert fastest <= found.error_ms <= fastest + DRIFT * (at - NOW) / 1e6 + 1e-6


def test_half_of_the_fastest_round_trip_is_the_error_and_an_old_one_counts_less() -> None:
    offsets = Offsets()
    assert offsets.at(NOW) is None
    offsets.add(Sample(NOW, NOW + 7_000_000, NOW + 10_000_000))
    found = offsets.at(NOW + 5_000_000)
    assert found is not None
    assert (found.ms, found.error_ms) == (2.0, 5.0)
    later = NOW + 60_000_000_000
    offsets.add(Sample(later, later + 20_000_000, later + 20_000_000))  # slower, but the first one is a minute old
    found = offsets.at(later + 10_000_000)
    assert found is not None
    assert (found.ms, found.error_ms) == (10.0, 10.0)


def test_a_clock_of_ours_that_was_set_back_gives_no_sample() -> None:
    offsets = Offsets()
    offsets.add(Sample(NOW, NOW, NOW - 1))
    assert offsets.at(NOW) is None
