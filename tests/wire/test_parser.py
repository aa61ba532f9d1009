"""Answers from bytes: any cut gives the same answer, and garbage ends in a named way with bounded memory."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.wire import body, parser
from harness.wire.body import BodyTooLarge
from harness.wire.caps import Caps
from harness.wire.parser import AnswerParser, NotHttp
from harness.wire.stamp import at
from harness.wire.trace import Trace

CHUNKED = (
    b"HTTP/1.1 100 Continue\r\n\r\n"
    b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nX-Two: a\r\nX-Two: b\r\n\r\n"
    b"b;ext=1\r\ndata: one\n\n\r\n"
    b"d\r\ndata: three\n\n\r\n"
    b"0\r\nX-Trailer: t\r\n\r\n"
)
SIZED = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"


def feed(pieces: list[bytes]) -> tuple[Trace, AnswerParser]:
    """Piece k begins at 10 k and has arrived at 10 k + 5."""
    trace = Trace(Caps())
    answer = AnswerParser(trace)
    for number, piece in enumerate(pieces):
        answer.feed(piece, at(10 * number), at(10 * number + 5))
    return trace, answer


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(min_value=0, max_value=1000), max_size=30))
def test_every_cut_of_a_recorded_answer_reads_the_same(places: list[int]) -> None:
    edges = [0, *sorted({place % len(CHUNKED) for place in places}), len(CHUNKED)]
    trace, answer = feed([CHUNKED[a:b] for a, b in pairwise(edges) if a < b])
    assert (trace.http_status, trace.http_version) == (200, "HTTP/1.1")
    assert trace.headers == [
        ("content-type", "text/event-stream"),
        ("transfer-encoding", "chunked"),
        ("x-two", "a"),
        ("x-two", "b"),
    ]
    assert trace.body.whole() == b"data: one\n\ndata: three\n\n"
    assert (answer.complete, answer.keep_alive, answer.surplus) == (True, True, False)


def test_an_event_begins_with_the_size_of_its_chunk_when_that_came_first() -> None:
    head, _, rest = CHUNKED.partition(b"b;ext=1\r\n")
    trace, answer = feed([head])
    assert answer.boundary
    answer.feed(b"b", at(100), at(100))
    assert not answer.boundary  # the size has begun: read on
    answer.feed(b";ext=1\r\n" + rest[:11], at(300), at(305))
    assert trace.body.arrived(0) == at(100)
    assert trace.body.arrived(10) == at(305)
    assert answer.boundary
    answer.feed(b"\r", at(306), at(306))
    answer.feed(b"\n", at(307), at(307))
    assert answer.boundary  # the end of a chunk's line begins nothing
    answer.feed(b"d", at(400), at(400))
    assert not answer.boundary


def test_a_body_of_a_declared_size_and_one_that_ends_with_the_connection() -> None:
    trace, answer = feed([SIZED])
    assert (trace.body.whole(), answer.complete, answer.keep_alive) == (b"hello", True, True)
    trace, answer = feed([b"HTTP/1.1 200 OK\r\n\r\nhel", b"lo"])
    assert not answer.complete
    assert answer.ended_by_close()
    assert trace.body.whole() == b"hello"
    _, answer = feed([SIZED[:-1]])
    assert not answer.ended_by_close()  # it promised one byte more


@pytest.mark.parametrize("coding", [b"identity", b"gzip", b"chunked, gzip"])
def test_a_coding_without_chunks_ends_with_the_connection_and_was_not_cut(coding: bytes) -> None:
    trace, answer = feed([b"HTTP/1.1 200 OK\r\ntransfer-encoding: " + coding + b"\r\n\r\nhello"])
    assert not answer.complete
    assert answer.ended_by_close()
    assert trace.body.whole() == b"hello"
    _, chunked = feed([CHUNKED[:-4]])
    assert not chunked.ended_by_close()


def test_bytes_behind_the_end_are_a_surplus_and_no_part_of_the_answer() -> None:
    for surplus in (b"HTTP/1.1 200 OK\r\n\r\n", b"garbage", b"HTTP/1.0 500 Oops\r\ncontent-length: 3\r\n\r\nbad"):
        trace, answer = feed([SIZED + surplus])
        assert (trace.body.whole(), trace.http_status, answer.surplus) == (b"hello", 200, True)
        assert (trace.http_version, trace.headers) == ("HTTP/1.1", [("content-length", "5")])


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-5\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffffff\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n\0\0\0",
        b"\x15\x03\x03\x00\x02\x02\x28",
    ],
)
def test_what_contradicts_itself_is_not_http(garbage: bytes) -> None:
    with pytest.raises(NotHttp):
        feed([garbage])


@pytest.mark.parametrize(
    ("head", "endless"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"x-flood: " + b"y" * 1000 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\nx-long: ", b"y" * 1000),
        (b"HTTP/1.1 ", b"2" * 1000),
        (b"", b"HTTP/1.1 102 Processing\r\n\r\n" * 40),
    ],
)
def test_headers_without_an_end_are_given_up(head: bytes, endless: bytes) -> None:
    with pytest.raises(NotHttp):
        feed([head, *[endless] * 2000])


def test_framing_without_a_body_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "MAX_OVERHEAD_BYTES", 10_000)
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    with pytest.raises(NotHttp):
        feed([head + b"5;", *[b"e" * 100_000] * 100])  # a chunk extension that never ends
    with pytest.raises(NotHttp):
        feed([head + b"0\r\n", *[b"x-trailer: " + b"t" * 1000 + b"\r\n"] * 1000])


def test_a_body_without_an_end_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "MAX_BODY_BYTES", 100_000)
    for head in (b"", b"content-length: 10737418240\r\n"):
        with pytest.raises(BodyTooLarge):
            feed([b"HTTP/1.1 200 OK\r\n" + head + b"\r\n", *[b"x" * 65_536] * 10])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=10), st.booleans())
def test_arbitrary_bytes_end_in_an_answer_or_in_one_of_two_errors(pieces: list[bytes], headed: bool) -> None:
    start = [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"] if headed else []
    try:
        feed([*start, *(piece for piece in pieces if piece)])
    except (NotHttp, BodyTooLarge):
        return
