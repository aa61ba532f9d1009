"""The pacer at work: the pure pieces (pacer, limiters, breakers) and the one clock that they are told of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from harness.events import Attempt, JobEvent
from harness.loads import LoadResult, LoadShape
from harness.plan import Job
from harness.run.breaker import Breaker
from harness.run.limiter import Limiter
from harness.run.limits import pause_s
from harness.run.pacer import Drop, Pacer, Send, State, Stop, Wait, make_pacer
from harness.run.queue import Queue, Taken, images_of
from harness.scenario import Scenario
from harness.wire.clock import WorldClock


@dataclass(frozen=True)
class Go:
    """This job goes out now. `due_ns` is when it was due; null where nothing was planned and nothing held it back."""

    job: Job
    due_ns: int | None


@dataclass
class Pacing:
    """Decides what goes out when, and counts what came of it. Begins to count time when `begin` is called."""

    pacer: Pacer
    clock: WorldClock
    limiters: dict[str, Limiter]
    breakers: dict[str, Breaker]
    retries_refused: int = 0
    _zero_ns: int = 0
    _idle_since_ns: int | None = None
    _sent: int = 0
    _late: int = 0
    _dropped: int = 0
    _worst_late_s: float = 0.0
    _most: int = 0
    _full_for: int | None = None  # the number of the arrival that found all places taken

    @classmethod
    def of(cls, scenario: Scenario, clock: WorldClock) -> Pacing:
        """As the scenario says."""
        load, shape = scenario.load, scenario.load.shape()
        breaker = load.breaker
        return cls(
            make_pacer(shape, scenario.seed),
            clock,
            limiters_of(shape, tuple(scenario.routes)),
            {}
            if breaker is None
            else {name: Breaker(breaker.consecutive, breaker.share, breaker.over) for name in scenario.routes},
        )

    def begin(self) -> None:
        """The first moment."""
        self._zero_ns = self.clock.now_ns()

    def now_s(self) -> float:
        """Seconds of the measured world since the first moment."""
        return self.clock.ms(self._zero_ns, self.clock.now_ns()) / 1000

    def queue(self, jobs: Sequence[Job], needless: Callable[[Job], bool]) -> Queue:
        """What is left to be sent."""
        return Queue.of(jobs, self.limiters, self.breakers, needless)

    def next(self, queue: Queue, in_flight: int) -> Go | Wait | Stop | None:
        """What to do now; null when nothing is left to be sent."""
        while True:
            now_s = self.now_s()
            begun = self._sent + self._dropped
            step = self.pacer(now_s, State(begun, in_flight, self._idle_s()))
            if isinstance(step, Drop):
                if queue.drop() is None:
                    return None
                self._dropped += 1
                continue
            if not isinstance(step, Send):
                if isinstance(step, Wait) and step.s is None:
                    self._full_for = begun  # whoever is due meanwhile will be late
                return step if queue.jobs else None
            found = queue.take(now_s)
            if found is None:
                return None
            if not isinstance(found, Taken):
                self._full_for = begun
                return Wait(found.until_s - now_s, held=True)
            return Go(found.job, self._due_ns(step, found, now_s, begun))

    def sent(self, job: Job, in_flight: int) -> None:
        """It went out."""
        self._sent += 1
        self._most = max(self._most, in_flight)
        self.counted(job)

    def counted(self, job: Job) -> None:
        """A request went out, a retry or the first: each counts against the limits."""
        self.limiters[job.cell.route].sent(self.now_s(), images_of(job))

    def told(self, job: Job, attempt: Attempt) -> None:
        """An attempt is over: what it says of limits holds its route."""
        self.limiters[job.cell.route].told(self.now_s(), pause_s(attempt, datetime.now(UTC)))

    def over(self, job: Job, event: JobEvent, still_in_flight: int) -> str | None:
        """A job is over. Gives the route's name when that was what it took to give the route up."""
        if event.attempts:
            self.told(job, event.attempts[-1])
        if still_in_flight == 0:
            self._idle_since_ns = self.clock.now_ns()
        breaker = self.breakers.get(job.cell.route)
        return job.cell.route if breaker is not None and breaker.tell(event) else None

    def result(self) -> LoadResult:
        """What came of it."""
        return LoadResult(
            sent=self._sent,
            late=self._late,
            worst_late_ms=round(self._worst_late_s * 1000, 3),
            dropped=self._dropped,
            most_in_flight=self._most,
            retries_refused=self.retries_refused,
        )

    def _due_ns(self, step: Send, taken: Taken, now_s: float, begun: int) -> int | None:
        moments = [moment for moment in (step.due_s, taken.wanted_s) if moment is not None]
        if not moments:
            return None
        due_s = min(moments)
        # Late by a cause, not by a clock: a busy machine's few ms are no late start of the plan's.
        if taken.wanted_s is not None or self._full_for == begun:
            self._late += 1
            self._worst_late_s = max(self._worst_late_s, now_s - due_s)
        return self._zero_ns + round(self.clock.here_s(due_s) * 1e9)

    def _idle_s(self) -> float:
        if self._idle_since_ns is None:
            return float("inf")
        return self.clock.ms(self._idle_since_ns, self.clock.now_ns()) / 1000


def limiters_of(shape: LoadShape, routes: Sequence[str]) -> dict[str, Limiter]:
    """One for each route."""
    return {name: Limiter(shape.requests_per_minute, shape.images_per_minute, shape.respect_limits) for name in routes}
