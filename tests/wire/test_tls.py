"""Record boundaries: whatever the cuts, the position is known and no read goes past where something may begin."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from harness.wire.tls import Records

SIZES = st.lists(st.sampled_from([1, 2, 30, 4096, 16_000, 16_384, 16_401]), min_size=1, max_size=8)


def record(size: int, kind: int = 23) -> bytes:
    return bytes([kind, 3, 3, size >> 8, size & 255]) + random.Random(size).randbytes(size)


@given(SIZES, st.lists(st.integers(min_value=1, max_value=70_000), max_size=30))
def test_any_cut_of_a_stream_of_records_leaves_the_same_position(sizes: list[int], cuts: list[int]) -> None:
    stream = b"".join(record(size) for size in sizes)
    ends, at = set(), 0
    for size in sizes:
        at += size + 5
        ends.add(at)
    starts = {0, *ends} - {len(stream)}
    places = sorted({cut % (len(stream) + 1) for cut in cuts} | {0, len(stream)})
    records = Records()
    for begin, end in pairwise(places):
        begins = records.feed(memoryview(stream)[begin:end])
        assert begins == any(begin <= start < end for start in starts)
        assert records.inside == (end not in ends)


@given(SIZES, st.integers(min_value=0, max_value=70_000), st.booleans())
def test_a_read_ends_with_a_record_where_one_is_awaited_or_a_short_one_ends(
    sizes: list[int], taken: int, single: bool
) -> None:
    stream = b"".join(record(size) for size in sizes)
    taken %= len(stream)
    records = Records()
    records.feed(memoryview(stream)[:taken])
    waiting = bytearray(stream[taken:])
    got = records.limit(waiting, len(waiting), single=single)
    ends, at = [], 0
    for size in sizes:
        at += size + 5
        if at > taken:
            ends.append((at - taken, size))
    inside = records.inside and taken not in {0}
    if single:
        expected = ends[0][0]
    else:
        # The rest of a record whose header went by is taken whatever its size: that is not known any more.
        header_gone = inside and ends[0][0] < ends[0][1] + 1 and ends[0][0] <= ends[0][1]
        candidates = ends[1:] if header_gone else ends
        expected = next((end for end, size in candidates if size < 16_384), len(waiting))
    assert got == expected


def test_what_is_no_tls_is_handed_on_whole() -> None:
    records = Records()
    page = bytearray(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert records.limit(page, len(page), single=False) == len(page)
    records.feed(memoryview(bytes(page)))
    assert not records.inside
    assert records.limit(page, len(page), single=True) == len(page)
