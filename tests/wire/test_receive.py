"""Reading with the kernel's stamps, on real sockets; the sender's own clock is the truth."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.wire.receive import Receiver, everything, keep_stamping, link_of, prepare, up_to_blank_line
from harness.wire.stamp import KernelClock

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernel stamps are Linux's")
SHARP_NS = 2_000_000  # what a busy machine may put between two clock readings; the delays below are far larger


@pytest.fixture(scope="module", autouse=True)
def stamping() -> None:
    keep_stamping()
    time.sleep(0.1)  # the kernel begins a moment after it was asked


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """(ours, theirs), connected over the loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.socket()
        prepare(ours)
        ours.setblocking(True)
        ours.connect(listener.getsockname())
        ours.setblocking(False)
        theirs, _ = listener.accept()
        theirs.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with ours, theirs:
        yield ours, theirs


def send(theirs: socket.socket, data: bytes) -> tuple[int, int]:
    before = time.monotonic_ns()
    theirs.sendall(data)
    return before, time.monotonic_ns()


def test_a_late_reader_still_learns_when_the_bytes_came(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    receiver = Receiver(ours, KernelClock(), None)
    before, after = send(theirs, b"hello")
    time.sleep(0.2)
    view, stamp = receiver.read(everything)
    assert bytes(view) == b"hello"
    assert before - SHARP_NS <= stamp.ns <= after + SHARP_NS
    assert stamp.not_before_ns <= after
    assert receiver.source == "kernel"
    assert receiver.waited_ns > 150_000_000
    assert receiver.emptied


def test_events_that_queued_up_are_read_one_by_one_and_each_interval_holds_the_truth(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """The kernel may join what waits in its queue: then the mark is late, and the interval says by how much."""
    ours, theirs = pair
    receiver = Receiver(ours, KernelClock(), None)
    sent = []
    events = (b"data: one\n\n", b"data: " + b"x" * 50_000 + b"\n\n", b"data: three\r\n\r\n")
    for event in events:
        sent.append(send(theirs, event))
        time.sleep(0.06)
    for event, (before, after) in zip(events, sent, strict=True):
        first, began = receiver.first()
        got = bytes(first)
        view, arrived = receiver.read(up_to_blank_line)
        assert got + bytes(view) == event
        for stamp in (began, arrived):
            assert stamp.not_before_ns <= after
            assert before - SHARP_NS <= stamp.ns
    assert arrived.ns <= after + SHARP_NS  # nothing came behind the last one: its stamp is its own
    with pytest.raises(BlockingIOError):
        receiver.first()


def test_events_that_are_read_as_they_come_have_sharp_stamps(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    receiver = Receiver(ours, KernelClock(), None)
    for event in (b"data: one\n\n", b"data: " + b"x" * 50_000 + b"\n\n"):
        before, after = send(theirs, event)
        time.sleep(0.02)
        _, began = receiver.first()
        _, arrived = receiver.read(up_to_blank_line)
        for stamp in (began, arrived):
            assert before - SHARP_NS <= stamp.ns <= after + SHARP_NS


def test_an_end_of_the_connection_is_an_empty_read(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    receiver = Receiver(ours, KernelClock(), None)
    theirs.shutdown(socket.SHUT_WR)
    time.sleep(0.02)
    assert not receiver.read(everything)[0]
    assert not receiver.first()[0]


def test_after_a_step_of_the_clock_stamps_are_our_own_and_say_so(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    clock = KernelClock()
    receiver = Receiver(ours, clock, None)
    clock.offset_ns -= 60_000_000_000  # as if the wall clock had been set while the run was under way
    before, _ = send(theirs, b"x")
    time.sleep(0.02)
    _, stamp = receiver.first()
    assert before <= stamp.ns <= time.monotonic_ns()
    assert receiver.source == "user"
    assert clock.steps == 1


def test_the_kernel_tells_the_round_trip(pair: tuple[socket.socket, socket.socket]) -> None:
    link = link_of(pair[0])
    assert link.rtt_ns is not None
    assert 0 < link.rtt_ns < 1_000_000_000
    assert link.retransmits == 0


@given(st.lists(st.sampled_from([b"\n", b"\r\n", b"a", b"data: x", b"\r", b"\n\n"]), max_size=20))
def test_a_read_stops_behind_the_first_blank_line(parts: list[bytes]) -> None:
    data = b"".join(parts)
    marks = (b"\n\n", b"\n\r\n")
    ends = [at + len(mark) for at in range(len(data)) for mark in marks if data.startswith(mark, at)]
    expected = min(ends, default=len(data))
    assert up_to_blank_line(bytearray(data + b"\n\nleft over"), len(data)) == expected


@pytest.mark.parametrize("step_ms", [-30, 30])
def test_a_step_that_contradicts_nothing_is_seen_all_the_same(
    pair: tuple[socket.socket, socket.socket], step_ms: int
) -> None:
    ours, theirs = pair
    clock = KernelClock()
    receiver = Receiver(ours, clock, None, since_ns=time.monotonic_ns() - 60_000_000_000)  # silent for a minute
    clock.offset_ns += step_ms * 1_000_000  # taken before the wall clock was set back, or forward
    before, _ = send(theirs, b"x")
    time.sleep(0.06)
    _, stamp = receiver.first()
    assert before <= stamp.ns <= time.monotonic_ns()
    assert stamp.ns >= before + 50_000_000  # when we read it: the kernel's stamp may be from either side of the step
    assert (receiver.source, clock.steps) == ("user", 1)


def test_what_came_after_a_step_was_found_has_the_kernels_stamp_again(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    clock = KernelClock()
    clock.offset_ns += 30_000_000
    assert not clock.trusted_since(time.monotonic_ns())
    receiver = Receiver(ours, clock, None)
    _, after = send(theirs, b"x")
    time.sleep(0.06)
    _, stamp = receiver.first()
    assert stamp.ns <= after + 40_000_000
    assert (receiver.source, clock.steps) == ("kernel", 1)
