"""The jobs of one policy: arriving as the load says, the primary broken under them, all of them brought to an end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

import msgspec

from harness.drills.legs import Sender
from harness.drills.model import Outage, UserJob
from harness.drills.outage import Breakage
from harness.drills.plan import DrillPlan, PolicyPlan, arrivals_s
from harness.drills.switching import Commands, Embedded, Switch, SwitchFailed
from harness.drills.user import Shared, User
from harness.errors import UsageProblem
from harness.plan import Job
from harness.run.budget import Budget
from harness.run.job import Setting
from harness.run.journal import Journal
from harness.run.progress import RunProgress
from harness.scenario import RouteSpec, Scenario
from harness.simulator import faults


@dataclass(frozen=True)
class Switches:
    """How the primary is broken: by a user's commands, else by the embedded API's own switch."""

    commands: Commands | None = None
    fault: str = "503"
    drop: bool = True

    @property
    def how(self) -> str:
        """In words, before anything is sent."""
        if self.commands is not None:
            return "by your commands"
        return f"embedded: {self.fault}{', what is under way is cut' if self.drop else ''}"

    def check(self, scenario: Scenario, wanted: DrillPlan) -> None:
        """Whether every primary can be broken.

        Raises:
            UsageProblem: one cannot.
        """
        for one in wanted.policies if wanted.break_at is not None and self.commands is None else ():
            self._spec(scenario, one.primary)
            if faults.parse(self.fault)[0] not in faults.FAULTS:
                there_are = ", ".join(sorted(faults.FAULTS))
                raise UsageProblem(f"--fault {self.fault}: the embedded API has no such fault; it has {there_are}")

    def of(self, scenario: Scenario, primary: str, entries: Mapping[str, str]) -> Switch:
        """The switch of the route `primary`.

        Raises:
            UsageProblem: nothing here can break it.
        """
        if self.commands is not None:
            return self.commands
        spec = self._spec(scenario, primary)
        return Embedded(entries[spec.simulator_layer or "direct"], self.fault, self.drop)

    @staticmethod
    def _spec(scenario: Scenario, primary: str) -> RouteSpec:
        spec = scenario.routes[primary]
        if not spec.simulated:
            raise UsageProblem(
                f"route {primary} is not the embedded API's: say how to break and mend it, with --break and --mend, "
                "or drill with --no-break"
            )
        if spec.kind == "task":
            raise UsageProblem(
                f"route {primary}: the embedded API's task ports have no switch; drill with --no-break, or on another"
            )
        return spec


@dataclass(frozen=True)
class Office:
    """What all policies of a drill share."""

    scenario: Scenario
    wanted: DrillPlan
    journal: Journal
    budget: Budget
    progress: RunProgress
    switches: Switches
    book: BinaryIO  # a line a job, unbuffered

    def note(self, job: UserJob) -> None:
        """A job is over."""
        self.book.write(msgspec.json.encode(job) + b"\n")


class PolicyRun:
    """Drives the jobs of one policy. What came of it is in `jobs`, `outage`, `stopped` and `failure`."""

    def __init__(self, office: Office, one: PolicyPlan, place: int, setting: Setting) -> None:
        """`place`: the policy's number among those that are drilled, from 0."""
        self.jobs: list[UserJob] = []
        self.outage: Outage | None = None
        self.failure: SwitchFailed | None = None
        self.stopped: tuple[str, str] | None = None  # by whom ("user", "budget"), and in words
        self._office, self._one, self._place, self._setting = office, one, place, setting
        self._users: set[asyncio.Task[None]] = set()
        self._failed: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()

    async def run(self, entries: Mapping[str, str]) -> None:
        """Every job to its end. The primary is mended whatever happens."""
        office, one, clock = self._office, self._one, self._setting.clock
        wanted = office.wanted
        sender = Sender(self._setting, office.journal, office.budget, office.progress, one.policy.name, self._place)
        switch = None if wanted.break_at is None else office.switches.of(office.scenario, one.primary, entries)
        breakage = Breakage(switch, one.primary, wanted.outage_s, sender.now_s, clock)
        shared = Shared(one.policy, one.primary, office.scenario.model, sender, lambda: breakage.phase)
        try:
            await (self._closed(shared, breakage) if wanted.load.rate is None else self._open(shared, breakage))
            await self._rest()
            self._note_refusal(shared)
        finally:
            await breakage.end()
            for user in self._users:
                user.cancel()
            await asyncio.gather(*self._users, return_exceptions=True)
            self.outage, self.failure = breakage.record(), breakage.failure

    def interrupt(self) -> None:
        """The user's Ctrl-C: once, nobody new begins; twice, whoever waits is dropped."""
        if not self._stop.is_set():
            self.stopped = ("user", "stopped by you")
            self._stop.set()  # before it is said: the terminal may be gone
            self._office.progress.say(
                f"stopping: {len(self._users)} jobs under way are waited for; interrupt again to drop them"
            )
            return
        for user in self._users:
            user.cancel()

    async def _open(self, shared: Shared, breakage: Breakage) -> None:
        """Users come when they come, however long the others wait."""
        times = arrivals_s(self._office.wanted.load, self._office.scenario.seed)
        for number, (job, at_s) in enumerate(zip(self._one.jobs, times, strict=False), start=1):
            wait_s = self._setting.clock.here_s(at_s - shared.sender.now_s())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), max(wait_s, 0.0))
            if self._over(shared, breakage):
                return
            self._begin(shared, breakage, number, job)

    async def _closed(self, shared: Shared, breakage: Breakage) -> None:
        """So many users, each of whom comes again when the last job is over."""
        feed = iter(enumerate(self._one.jobs, start=1))
        places = min(self._office.wanted.load.concurrency or 1, len(self._one.jobs))
        await asyncio.gather(*(self._place_of(shared, breakage, feed) for _ in range(places)))

    async def _place_of(self, shared: Shared, breakage: Breakage, feed: Iterator[tuple[int, Job]]) -> None:
        while not self._over(shared, breakage):
            number, job = next(feed, (0, None))
            if job is None:
                return
            user = self._begin(shared, breakage, number, job)
            await asyncio.wait({user})

    def _begin(self, shared: Shared, breakage: Breakage, number: int, job: Job) -> asyncio.Task[None]:
        if number == self._office.wanted.break_at:
            breakage.begin()

        async def serve() -> None:
            over = await User(shared, number, job).run()
            self.jobs.append(over)
            self._office.note(over)

        user = asyncio.create_task(serve())
        self._users.add(user)
        user.add_done_callback(self._gone)
        return user

    def _gone(self, user: asyncio.Task[None]) -> None:
        self._users.discard(user)
        if not user.cancelled() and user.exception() is not None:
            self._failed = user
            self._stop.set()

    async def _rest(self) -> None:
        while self._users:
            await asyncio.wait(set(self._users))
        if self._failed is not None:
            self._failed.result()  # a failure of ours: the disk, the world's speed

    def _over(self, shared: Shared, breakage: Breakage) -> bool:
        """Whether nobody new begins any more."""
        self._note_refusal(shared)
        return self._stop.is_set() or self.stopped is not None or breakage.failure is not None

    def _note_refusal(self, shared: Shared) -> None:
        if shared.sender.refusal is not None and self.stopped is None:
            self.stopped = ("budget", shared.sender.refusal)
