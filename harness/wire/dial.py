"""From a host's name to a connected socket: every address that was tried is timed, and a black hole cannot hide.

Addresses are raced as browsers and httpx do it (RFC 8305): the next one begins when the one before failed or has not
answered for a quarter of a second, and the first that connects wins.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from dataclasses import dataclass

from harness.events import AddressFamily
from harness.wire.clock import WorldClock
from harness.wire.lookup import look_up
from harness.wire.receive import link_of, prepare
from harness.wire.trace import AddressTried, Trace

NEXT_ADDRESS_S = 0.25

_FAMILY: dict[int, AddressFamily] = {socket.AF_INET: "ipv4", socket.AF_INET6: "ipv6"}


def family_name(family: int) -> AddressFamily:
    """An address family as events name it."""
    return _FAMILY.get(family, "other")


@dataclass(frozen=True)
class Address:
    """Where to connect: a socket family and what `connect` takes."""

    family: int
    sockaddr: tuple[str | bytes | int, ...]


def is_literal(host: str) -> bool:
    """An address and no name: nothing is looked up."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def resolve(host: str, port: int, trace: Trace) -> list[Address]:
    """Addresses in the resolver's order. A literal address is not looked up and gets no `dns_done` mark.

    Raises:
        OSError: the name has no address.
    """
    if is_literal(host):
        version = ipaddress.ip_address(host).version
        return [Address(socket.AF_INET6 if version == 6 else socket.AF_INET, (host, port))]
    found = await look_up(host, port)
    trace.dns_done_ns = found.done_ns
    return [Address(*one) for one in found.addresses]


async def connect(addresses: list[Address], trace: Trace) -> socket.socket:
    """The first address that connects; what was tried is left in `trace.addresses`, in the order of beginning.

    Raises:
        OSError: none did; the last one's reason.
    """
    race = [_Try(address) for address in addresses]
    running: set[asyncio.Task[None]] = set()
    winner: _Try | None = None
    try:
        for index, one in enumerate(race):
            running.add(asyncio.create_task(one.go()))
            while running and not any(tried.connected for tried in race):
                last = index == len(race) - 1
                _, running = await asyncio.wait(
                    running, timeout=None if last else NEXT_ADDRESS_S, return_when=asyncio.FIRST_COMPLETED
                )
                if not last:
                    break
            if any(tried.connected for tried in race):
                break
        winner = next((tried for tried in race if tried.connected), None)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for tried in race:
            tried.note(trace)
            if tried is not winner:  # also where a cap or a user ended the race
                tried.sock_close()
    if winner is None:
        raise next((tried.failure for tried in reversed(race) if tried.failure), OSError("the name has no address"))
    trace.tcp_connected_ns = winner.connected_ns
    return winner.take()


class _Try:
    """One address being tried."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._sock: socket.socket | None = None
        self._began_ns: int | None = None
        self._ended_ns: int | None = None
        self._rtt_ns: int | None = None
        self.connected_ns: int | None = None
        self.failure: OSError | None = None

    @property
    def connected(self) -> bool:
        return self.connected_ns is not None

    async def go(self) -> None:
        try:
            self._sock = socket.socket(self._address.family, socket.SOCK_STREAM)
            prepare(self._sock)
            self._began_ns = WorldClock.now_ns()
            await asyncio.get_running_loop().sock_connect(self._sock, self._address.sockaddr)
            seen_ns = WorldClock.now_ns()
            link = link_of(self._sock)
            self._rtt_ns = link.rtt_ns
            # The kernel timed the handshake itself: where our loop noticed it late, its figure is the nearer one.
            # With a SYN sent twice it timed only the second.
            known = link.rtt_ns is not None and not link.retransmits
            self.connected_ns = min(seen_ns, self._began_ns + (link.rtt_ns or 0)) if known else seen_ns
        except OSError as error:
            self.failure = error
        except OverflowError as error:  # a port that there is not
            self.failure = OSError(errno.EADDRNOTAVAIL, str(error))
        finally:
            self._ended_ns = self.connected_ns or WorldClock.now_ns()

    def note(self, trace: Trace) -> None:
        """Leave in the trace what became of it; nothing when it never began."""
        if self._began_ns is None:
            return
        ended_ns = self._ended_ns or WorldClock.now_ns()
        took_ns = ended_ns - self._began_ns
        family = family_name(self._address.family)
        trace.addresses.append(AddressTried(family, self.connected, took_ns, self._rtt_ns))

    def sock_close(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def take(self) -> socket.socket:
        assert self._sock is not None
        sock, self._sock = self._sock, None
        return sock
