"""When the next job goes out: pure. ``(elapsed, state) → Send | Drop | Wait | Stop``; nothing here looks at a clock.

The idea is vegeta's pacer. All seconds are of the measured world, counted from the first moment of this process's part
of the run. Arrivals of a rate are fixed before the first is sent: a slow answer never thins out the load that comes
after it ("coordinated omission"), it makes jobs late, and late jobs are counted.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from harness.loads import LoadShape

INSTANT_S = 1e-9  # what is due in less than this is due: sums of floats do not meet exactly


@dataclass(frozen=True)
class State:
    """What the pacer is told each time."""

    begun: int = 0  # jobs that were sent or dropped so far
    in_flight: int = 0
    idle_s: float = math.inf  # since the last job under way was over; infinite before the first


@dataclass(frozen=True)
class Send:
    """One job is due. `due_s` is when it was, where arrivals are planned; null where a free place is what counts."""

    due_s: float | None = None
    late: bool = False  # it could not go out when it was due, because all places were taken


@dataclass(frozen=True)
class Drop:
    """One job was due and never goes out: all places are taken."""

    due_s: float


@dataclass(frozen=True)
class Wait:
    """Nothing to do for so long; null: until a job is over. `held`: a limit's doing, and not the load's."""

    s: float | None = None
    held: bool = False


@dataclass(frozen=True)
class Stop:
    """Nothing more is sent."""

    why: str


Step = Send | Drop | Wait | Stop
Pacer = Callable[[float, State], Step]


def make_pacer(shape: LoadShape, seed: int) -> Pacer:
    """The pacer of a load. `seed` decides the arrivals of a Poisson process."""
    inner = {"closed": _closed, "batch": _batch}.get(shape.kind)
    step: Pacer = _rate(shape, seed) if inner is None else inner(shape)
    if shape.stop_after_s is None:
        return step
    end_s = shape.stop_after_s

    def until(elapsed_s: float, state: State) -> Step:
        if elapsed_s >= end_s:
            return Stop(f"load.stop_after of {end_s:g} s is over")
        found = step(elapsed_s, state)
        return Wait(min(found.s or math.inf, end_s - elapsed_s)) if isinstance(found, Wait) else found

    return until


def _closed(shape: LoadShape) -> Pacer:
    first, last, over_s = shape.ramp_from, shape.concurrency, shape.ramp_s

    def step(elapsed_s: float, state: State) -> Step:
        if first is None or elapsed_s >= over_s:
            return Send() if state.in_flight < last else Wait()
        places = max(1, math.floor(first + (last - first) * elapsed_s / over_s + 1e-9))
        if state.in_flight < places:
            return Send()
        if last <= first:
            return Wait()
        return Wait(max((places + 1 - first) * over_s / (last - first) - elapsed_s, 1e-3))

    return step


def _batch(shape: LoadShape) -> Pacer:
    def step(elapsed_s: float, state: State) -> Step:  # noqa: ARG001
        if state.begun % shape.concurrency:
            return Send()  # the rest of the batch that has begun
        if state.in_flight:
            return Wait()
        return Send() if state.idle_s >= shape.gap_s - INSTANT_S else Wait(shape.gap_s - state.idle_s)

    return step


def _rate(shape: LoadShape, seed: int) -> Pacer:
    arrivals = Arrivals(shape, seed)
    most = shape.concurrency or math.inf

    def step(elapsed_s: float, state: State) -> Step:
        due_s = arrivals.due_s(state.begun)
        if elapsed_s < due_s - INSTANT_S:
            return Wait(due_s - elapsed_s)
        if state.in_flight < most:
            return Send(due_s)
        return Drop(due_s) if shape.when_full == "drop" else Wait()

    return step


@dataclass
class Arrivals:
    """When each job of a rate is due: unit arrivals, stretched by the rate as it is at that moment.

    A Poisson process of a changing rate is one of rate 1 whose time is stretched by the integral of the rate (the time
    change of Çinlar, Introduction to Stochastic Processes, 1975); evenly spaced arrivals are stretched likewise.
    """

    shape: LoadShape
    seed: int
    _units: list[float] = field(default_factory=list)
    _source: Iterator[float] | None = None

    def due_s(self, number: int) -> float:
        """Of the job with this number, from 0."""
        if self._source is None:
            self._source = self._exponential() if self.shape.arrivals == "poisson" else iter(_even())
        while len(self._units) <= number:
            self._units.append(next(self._source))
        return self._stretched(self._units[number])

    def _exponential(self) -> Iterator[float]:
        dice, total = random.Random(f"arrivals/{self.seed}"), 0.0
        while True:
            total -= math.log(1.0 - dice.random())
            yield total

    def _stretched(self, unit: float) -> float:
        """The moment until which `unit` jobs are expected: the inverse of the integral of the rate."""
        last = self.shape.rate_per_s or 0.0
        first, over_s = self.shape.ramp_from, self.shape.ramp_s
        if first is None or first == last:
            return unit / last
        by_then = (first + last) / 2 * over_s
        if unit >= by_then:
            return over_s + (unit - by_then) / last
        slope = (last - first) / over_s
        return (math.sqrt(first * first + 2 * slope * unit) - first) / slope


def _even() -> Iterator[float]:
    number = 0
    while True:
        yield float(number)
        number += 1
