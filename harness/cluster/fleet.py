"""The workers of a run, as the client knows them: who joins, who is lost, whose turn it is, and how their clocks go."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import msgspec

from harness.cluster import calls
from harness.cluster.calls import Reply
from harness.cluster.dask import Scheduler, Seen, WorkerLost
from harness.cluster.offset import Offset, Offsets, Sample
from harness.cluster.regions import region_of
from harness.conditions import Host, WorkerConditions
from harness.errors import HarnessError, UsageProblem

LOOK_S = 1.0  # how often the scheduler is asked who is there, and every worker for the time
FIRST_ROUND_TRIPS = 8
GONE_GRACE_S = 10.0  # how long an answer of a worker that left the scheduler may still be on its way
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


@dataclass
class Member:
    """A worker that is ready to measure."""

    address: str
    name: str
    region: str | None
    token: str
    host: Host
    offsets: Offsets = field(default_factory=Offsets)
    leases: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    def offset(self) -> Offset | None:
        """How far its wall clock is ahead of ours, now."""
        return self.offsets.at(time.time_ns())


class Fleet:
    """The workers of one run. Use as an async context manager.

    Args:
        scheduler: connected.
        parcel: what a worker is given to get ready.
        regions: only workers of these take part; all workers when empty.
        say: where news go.
    """

    def __init__(
        self, scheduler: Scheduler, parcel: bytes, regions: Collection[str], say: Callable[[str], None]
    ) -> None:
        self._scheduler = scheduler
        self._parcel = parcel
        self._regions = frozenset(regions)
        self._say = say
        self._members: dict[str, Member] = {}
        self._refused: set[str] = set()
        self._numbered = 0
        self._empty_since_s: dict[str | None, float] = {}
        self.ever: list[Member] = []
        self.backend: list[bytes] = []  # what the workers' embedded APIs recorded

    async def __aenter__(self) -> Self:
        """Every worker that is there gets ready.

        Raises:
            UsageProblem: one of them cannot measure this scenario.
        """
        seen = [one for one in await self._scheduler.workers() if self._wanted(one)]
        try:
            await asyncio.gather(*(self._join(one) for one in seen))
        except BaseException:
            await self._close()
            raise
        self._looking = asyncio.create_task(self._look())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._looking
        await self._close()

    def pick(self, region: str | None) -> Member | None:
        """The worker of this region (of any, when null) with the fewest jobs; null when there is none."""
        able = [one for one in self._members.values() if region in (None, one.region)]
        return min(able, key=lambda one: (one.leases, one.name), default=None)

    def empty_for_s(self, region: str | None) -> float:
        """How long this region has been without a worker."""
        if self.pick(region) is not None:
            self._empty_since_s.pop(region, None)
            return 0.0
        return time.monotonic() - self._empty_since_s.setdefault(region, time.monotonic())

    async def timed(self, member: Member, function: Callable[..., Awaitable[Reply]], *args: Any) -> Reply:
        """A call whose answer tells the time.

        Raises:
            WorkerLost: there was no answer, or another process answered.
        """
        before_ns, began_ns = time.time_ns(), time.monotonic_ns()
        reply = await self.call(member, function, *args)
        if "now_ns" not in reply:
            self.lost(member)
            raise WorkerLost("another process")
        # The length by the clock that nobody sets.
        member.offsets.add(Sample(before_ns, reply["now_ns"], before_ns + time.monotonic_ns() - began_ns))
        return reply

    async def call(self, member: Member, function: Callable[..., Awaitable[Reply]], *args: Any) -> Reply:
        """A call to a member; one that is not answered loses it.

        Raises:
            WorkerLost: there was no answer.
        """
        answer = asyncio.ensure_future(self._scheduler.call(member.address, function, member.token, *args))
        gone = asyncio.ensure_future(self._long_gone(member))
        try:
            await asyncio.wait((answer, gone), return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise WorkerLost("gone")
            return await answer
        except (WorkerLost, UsageProblem) as error:
            self.lost(member)
            raise WorkerLost(str(error)) from error
        finally:
            for task in (answer, gone):
                task.cancel()
            await asyncio.gather(answer, gone, return_exceptions=True)

    def lost(self, member: Member) -> None:
        """It takes no more jobs; if it is still there, it joins anew."""
        if self._members.get(member.address) is member:
            del self._members[member.address]
            self._say(f"worker {member.name}{_where(member.region)} is lost")
        member.gone.set()

    def conditions(self) -> tuple[WorkerConditions, ...]:
        """Every worker that took part, by name; one that came back counts once."""
        found = {WorkerConditions(name=one.name, region=one.region, host=one.host) for one in self.ever}
        return tuple(sorted(found, key=lambda one: (one.name, one.region or "")))

    async def _long_gone(self, member: Member) -> None:
        await member.gone.wait()
        await asyncio.sleep(GONE_GRACE_S)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            seen = {one.address: one for one in await self._scheduler.workers() if self._wanted(one)}
            for address in set(self._members) - set(seen):
                self.lost(self._members[address])
            self._refused &= set(seen)
            for address in set(seen) - set(self._members) - self._refused:
                try:
                    member = await self._join(seen[address])
                    self._say(f"worker {member.name}{_where(member.region)} has joined")
                except HarnessError as error:
                    self._refused.add(address)
                    self._say(f"a worker takes no part: {error}")
                except WorkerLost:
                    continue
            told = (self.timed(member, calls.tell_time) for member in list(self._members.values()))
            await asyncio.gather(*told, return_exceptions=True)

    def _wanted(self, seen: Seen) -> bool:
        try:
            return not self._regions or region_of(seen.resources) in self._regions
        except UsageProblem:
            return False  # in two regions at once: it came later than the run's begin, which would have said so

    async def _join(self, seen: Seen) -> Member:
        name = self._name(seen)
        reply = await self._scheduler.call(seen.address, calls.open_station, self._parcel)
        if "problem" in reply:
            raise UsageProblem(f"worker {name} cannot measure this: {reply['problem']}")
        host = msgspec.convert(reply["host"], Host)
        member = Member(seen.address, name, region_of(seen.resources), reply["token"], host)
        for _ in range(FIRST_ROUND_TRIPS):
            await self.timed(member, calls.tell_time)
        self._members[seen.address] = member
        self.ever.append(member)
        return member

    def _name(self, seen: Seen) -> str:
        """A name that says nothing of the network: what Dask calls it by itself is its address."""
        if _NAME.fullmatch(seen.name) and not seen.name.isdecimal():
            return seen.name
        self._numbered += 1
        return f"worker-{self._numbered}"

    async def _close(self) -> None:
        members, self._members = list(self._members.values()), {}
        for member in members:
            with contextlib.suppress(WorkerLost, UsageProblem):
                reply = await self._scheduler.call(member.address, calls.close_station, member.token)
                self.backend.append(reply["backend"])


def _where(region: str | None) -> str:
    return "" if region is None else f" (region {region})"
