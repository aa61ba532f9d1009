"""Bodies that remember when each byte arrived."""

from __future__ import annotations

import gzip
import zlib

import pytest

from harness.wire import body
from harness.wire.body import BodyTooLarge, StampedBody


def stamped(*chunks: tuple[bytes, int]) -> StampedBody:
    result = StampedBody()
    for data, at_ns in chunks:
        result.add(data, at_ns)
    return result


def test_every_byte_has_the_stamp_of_the_read_that_brought_it() -> None:
    held = stamped((b"abc", 10), (b"", 15), (b"d", 20), (b"efgh", 30))
    assert [held.arrived_ns(i) for i in range(held.size)] == [10, 10, 10, 20, 30, 30, 30, 30]
    assert (held.first_ns, held.last_ns, held.whole()) == (10, 30, b"abcdefgh")


def test_an_empty_body_has_no_stamps() -> None:
    held = StampedBody()
    assert not held
    assert (held.first_ns, held.last_ns) == (None, None)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "GZIP"])
def test_compressed_bodies_are_undone_with_the_stamps_of_their_chunks(encoding: str) -> None:
    text = bytes(range(256)) * 200
    packed = zlib.compress(text) if encoding == "deflate" else gzip.compress(text)
    chunks = [(packed[i : i + 100], i) for i in range(0, len(packed), 100)]
    undone = stamped(*chunks).decoded(encoding)
    assert undone.whole() == text
    assert undone.first_ns is not None
    assert undone.last_ns is not None
    assert undone.first_ns <= undone.last_ns <= chunks[-1][1]


def test_a_broken_compressed_body_gives_what_could_be_inflated() -> None:
    packed = gzip.compress(b"x" * 10_000)
    assert stamped((packed[:20], 1), (b"garbage" * 10, 2)).decoded("gzip").size <= 10_000


def test_a_compression_bomb_ends_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "MAX_BODY_BYTES", 100_000)
    bomb = gzip.compress(b"\0" * 10_000_000)
    with pytest.raises(BodyTooLarge):
        stamped((bomb, 1)).decoded("gzip")


def test_a_body_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "MAX_BODY_BYTES", 10)
    held = stamped((b"x" * 10, 1))
    with pytest.raises(BodyTooLarge):
        held.add(b"y", 2)
