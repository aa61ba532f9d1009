"""Sends the legs of a drill as a run sends its jobs: within the budget, and journalled before they go out and after."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import msgspec

from harness.drills.course import IMAGE, Role
from harness.drills.model import DROPPED, NOT_SENT, Leg
from harness.errors import UsageProblem
from harness.events import JobEvent
from harness.plan import Job
from harness.policies.ends import end_of
from harness.run.budget import Budget
from harness.run.job import Setting, run_job
from harness.run.journal import Journal, Send
from harness.run.limits import pause_s
from harness.run.progress import RunProgress
from harness.run.record import unknown_event
from harness.run.retry import RetryPolicy
from harness.run.scale import check_scale
from harness.wire.caps import Caps
from harness.wire.clock import WorldClock

MOST_LEGS = 1_000  # of one job


@dataclass(frozen=True)
class Asked:
    """One leg as it shall go out."""

    user: int  # the job's number in its policy, from 1
    leg: int  # the leg's number in its job, from 0
    stage: int
    role: Role
    job: Job  # whose cell is the leg's own: route, shape, stream
    timeout_s: float | None


@dataclass(frozen=True)
class Came:
    """What became of one leg."""

    leg: Leg
    event: JobEvent | None  # null: it was never sent
    asked_s: float | None = None  # its retry-after, in seconds of the measured world


class Sender:
    """The legs of one policy. `begun_ns` is the moment from which its seconds count."""

    def __init__(
        self, setting: Setting, journal: Journal, budget: Budget, progress: RunProgress, policy: str, place: int
    ) -> None:
        """`place`: the policy's number among those that are drilled, from 0; legs of all of them share a journal."""
        self.clock: WorldClock = setting.clock
        self.begun_ns = WorldClock.now_ns()
        self.refusal: str | None = None  # why the budget let a leg not go out
        self.legs = 0
        self._setting = setting
        self._journal = journal
        self._budget = budget
        self._progress = progress
        self._slug = re.sub(r"[^a-z0-9]+", "-", policy.lower()).strip("-")[:24] or "policy"
        self._place = place
        self._in_flight = 0

    def now_s(self) -> float:
        """Seconds of the measured world since the drill of this policy began."""
        return self.clock.ms(self.begun_ns, WorldClock.now_ns()) / 1000

    async def send(self, asked: Asked, answered: Callable[[], None]) -> Came:
        """Send one leg and say what became of it. A cancellation gives it up: it is recorded like any other end.

        `answered` is told when the exchange is over, before its answer is looked at.
        """
        job = self._own_job(asked)
        client_id = self._setting.client_request_id(job, 1)
        begun_s = self.now_s()

        def leg(end: str, event: JobEvent | None, ended_s: float) -> Leg:
            return Leg(
                job_id=job.job_id,
                client_request_id=client_id,
                role=asked.role,
                stage=asked.stage,
                route=job.cell.route,
                begun_s=round(begun_s, 3),
                ended_s=round(ended_s, 3),
                end=end,
                estimate_usd=job.estimate_usd,
                cost_usd=0.0 if event is None else event.cost_usd,
                maybe_billed=event is not None and event.cost_basis == "maybe_billed",
                http_status=None if event is None else event.http_status,
            )

        self.refusal = self.refusal or self._budget.refuses(job.estimate_usd)
        if self.refusal is not None:
            return Came(leg(NOT_SENT, None, begun_s), None)
        event = await self._journalled(job, client_id, asked.timeout_s, answered)
        took_s = self.now_s() - begun_s if event.total_ms is None else event.total_ms / 1000
        last = event.attempts[-1]
        end = DROPPED if event.outcome == "cancelled" else end_of(event, last) or IMAGE
        asked_s = pause_s(last, datetime.now(UTC)) if event.http_status == 429 else None
        return Came(leg(end, event, begun_s + took_s), event, asked_s)

    async def _journalled(
        self, job: Job, client_id: str, timeout_s: float | None, answered: Callable[[], None]
    ) -> JobEvent:
        self._budget.reserve(job.estimate_usd)
        self._in_flight += 1
        self.legs += 1
        # The policy's retries are legs of their own: the scenario's are off.
        setting = replace(self._setting, caps=self._caps(timeout_s), retry=RetryPolicy(), answered=answered)
        facts = setting.facts(job, self._in_flight)
        # Before the first byte goes out: a leg that may be billed is never unknown to the journal.
        self._journal.send(Send(job_id=job.job_id, at=facts.started_at, client_request_id=client_id))
        try:
            event = await run_job(setting, job, self._in_flight)
        except asyncio.CancelledError:
            # Its answer was here and was being looked at when it was given up: it counts as not seen.
            unseen = unknown_event(facts, self.clock, client_id)
            event = msgspec.structs.replace(unseen, outcome="cancelled", ended="cancelled", notes=())
        finally:
            self._in_flight -= 1
        check_scale(event)
        self._journal.finish(event)
        self._budget.settle(job.estimate_usd, event.cost_usd)
        self._progress.total = max(self._progress.total, self._progress.done + 1)  # a job may take several
        self._progress.finished(event)
        return event

    def _own_job(self, asked: Asked) -> Job:
        """The leg as a job of its own: an id that says whose it is, and a place of its own among all blocks.

        The id that is sent is drawn from it, so that an embedded API draws every leg's times anew.
        """
        if asked.leg >= MOST_LEGS:
            raise UsageProblem(f"a job has come to {MOST_LEGS} legs: lower the policy's retries or hedges")
        tail = hashlib.sha256(f"{asked.job.job_id}/{self._slug}/{asked.user}/{asked.leg}".encode()).hexdigest()[:8]
        name = f"{self._slug}-{self._place + 1}-u{asked.user:04d}-l{asked.leg:02d}-{tail}"
        block = (self._place * 1_000_000 + asked.user) * MOST_LEGS + asked.leg
        return replace(asked.job, job_id=name, block=block, position=asked.leg + 1)

    def _caps(self, timeout_s: float | None) -> Caps:
        """The scenario's own caps, the policy's timeout in place of the one on the whole attempt."""
        caps = self._setting.caps
        return caps if timeout_s is None else replace(caps, total_s=self.clock.here_s(timeout_s))
