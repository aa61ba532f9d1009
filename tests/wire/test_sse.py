"""The event-stream decoder: any cut gives the same frames, and every frame knows when it arrived."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.wire import sse
from harness.wire.sse import Frame, FrameTooLarge, SseDecoder
from harness.wire.stamp import Stamp, at

RECORDED = (
    b"\xef\xbb\xbf: connected\n\n"
    b'event: image_generation.partial_image\ndata: {"b64_json":"' + b"A" * 300 + b'"}\n\n'
    b": keep-alive\r\n\r\n"
    b"data:first\r\ndata: second\r\nid: 7\r\nretry: 10\r\n\r\n"
    b"event: ping\rdata\r\r"
    b'event: image_generation.completed\ndata: {"b64_json":"' + b"B" * 900 + b'"}\n\n'
    b"data: [DONE]\n\n"
    b"event: late\ndata: no blank line behind this\n"
)


def naive(stream: bytes) -> tuple[list[tuple[str | None, bytes, int, int]], tuple[str | None, bytes] | None]:
    """The grammar again, over the whole text at once: (event, data, first byte's offset, offset of the byte that
    completes it) for each frame, and what stands at the end without its blank line."""
    start = 3 if stream.startswith(b"\xef\xbb\xbf") else 0
    rows: list[tuple[int, bytes, int]] = []  # (offset, line, offset of the end of its line break)
    at = start
    while at < len(stream):
        ends = [i for i in (stream.find(b"\n", at), stream.find(b"\r", at)) if i >= 0]
        if not ends:
            rows.append((at, stream[at:], -1))
            break
        end = min(ends)
        width = 2 if stream[end : end + 2] == b"\r\n" else 1
        # A decoder may act on the carriage return alone, without waiting for what follows it.
        rows.append((at, stream[at:end], end))
        at = end + width
    frames: list[tuple[str | None, bytes, int, int]] = []
    data: list[bytes] = []
    event: str | None = None
    first: int | None = None
    for offset, line, end in rows:
        if not line and end >= 0:
            if data or event is not None:
                frames.append((event, b"\n".join(data), first if first is not None else offset, end))
            data, event, first = [], None, None
            continue
        if line.startswith(b":"):
            continue
        if first is None:
            first = offset
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            data.append(value)
        elif name == b"event":
            event = value.decode()
    return frames, ((event, b"\n".join(data)) if data or event is not None else None)


def decode(chunks: list[bytes]) -> tuple[list[Frame], int]:
    """Chunk k begins at 10 k and is whole at 10 k + 5."""
    decoder = SseDecoder()
    frames = [
        frame
        for number, chunk in enumerate(chunks)
        for frame in decoder.feed(chunk, at(10 * number), at(10 * number + 5))
    ]
    return [*frames, *decoder.close()], decoder.comments


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted({place % (len(stream) + 1) for place in places}), len(stream)]
    return [stream[a:b] for a, b in pairwise(edges)]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(min_value=0, max_value=100_000), max_size=40))
def test_every_cut_of_a_recorded_stream_gives_the_same_frames_and_the_right_stamps(places: list[int]) -> None:
    chunks = cut(RECORDED, places)
    frames, comments = decode(chunks)
    expected, rest = naive(RECORDED)
    assert [(frame.event, frame.data) for frame in frames if frame.terminated] == [row[:2] for row in expected]
    assert [(frame.event, frame.data) for frame in frames if not frame.terminated] == [rest]
    assert comments == 2

    def chunk_of(offset: int) -> tuple[int, bool]:
        """Number of the chunk that holds this byte, and whether the byte is its first."""
        size = 0
        for number, chunk in enumerate(chunks):
            if offset < size + len(chunk):
                return number, offset == size
            size += len(chunk)
        raise AssertionError(offset)

    for frame, (_, _, first, last) in zip(frames, expected, strict=False):
        number, is_first = chunk_of(first)
        assert frame.first == (at(10 * number) if is_first else Stamp(10 * number, 10 * number + 5))
        assert frame.whole == at(10 * chunk_of(last)[0] + 5)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from([b"\n", b"\r", b"\r\n", b"data:", b"data: x", b"event: e", b":", b"id", b"y"]), max_size=30
    ),
    st.lists(st.integers(min_value=0, max_value=1000), max_size=20),
)
def test_any_mixture_of_line_ends_is_read_like_the_grammar_says(parts: list[bytes], places: list[int]) -> None:
    stream = b"".join(parts)
    frames, _ = decode(cut(stream, places))
    expected, rest = naive(stream)
    assert [(frame.event, frame.data) for frame in frames if frame.terminated] == [row[:2] for row in expected]
    assert [(frame.event, frame.data) for frame in frames if not frame.terminated] == ([rest] if rest else [])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=50), max_size=20))
def test_arbitrary_bytes_never_raise(chunks: list[bytes]) -> None:
    decode(chunks)


def test_a_frame_beyond_the_limit_is_refused_and_memory_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_FRAME_BYTES", 1000)
    decoder = SseDecoder()

    def endless() -> None:
        for _ in range(100):
            list(decoder.feed(b"data: " + b"x" * 50, at(1)))

    with pytest.raises(FrameTooLarge):
        endless()
