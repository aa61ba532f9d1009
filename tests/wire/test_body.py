"""Bodies that remember when each byte arrived."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest

from harness.wire import body
from harness.wire.body import BodyTooLarge, StampedBody
from harness.wire.sse import SseDecoder
from harness.wire.stamp import at


def stamped(*pieces: tuple[bytes, int]) -> StampedBody:
    """A body whose pieces began 3 ns before they were whole."""
    result = StampedBody()
    for data, at_ns in pieces:
        result.add(data, at(at_ns - 3), at(at_ns))
    return result


def test_every_byte_has_the_stamp_of_the_read_that_brought_it() -> None:
    held = stamped((b"abc", 10), (b"", 15), (b"d", 20), (b"efgh", 30))
    assert [held.arrived(i).ns for i in range(held.size)] == [7, 10, 10, 17, 27, 30, 30, 30]
    assert (held.first_ns, held.last_ns, held.whole()) == (7, 30, b"abcdefgh")
    assert [held.head(count) for count in (0, 2, 4, 99)] == [b"", b"ab", b"abcd", b"abcdefgh"]


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
        held.add(b"y", at(2))


def test_a_body_that_comes_in_too_many_reads_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "MAX_READS", 3)
    held = stamped((b"a", 1), (b"b", 2), (b"c", 3))
    with pytest.raises(BodyTooLarge):
        held.add(b"d", at(4))


def test_what_does_not_fit_in_memory_waits_in_a_file_and_comes_back_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "HELD_BYTES", body._held.bytes + 10)
    pieces = [(bytes([65 + i]) * (i + 1), 10 * i + 10) for i in range(12)]
    first, second = stamped(*pieces), stamped(*pieces)
    assert body._held.bytes <= body.HELD_BYTES
    for held in (first, second):
        assert held.whole() == b"".join(data for data, _ in pieces)
        assert [(data, arrived.ns) for data, _, arrived in held] == pieces
        assert held.head(4) == b"ABBC"


def test_a_full_disk_makes_a_body_too_large_and_not_a_broken_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> object:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(body, "HELD_BYTES", 0)
    monkeypatch.setattr(body.tempfile, "TemporaryFile", full)
    with pytest.raises(BodyTooLarge):
        stamped((b"abc", 1))


def test_of_expendable_events_the_stamps_are_kept_and_the_payload_is_not() -> None:
    partial = b'event: image_generation.partial_image\ndata: {"b64_json":"' + b"A" * 900 + b'","index":0}\n\n'
    final = b'event: image_generation.completed\ndata: {"b64_json":"' + b"B" * 900 + b'"}\n\n'
    held = StampedBody(b".partial_image")
    before = body._held.bytes
    stream = partial + final + partial
    for number, start in enumerate(range(0, len(stream), 300)):
        held.add(stream[start : start + 300], at(number))
    assert held.size == len(stream)
    assert body._held.bytes - before < len(stream) - 300
    decoder = SseDecoder()
    frames = [frame for piece in held for frame in decoder.feed(*piece)]
    assert [frame.event for frame in frames] == [
        "image_generation.partial_image",
        "image_generation.completed",
        "image_generation.partial_image",
    ]
    assert frames[1].data == final.partition(b"data: ")[2].strip()
    assert all(json.loads(frame.data)["b64_json"].strip("AB") == "" for frame in frames)
    assert frames[2].whole == at((len(stream) - 1) // 300)


def test_released_bodies_give_their_memory_back_and_keep_their_stamps() -> None:
    before = body._held.bytes
    held = stamped((b"abc", 10), (b"def", 20))
    assert body._held.bytes == before + 6
    held.release()
    assert body._held.bytes == before
    assert (held.size, held.first_ns, held.last_ns) == (6, 7, 20)
    del held
    assert body._held.bytes == before


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([], True),
        ([b" ", b"\n"], True),
        ([b"data: x"], False),
        ([b"data: x\n"], False),
        ([b"data: x\n", b"\n"], True),
        ([b"data: x\r", b"\n", b"\r", b"\n"], True),
        ([b"data: x\r\r"], True),
        ([b"data: x\n\n", b"e"], False),
        ([b"\n\n{"], False),
    ],
)
def test_a_body_knows_where_something_may_begin(pieces: list[bytes], expected: bool) -> None:
    held = StampedBody()
    for data in pieces:
        held.add(data, at(1))
    assert held.at_boundary is expected
