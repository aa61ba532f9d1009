"""One image for one job: the course that its policy sets, carried out with real requests.

An answer that is whole and only being decoded is not waited for any longer by any user: until it has been looked at, no
copy is sent and nothing is given up. In a fast world a busy machine's decoding would else look like a slow route.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable
from functools import partial

from harness.drills.course import IMAGE, Course, Drop, Send, Step
from harness.drills.legs import Came
from harness.drills.model import NOT_SENT
from harness.wire.clock import WorldClock

Begin = Callable[[Send, Callable[[], None]], asyncio.Task[Came]]


class Stage:
    """Waits for whatever comes first, a leg's end or a moment of the course, and does what the course then says."""

    def __init__(self, course: Course, begin: Begin, since_s: Callable[[], float], clock: WorldClock) -> None:
        """`begin` sends a leg, and tells when its exchange is over. `since_s`: world seconds since the user asked."""
        self.came: list[Came] = []  # every leg of it, once `run` is over
        self._course = course
        self._begin = begin
        self._since_s = since_s
        self._clock = clock
        self._legs: list[asyncio.Task[Came]] = []
        self._waiting: dict[asyncio.Task[Came], int] = {}  # those that are waited for, and their numbers
        self._looked_at: set[int] = set()  # whose exchange is over
        self._won: Came | None = None
        self._starved = False

    async def run(self) -> tuple[Came | None, str | None]:
        """The leg that brought the image, or why there is none. NOT_SENT is the budget's doing, no observation."""
        try:
            self._carry_out(self._course.start(self._since_s()))
            while self._course.over is None and (self._waiting or not self._starved):
                for task in await self._next():
                    number = self._waiting.pop(task, None)
                    self._looked_at.discard(-1 if number is None else number)
                    if number is not None:  # else one that was over at the same moment has won
                        self._told(task, number)
                if not self._looked_at:
                    self._carry_out(self._course.pass_time(self._since_s()))
        finally:
            await self._wind_up()
        if self._won is not None or self._course.over is None:
            return self._won, NOT_SENT
        return None, self._course.over.why

    async def _next(self) -> list[asyncio.Task[Came]]:
        due_s = self._course.next_s() - self._since_s()
        timeout_s = None if math.isinf(due_s) or self._looked_at else self._clock.here_s(max(due_s, 0.0))
        if not self._waiting:
            await asyncio.sleep(timeout_s or 0.0)
            return []
        done, _ = await asyncio.wait(self._waiting, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        return sorted(done, key=lambda task: self._waiting[task])

    def _told(self, task: asyncio.Task[Came], number: int) -> None:
        came = task.result()
        if came.leg.end == NOT_SENT:
            self._starved = True
            return
        if came.leg.end == IMAGE and self._course.over is None:
            self._won = came
        self._carry_out(self._course.ended(number, came.leg.end, self._since_s(), came.asked_s))

    def _carry_out(self, steps: Iterable[Step]) -> None:
        for step in steps:
            if isinstance(step, Send) and not self._starved:
                number = len(self._legs)
                task = self._begin(step, partial(self._answered, number))
                self._waiting[task] = number
                self._legs.append(task)
            elif isinstance(step, Drop) and step.leg < len(self._legs):
                task = self._legs[step.leg]
                task.cancel()
                self._waiting.pop(task, None)
                self._looked_at.discard(step.leg)

    def _answered(self, number: int) -> None:
        if number in self._waiting.values():  # not one that was given up
            self._looked_at.add(number)

    async def _wind_up(self) -> None:
        """Give up what is left, and see that every leg is in the journal."""
        for task in self._waiting:
            task.cancel()
        failure: BaseException | None = None
        for one in await asyncio.gather(*self._legs, return_exceptions=True):
            if isinstance(one, Came):
                self.came.append(one)
            elif not isinstance(one, asyncio.CancelledError):
                failure = one
        if failure is not None:  # one of ours: the disk, the world's speed
            raise failure
