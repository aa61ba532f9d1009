"""The runner: jobs in planned order, so many at a time, within the budget, journalled as they end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from harness.errors import UsageProblem
from harness.events import JobEvent
from harness.plan import Job
from harness.run.budget import Budget
from harness.run.job import IMAGES_NOT_KEPT, Setting, run_job
from harness.run.journal import DiskFull, Journal, Send
from harness.run.progress import RunProgress
from harness.run.record import unknown_event

if TYPE_CHECKING:
    from harness.run.stopping import Stopper

SCALE_HEADER = "x-simulator-time-scale"


@dataclass
class Ending:
    """How a run came to its end."""

    sent: int = 0
    stopped_by: str | None = None  # "user", "budget"; None when every job was done
    unknown: int = 0
    message: str | None = None


class Runner:
    """Runs the jobs that the journal does not know yet."""

    def __init__(
        self,
        setting: Setting,
        journal: Journal,
        budget: Budget,
        progress: RunProgress,
        concurrency: int,
        stopper: Stopper | None = None,
    ) -> None:
        self._setting = setting
        self._journal = journal
        self._budget = budget
        self._progress = progress
        self._concurrency = concurrency
        self._stopper = stopper
        self._in_flight = 0
        self._draining = False
        self._ending = Ending()

    async def run(self, jobs: Sequence[Job], *, resend_unknown: bool = False) -> Ending:
        """Send what is left of `jobs`; return when all are over or the run was stopped.

        Raises:
            UsageProblem: the other side runs its world at another speed than the scenario says.
        """
        left = self._left(jobs, resend_unknown=resend_unknown)
        feed = iter(left)
        workers = [asyncio.create_task(self._work(feed)) for _ in range(min(self._concurrency, max(len(left), 1)))]
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(signum, self._interrupt, workers)
        try:
            await asyncio.gather(*workers)
        except BaseException:
            # A worker failed for a reason of ours (disk full, wrong scale): stop the others, keep what they measured.
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            raise
        finally:
            for signum in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(signum)
        return self._ending

    def _left(self, jobs: Sequence[Job], *, resend_unknown: bool) -> list[Job]:
        unseen = self._journal.on_their_way
        left: list[Job] = []
        for job in jobs:
            again = resend_unknown and job.job_id in self._journal.unseen
            if job.job_id in self._journal.finished and not again:
                continue
            if job.job_id in unseen and not resend_unknown:
                facts = self._setting.facts(job, 0)
                event = unknown_event(facts, self._setting.clock, self._journal.sent[job.job_id].client_request_id)
                self._journal.finish(event)
                self._progress.finished(event)
                self._tell(event)
                self._budget.settle(None, event.cost_usd)
                self._ending.unknown += 1
                continue
            left.append(job)
        return left

    def _interrupt(self, workers: Sequence[asyncio.Task[None]]) -> None:
        if not self._draining:
            self._draining = True
            self._ending.stopped_by = "user"
            self._progress.say(
                f"stopping: {self._in_flight} jobs in flight are waited for; interrupt again to drop them"
            )
            return
        for worker in workers:
            worker.cancel()

    async def _work(self, feed: Iterator[Job]) -> None:
        while not self._draining:
            job = next(feed, None)
            if job is None:
                return
            if self._has_told_enough(job):
                self._progress.left_out()
                continue
            estimate = job.estimate_usd
            refusal = self._budget.refuses(estimate)
            if refusal is not None:
                self._draining = True
                self._ending.stopped_by = "budget"
                self._ending.message = refusal
                return
            try:
                event = await self._one(job, estimate)
            except DiskFull as full:  # before it was sent: what is in flight is waited for and recorded
                self._draining, self._ending.stopped_by, self._ending.message = True, "disk", str(full)
                return
            if event.outcome == "cancelled":
                return

    async def _one(self, job: Job, estimate: float | None) -> JobEvent:
        now = datetime.now().astimezone().isoformat(timespec="milliseconds")
        # Before the first byte goes out: a job that may be billed is never unknown to the journal.
        self._journal.send(Send(job_id=job.job_id, at=now, client_request_id=self._setting.client_request_id(job, 1)))
        self._budget.reserve(estimate)
        self._in_flight += 1
        self._ending.sent += 1
        try:
            event = await run_job(self._setting, job, self._in_flight)
        finally:
            self._in_flight -= 1
        self._check_scale(event)
        self._journal.finish(event)
        if IMAGES_NOT_KEPT in event.notes:
            self._journal.found_full()
        self._budget.settle(estimate, event.cost_usd)
        self._progress.finished(event)
        self._tell(event)
        return event

    def _has_told_enough(self, job: Job) -> bool:
        # What was sent before and is sent again now was asked for by name.
        return self._stopper is not None and self._stopper.settled(job.cell.id) and job.job_id not in self._journal.sent

    def _tell(self, event: JobEvent) -> None:
        for cell in self._stopper.tell(event) if self._stopper is not None else ():
            self._progress.told_enough(cell)

    def _check_scale(self, event: JobEvent) -> None:
        for attempt in event.attempts:
            said = attempt.headers.get(SCALE_HEADER)
            if said is not None and float(said) != event.time_scale:
                raise UsageProblem(
                    f"route {event.route}: the embedded API runs its world {said} times faster, but this run was told "
                    f"{event.time_scale:g}; every time would be wrong. Give --time-scale {said}."
                )
