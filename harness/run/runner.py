"""The runner: jobs in planned order, as the pacer lets them, within the budget, journalled as they end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from harness.events import Attempt, JobEvent
from harness.loads import ClosedRoute, LoadResult
from harness.plan import Job
from harness.run.budget import Budget
from harness.run.job import IMAGES_NOT_KEPT, Setting
from harness.run.journal import DiskFull, Journal, Send
from harness.run.pacer import Stop, Wait
from harness.run.pacing import Go, Pacing
from harness.run.progress import RunProgress
from harness.run.queue import Queue
from harness.run.record import may_be_billed, ordered_often, unknown_event
from harness.run.scale import check_scale
from harness.run.sender import Here, Sender

if TYPE_CHECKING:
    from harness.run.stopping import Stopper


@dataclass
class Ending:
    """How a run came to its end."""

    sent: int = 0
    stopped_by: str | None = None  # "user", "budget", "load", "breaker", "workers", "disk"; None when all was done
    unknown: int = 0
    message: str | None = None
    load: LoadResult = field(default_factory=LoadResult)
    closed_routes: tuple[ClosedRoute, ...] = ()
    passed_over: frozenset[str] = frozenset()  # jobs that were dropped, or of a closed route


class Runner:
    """Runs the jobs that the journal does not know yet."""

    def __init__(
        self,
        setting: Setting,
        journal: Journal,
        budget: Budget,
        progress: RunProgress,
        pacing: Pacing,
        stopper: Stopper | None = None,
        heard: Callable[[JobEvent], None] = lambda _: None,
        sender: Sender | None = None,
    ) -> None:
        self._setting = setting
        self._journal = journal
        self._budget = budget
        self._progress = progress
        self._pacing = pacing
        self._stopper = stopper
        self._sender = sender or Here(setting)
        self._heard = heard  # told of every job that is over, as it ends
        self._draining = False
        self._ending = Ending()
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None
        self._changed = asyncio.Event()  # a job is over, or the user spoke

    async def run(self, jobs: Sequence[Job], *, resend_unknown: bool = False) -> Ending:
        """Send what is left of `jobs`; return when all are over or the run was stopped.

        Raises:
            UsageProblem: the other side runs its world at another speed than the scenario says.
        """
        left = self._left(jobs, resend_unknown=resend_unknown)
        queue = self._pacing.queue(left, self._has_told_enough)
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(signum, self._interrupt)
        try:
            await self._send_all(queue)
            while self._tasks and self._failure is None:
                await self._wait(None)
        finally:
            # One failed for a reason of ours (disk full, wrong scale): stop the others, keep what they measured.
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for signum in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(signum)
        if self._failure is not None:
            raise self._failure
        self._ending.load = self._pacing.result()
        self._ending.closed_routes = queue.closed()
        self._ending.passed_over = queue.passed_over()
        if self._ending.stopped_by is None and any(route.jobs_not_sent for route in self._ending.closed_routes):
            self._ending.stopped_by = "breaker"
            self._ending.message = "; ".join(f"route {one.route}: {one.why}" for one in self._ending.closed_routes)
        return self._ending

    def _left(self, jobs: Sequence[Job], *, resend_unknown: bool) -> list[Job]:
        unseen = self._journal.on_their_way
        left: list[Job] = []
        for job in jobs:
            again = resend_unknown and job.job_id in self._journal.unseen
            if job.job_id in unseen:
                # Also where it is sent again: what went out before may be billed beside what goes out now.
                event = self._unknown(job)
                self._journal.finish(event)
                self._budget.settle(None, event.cost_usd)
                if not resend_unknown:
                    self._progress.finished(event)
                    self._tell(event)
                    self._ending.unknown += 1
                    continue
            elif job.job_id in self._journal.finished and not again:
                continue
            left.append(job)
        return left

    def _unknown(self, job: Job) -> JobEvent:
        sent = self._journal.sent[job.job_id]
        event = unknown_event(self._setting.facts(job, 0), self._setting.clock, sent.client_request_id)
        return ordered_often(event, sent.number, sent.orders)

    async def _send_all(self, queue: Queue) -> None:
        self._pacing.begin()
        while not self._halting:
            gone = queue.left_out
            step = self._pacing.next(queue, len(self._tasks))
            for _ in range(queue.left_out - gone):
                self._progress.left_out()
            if step is None:
                return
            if isinstance(step, Stop):
                self._stop("load", step.why)
            elif isinstance(step, Wait):
                if step.held and step.s is not None:
                    self._progress.held(self._pacing.now_s(), step.s)
                await self._wait(None if step.s is None else self._setting.clock.here_s(step.s))
            elif await self._has_money(step.job):
                self._launch(step)

    async def _has_money(self, job: Job) -> bool:
        """Whether the budget lets this job go out. What is in flight may turn out cheaper: it is waited for."""
        while not self._halting:
            refusal = self._budget.refuses(job.estimate_usd)
            if refusal is None:
                return True
            if self._tasks and self._budget.may_ease():
                await self._wait(None)
            else:
                self._stop("budget", refusal)
        return False

    def _launch(self, step: Go) -> None:
        job, in_flight = step.job, len(self._tasks) + 1
        self._budget.reserve(job.estimate_usd)
        self._pacing.sent(job, in_flight)
        self._ending.sent += 1
        task = asyncio.create_task(self._one(step, in_flight))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def _one(self, step: Go, in_flight: int) -> None:
        job = step.job
        refusal = await self._sender.ready(job)
        if refusal is not None:
            self._not_sent(job, refusal)
            return
        # Before the first byte goes out: a job that may be billed is never unknown to the journal.
        full = self._written(job, 1, 1)
        if full is not None:
            self._not_sent(job, full)
            return
        reserved, number, orders = job.estimate_usd, 1, 1

        async def may_retry(attempt: Attempt) -> bool:
            # A retry is an order like any other: budget and limits have to know of it before it goes out.
            nonlocal reserved, number, orders
            self._pacing.told(job, attempt)
            ordered = orders + may_be_billed(attempt)
            if (
                self._draining
                or self._budget.refuses_retry(job.estimate_usd)
                or self._written(job, attempt.number + 1, ordered) is not None
            ):
                self._pacing.retries_refused += 1
                return False
            number, orders = attempt.number + 1, ordered
            self._budget.reserve_retry(job.estimate_usd)
            reserved = None if reserved is None or job.estimate_usd is None else reserved + job.estimate_usd
            self._pacing.counted(job)
            return True

        event = await self._sender.send(job, in_flight, scheduled_ns=step.due_ns, may_retry=may_retry)
        event = ordered_often(event, number, orders)
        check_scale(event)
        self._journal.finish(event)
        if IMAGES_NOT_KEPT in event.notes:
            self._journal.found_full()
        if self._journal.full is not None and not self._draining:
            self._stop("disk", self._journal.full)
        self._budget.settle(reserved, event.cost_usd)
        self._progress.finished(event)
        self._tell(event)
        self._heard(event)
        given_up = self._pacing.over(job, event, len(self._tasks) - 1)
        if given_up is not None:
            self._progress.say(
                f"route {given_up} is given up: {self._pacing.breakers[given_up].opened}; its other jobs are not sent"
            )

    def _written(self, job: Job, number: int, orders: int) -> str | None:
        """The journal's line before an attempt goes out; why it must not where there is no room for that."""
        now = datetime.now().astimezone().isoformat(timespec="milliseconds")
        name = self._setting.client_request_id(job, number)
        try:
            self._journal.send(Send(job_id=job.job_id, at=now, client_request_id=name, number=number, orders=orders))
        except DiskFull as full:
            self._stop("disk", str(full))
            return str(full)
        return None

    def _not_sent(self, job: Job, why: str) -> None:
        """Its money and its place are free again; others go on."""
        self._budget.release(job.estimate_usd)
        self._ending.sent -= 1
        if self._ending.stopped_by is None:
            self._ending.stopped_by, self._ending.message = "workers", why

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._changed.set()
        if not task.cancelled() and self._failure is None:
            self._failure = task.exception()

    @property
    def _halting(self) -> bool:
        return self._draining or self._failure is not None

    async def _wait(self, here_s: float | None) -> None:
        """Until a job is over, somebody interrupts, or so much time has passed."""
        self._changed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(here_s):
                await self._changed.wait()

    def enough(self) -> None:
        """Send nothing more; what is in flight is waited for. The run counts as whole."""
        self._draining = True
        self._changed.set()

    def _stop(self, by: str, message: str) -> None:
        self._draining = True
        self._ending.stopped_by = by
        self._ending.message = message

    def _interrupt(self) -> None:
        self._changed.set()
        if not self._draining or self._ending.stopped_by != "user":
            self._draining = True
            self._sender.drain()
            self._ending.stopped_by = "user"
            self._progress.say(
                f"stopping: {len(self._tasks)} jobs in flight are waited for; interrupt again to drop them"
            )
            return
        for task in tuple(self._tasks):
            task.cancel()

    def _has_told_enough(self, job: Job) -> bool:
        # What was sent before and is sent again now was asked for by name.
        return self._stopper is not None and self._stopper.settled(job.cell.id) and job.job_id not in self._journal.sent

    def _tell(self, event: JobEvent) -> None:
        for cell in self._stopper.tell(event) if self._stopper is not None else ():
            self._progress.told_enough(cell)
