"""The jobs that are left, in planned order, and which of them may go out now: pure but for what it is told."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from harness.loads import ClosedRoute
from harness.plan import Job
from harness.run.breaker import Breaker
from harness.run.limiter import Limiter


@dataclass
class Waiting:
    """No job may go out before this moment (seconds of the measured world)."""

    until_s: float


@dataclass
class Taken:
    """A job that may go out. `wanted_s` is when its turn came, if a limit has held it back since."""

    job: Job
    wanted_s: float | None = None


def images_of(job: Job) -> int:
    """What a job counts against a limit of images a minute: each of n, and each reference image.

    Source: one bucket, "input-images", holds both in the refusals that the API words.
    """
    return job.cell.n + job.cell.reference_images


@dataclass
class Queue:
    """Jobs by planned order. A route that must wait lets jobs of others pass, one that was given up loses its own."""

    jobs: OrderedDict[str, Job]  # taking the first out of a plain dict again and again takes squared time
    limiters: Mapping[str, Limiter]
    breakers: Mapping[str, Breaker]
    needless: Callable[[Job], bool]  # the job's cell has told enough
    left_out: int = 0
    _dropped: set[str] = field(default_factory=set)
    _wanted_s: dict[str, float] = field(default_factory=dict)
    _closed: dict[str, list[Job]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        jobs: Iterable[Job],
        limiters: Mapping[str, Limiter],
        breakers: Mapping[str, Breaker],
        needless: Callable[[Job], bool] = lambda _: False,
    ) -> Queue:
        """`limiters` has one for every route; a route without a breaker is never given up."""
        return cls(OrderedDict((job.job_id, job) for job in jobs), limiters, breakers, needless)

    def take(self, now_s: float) -> Taken | Waiting | None:
        """The first job in order that may go out now; how long none may; null when none is left."""
        earliest: dict[str, float] = {}  # by route: until when it waits

        def may_go(job: Job) -> bool:
            route = job.cell.route
            if route in earliest:  # nothing passes the first of its route: a large job would never get its turn
                return False
            free_s = self.limiters[route].free_at_s(now_s, images_of(job))
            if free_s > now_s:
                earliest[route] = free_s
                self._wanted_s.setdefault(job.job_id, now_s)
            return free_s <= now_s

        job = self._first(may_go)
        if job is not None:
            return Taken(job, self._wanted_s.pop(job.job_id, None))
        return Waiting(min(earliest.values())) if earliest else None

    def drop(self) -> Job | None:
        """Take the next job away without sending it."""
        job = self._first(lambda _: True)
        if job is not None:
            self._dropped.add(job.job_id)
        return job

    def passed_over(self) -> frozenset[str]:
        """The jobs that did not go out, and would have: those that were dropped, and those of a closed route."""
        return frozenset(self._dropped).union(job.job_id for jobs in self._closed.values() for job in jobs)

    def _first(self, accept: Callable[[Job], bool]) -> Job | None:
        over: list[str] = []
        found: Job | None = None
        for job in self.jobs.values():
            if self._is_over(job):
                over.append(job.job_id)
            elif accept(job):
                found = job
                over.append(job.job_id)
                break
        for job_id in over:
            del self.jobs[job_id]
        return found

    def closed(self) -> tuple[ClosedRoute, ...]:
        """The routes that were given up, and what that left unsent."""
        return tuple(
            ClosedRoute(
                route=route,
                why=breaker.opened,
                after_jobs=breaker.jobs,
                jobs_not_sent=len(self._closed.get(route, ())),
                usd_not_spent=_sum([job.estimate_usd for job in self._closed.get(route, ())]),
            )
            for route, breaker in self.breakers.items()
            if breaker.opened is not None
        )

    def _is_over(self, job: Job) -> bool:
        breaker = self.breakers.get(job.cell.route)
        if breaker is not None and breaker.opened is not None:
            self._closed.setdefault(job.cell.route, []).append(job)
            return True
        if self.needless(job):
            self.left_out += 1
            return True
        return False


def _sum(values: Iterable[float | None]) -> float | None:
    total = 0.0
    for value in values:
        if value is None:
            return None
        total += value
    return round(total, 6)
