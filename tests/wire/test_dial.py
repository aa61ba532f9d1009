"""Connecting: every address tried is timed, a black hole is seen, and a dead one does not hold the job up."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from harness.wire import dial
from harness.wire.caps import Caps
from harness.wire.dial import Address, connect, resolve
from harness.wire.trace import Trace


@pytest.fixture
def listening() -> Iterator[Address]:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield Address(socket.AF_INET, listener.getsockname())


@pytest.fixture
def refusing() -> Address:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = gone.getsockname()
    return Address(socket.AF_INET, address)


@pytest.fixture
def black_hole() -> Iterator[Address]:
    """A listener whose queue is full: the kernel drops what knocks, as a filter on the way would."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            fillers.append(filler)
        yield Address(socket.AF_INET, listener.getsockname())
        for filler in fillers:
            filler.close()


def race(*addresses: Address) -> tuple[Trace, socket.socket | OSError]:
    async def go() -> tuple[Trace, socket.socket | OSError]:
        trace = Trace(Caps())
        try:
            return trace, await connect(list(addresses), trace)
        except OSError as error:
            return trace, error

    trace, end = asyncio.run(go())
    if isinstance(end, socket.socket):
        end.close()
    return trace, end


def test_the_first_address_that_answers_is_taken_and_timed_by_the_kernel(listening: Address) -> None:
    trace, end = race(listening)
    assert isinstance(end, socket.socket)
    (tried,) = trace.addresses
    assert (tried.family, tried.connected) == ("ipv4", True)
    assert tried.rtt_ns is not None
    assert tried.tcp_ns <= tried.rtt_ns or tried.tcp_ns > 0
    assert trace.tcp_connected_ns is not None


def test_a_refused_address_gives_way_at_once(refusing: Address, listening: Address) -> None:
    trace, end = race(refusing, listening)
    assert isinstance(end, socket.socket)
    assert [tried.connected for tried in trace.addresses] == [False, True]


def test_a_black_hole_gives_way_after_a_quarter_of_a_second_and_is_seen(
    black_hole: Address, listening: Address
) -> None:
    trace, end = race(black_hole, listening)
    assert isinstance(end, socket.socket)
    dead, alive = trace.addresses
    assert (dead.connected, alive.connected) == (False, True)
    assert dead.tcp_ns >= dial.NEXT_ADDRESS_S * 0.9e9
    assert alive.tcp_ns < dead.tcp_ns


def test_when_no_address_answers_the_last_reason_is_told(refusing: Address) -> None:
    trace, end = race(refusing, refusing)
    assert isinstance(end, ConnectionRefusedError)
    assert [tried.connected for tried in trace.addresses] == [False, False]
    assert isinstance(race()[1], OSError)


def test_a_name_is_looked_up_and_a_literal_address_is_not() -> None:
    trace = Trace(Caps())
    found = asyncio.run(resolve("localhost", 443, trace))
    assert {address.sockaddr[0] for address in found} <= {"127.0.0.1", "::1"}
    assert trace.dns_done_ns is not None
    for literal, family in (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)):
        trace = Trace(Caps())
        assert asyncio.run(resolve(literal, 443, trace)) == [Address(family, (literal, 443))]
        assert trace.dns_done_ns is None


def test_a_name_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(OSError):
        asyncio.run(resolve("does-not-exist.invalid", 443, Trace(Caps())))


def test_a_race_that_a_cap_ends_leaves_no_socket_open(
    black_hole: Address, listening: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[socket.socket] = []
    plain = socket.socket

    def making(*args: int) -> socket.socket:
        made.append(plain(*args))
        return made[-1]

    async def go() -> None:
        monkeypatch.setattr(dial.socket, "socket", making)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await connect([black_hole], Trace(Caps()))
        (await connect([listening], Trace(Caps()))).close()
        monkeypatch.undo()

    asyncio.run(go())
    assert [one.fileno() for one in made] == [-1, -1]
