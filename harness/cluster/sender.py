"""Jobs handed to workers, one lease each. The runner, the journal and the budget are the local run's own.

``ready`` offers a job to the least busy worker of its region, which sends nothing; the runner writes the journal's
line; ``send`` lets it go. So a worker that is lost while a job is offered costs nothing, and the job is offered to
another. One that is lost later may have sent it: the job is then `unknown`, as after a kill.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from harness.cluster import calls
from harness.cluster.calls import Reply
from harness.cluster.dask import WorkerLost
from harness.cluster.fleet import Fleet, Member
from harness.cluster.regions import parts_of
from harness.cluster.station import Done
from harness.errors import HarnessError
from harness.events import Attempt, JobEvent, from_line
from harness.plan import Job
from harness.run.job import IMAGES_NOT_KEPT, MayRetry, Setting, to_its_end
from harness.run.record import unknown_event
from harness.salt import prompt_hash

STEP_S = 0.1
DROPPED_S = 15.0  # how long a job that is cut may take to say so


@dataclass(frozen=True)
class Lease:
    """The right to send one job once, at one worker."""

    id: str
    member: Member


class ClusterSender:
    """A `harness.run.sender.Sender` over a fleet.

    Args:
        setting: the client's own, for what is known of a job before it goes out; nothing is sent by it.
        fleet: the workers.
        patience_s: how long a job waits for a worker of its region to come back.
        images_dir: where kept images go, or null.
    """

    def __init__(self, setting: Setting, fleet: Fleet, patience_s: float, images_dir: Path | None) -> None:
        self._setting = setting
        self._fleet = fleet
        self._patience_s = patience_s
        self._images_dir = images_dir
        self._leases: dict[str, Lease] = {}
        self._draining = False
        self.lost: list[str] = []  # jobs that were on their way to or at a worker that was lost

    async def ready(self, job: Job) -> str | None:
        """Offer the job; wait for a worker if there is none."""
        job_id, region = parts_of(job)  # of one region alone, all workers of the fleet are of it
        while self._going_on():
            member = self._fleet.pick(region)
            if member is None:
                if self._fleet.empty_for_s(region) > self._patience_s:
                    return f"no worker{f' in region {region}' if region else ''} for {self._patience_s:g} s"
                await asyncio.sleep(STEP_S)
                continue
            lease = Lease(secrets.token_hex(8), member)
            member.leases += 1
            try:
                await self._fleet.timed(member, calls.offer, lease.id, job_id, region)
            except WorkerLost:
                member.leases -= 1
                continue
            except asyncio.CancelledError:
                member.leases -= 1
                if self._going_on():
                    raise
                break  # nothing was sent: no event
            self._leases[job.job_id] = lease
            return None
        return "the run is being stopped"

    async def send(self, job: Job, in_flight: int, *, scheduled_ns: int | None, may_retry: MayRetry) -> JobEvent:
        """Let the offered job go, and bring its event home. Whether it is sent again is decided here."""
        while True:
            lease = self._leases.pop(job.job_id)
            try:
                done = await self._go(lease, in_flight, _due_at_ns(scheduled_ns, lease.member), may_retry)
            except WorkerLost:
                return self._unknown(job, lease.member)
            finally:
                lease.member.leases -= 1
            if done.event is not None:
                event = self._ours(from_line(done.event), job, lease.member)
                try:
                    await to_its_end(self._keep, done.images)
                except OSError:  # what was paid for is told, whatever becomes of its picture
                    event = msgspec.structs.replace(event, notes=(*event.notes, IMAGES_NOT_KEPT))
                return event
            # Another process stands there now, which never had the lease: nothing was sent.
            self._fleet.lost(lease.member)
            if await self.ready(job) is not None:
                return self._unknown(job, lease.member)

    def _going_on(self) -> bool:
        return not self._draining

    def drain(self) -> None:
        """What waits for a worker waits no longer."""
        self._draining = True

    async def _go(self, lease: Lease, in_flight: int, due_at_ns: int | None, may_retry: MayRetry) -> Done:
        reply = await self._waited(lease, calls.send, lease.id, in_flight, due_at_ns)
        while True:
            if "problem" in reply:
                raise HarnessError(f"worker {lease.member.name}: {reply['problem']}")
            done = msgspec.convert(reply, Done, builtin_types=(bytes,))
            if done.ask is None:
                return done
            yes = await may_retry(msgspec.json.decode(done.ask, type=Attempt))
            reply = await self._waited(lease, calls.answer, lease.id, yes)

    async def _waited(self, lease: Lease, function: Callable[..., Awaitable[Reply]], *args: Any) -> Reply:
        going = asyncio.ensure_future(self._fleet.call(lease.member, function, *args))
        try:
            return await asyncio.shield(going)
        except asyncio.CancelledError:
            # The user drops what is under way: the worker cuts it, and its event says how far it had come.
            with contextlib.suppress(WorkerLost):
                await self._fleet.call(lease.member, calls.drop, lease.id)
            try:
                return await asyncio.wait_for(going, DROPPED_S)
            except TimeoutError:
                raise WorkerLost("it did not say how the job was cut") from None

    def _unknown(self, job: Job, member: Member) -> JobEvent:
        self.lost.append(job.job_id)
        facts = self._setting.facts(job, 0)
        event = unknown_event(facts, self._setting.clock, self._setting.client_request_id(job, 1))
        event = msgspec.structs.replace(event, notes=("in_flight_when_its_worker_was_lost",))
        return self._ours(event, job, member)

    def _ours(self, event: JobEvent, job: Job, member: Member) -> JobEvent:
        """With what only this side knows: the hash by our salt, and whose clock it was measured by."""
        offset = member.offset()
        return msgspec.structs.replace(
            event,
            prompt_hash=prompt_hash(job.prompt.text, self._setting.salt),
            worker=member.name,
            region=member.region,
            clock_offset_ms=None if offset is None else round(offset.ms, 3),
            clock_offset_error_ms=None if offset is None else round(offset.error_ms, 3),
        )

    def _keep(self, images: dict[str, bytes]) -> None:
        if self._images_dir is None or not images:
            return
        self._images_dir.mkdir(parents=True, exist_ok=True)
        for name, data in images.items():
            (self._images_dir / Path(name).name).write_bytes(data)


def _due_at_ns(scheduled_ns: int | None, member: Member) -> int | None:
    """A moment of our monotonic clock by the worker's wall clock, as well as it is known."""
    offset = member.offset()
    if scheduled_ns is None or offset is None:
        return None
    return time.time_ns() + scheduled_ns - time.monotonic_ns() + round(offset.ms * 1e6)
