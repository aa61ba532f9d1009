"""Has the level of a sequence changed? CUSUM over sequential ranks, some of the values known only from below.

Each new value is ranked among those before it. While nothing changes, the rank of the n-th of n independent values is
uniform over 1 … n and independent of all earlier ranks, whatever the distribution; so how often the chart raises an
alarm for nothing is known without knowing the distribution, and one outlier weighs no more than the highest rank. Ranks
become normal scores, and a two-sided CUSUM adds up what exceeds an allowance `k`::

    up   = max(0, up   + z - k)        alarm "up" once up > h
    down = max(0, down - z - k)        alarm "down" once down > h

A value that was cut at c (true value larger) takes the mean score of everything beyond c. With strata (the hour of the
day) a value is ranked among its own kind as soon as `LEARN` of them are known: a busy hour is then no change. Until
then it is ranked among all.

When an alarm is raised, what came since the change began leaves the reference. The change is over when the newest
`BACK` values lie where the reference does again (*back*), or when it has lasted `settle` values (*settled*: the new
level is the reference from then on).

Sources
-------
* CUSUM: E. S. Page, "Continuous inspection schemes", Biometrika 41 (1954) 100-115.
* Over sequential ranks, and why it is free of the distribution: D. McDonald, "A CUSUM procedure based on sequential
  ranks", Naval Research Logistics 37 (1990) 627-646. Independence of sequential ranks: A. Rényi, "On the extreme
  elements of observations", MTA III. Oszt. Közl. 12 (1962) 105-121.
* Average run length: D. Siegmund, *Sequential Analysis*, 1985, section 2.6 (h + 1.166 for the overshoot);
  D. C. Montgomery, *Introduction to Statistical Quality Control*, 7th ed. 2013, section 9.1.
* Scores of cut values as conditional means: R. L. Prentice, "Linear rank tests with right censored data", Biometrika 65
  (1978) 167-179.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from harness.stats.censored import BoolArray, IntArray
from harness.stats.quantiles import FloatArray

LEARN = 12  # values that a reference needs before anything is ranked in it
REFERENCE = 500  # and the most that it holds: the newest
BACK = 8
BACK_SCORE = 0.5
_OVERSHOOT = 1.166  # of a normal walk over a limit, per Siegmund
_NORMAL = NormalDist()

Direction = Literal["up", "down"]
Over = Literal["back", "settled"]
Value = tuple[float, bool]  # and whether it was cut there, so that the true value is larger


@dataclass(frozen=True)
class Design:
    """Allowance and limit in standard deviations; after `settle` values a change is the new normal."""

    k: float = 0.5
    h: float = 7.0
    settle: int = 96


@dataclass(frozen=True)
class Change:
    """Where an alarm was raised, where the change seems to have begun, and where and how it ended (null: it lasts)."""

    direction: Direction
    since: int
    alarm: int
    ended: int | None = None
    over: Over | None = None


@dataclass(frozen=True)
class Followed:
    """`scores` null while there was too little to rank in; `up` and `down` the sums after the last value."""

    scores: tuple[float | None, ...]
    changes: tuple[Change, ...]
    up: float
    down: float

    @property
    def open(self) -> Change | None:
        """The change that lasts."""
        return self.changes[-1] if self.changes and self.changes[-1].ended is None else None

    @property
    def ranked(self) -> int:
        """How many values could be judged."""
        return sum(score is not None for score in self.scores)


def median_of(values: Sequence[Value]) -> Value | None:
    """The Kaplan-Meier median of a few values, or the largest moment up to which it was not reached (cut there)."""
    left = 1.0
    ordered = sorted(values)  # at the same moment the done come first: the cut were still under way
    for place, (moment, cut) in enumerate(ordered):
        if not cut:
            left *= 1 - 1 / (len(ordered) - place)
            if left <= 0.5 + 1e-9:
                return moment, False
    return (ordered[-1][0], True) if ordered else None


def score(reference: Sequence[Value], new: Value) -> float:
    """The normal score of `new` among itself and the reference, cut values by Kaplan-Meier."""
    values = [*reference, new]
    return _score(np.array([moment for moment, _ in values]), np.array([cut for _, cut in values]))


def _score(times: FloatArray, cuts: BoolArray) -> float:
    """The same of the last value among all of them."""
    n, new = times.size, (float(times[-1]), bool(cuts[-1]))
    if not cuts.any():
        below, same = int(np.count_nonzero(times < new[0])), int(np.count_nonzero(times == new[0]))
        return _NORMAL.inv_cdf((below + same / 2) / n)
    order = np.lexsort((cuts, times))
    times, cuts = times[order], cuts[order]
    left = np.cumprod(np.where(cuts, 1.0, 1 - 1 / np.arange(n, 0, -1)))
    after = float(left[np.searchsorted(times, new[0], side="right") - 1])
    least = 0.5 / n  # no score is larger than that of the highest rank
    if new[1]:
        share = min(max(after, least), 1 - 1e-12)
        return _NORMAL.pdf(_NORMAL.inv_cdf(1 - share)) / share if after < 1 else 0.0
    first = int(np.searchsorted(times, new[0], side="left"))
    before = float(left[first - 1]) if first else 1.0
    return _NORMAL.inv_cdf(min(max(1 - (before + after) / 2, least), 1 - least))


def follow(values: Sequence[Value], strata: Sequence[Hashable] | None = None, design: Design = Design()) -> Followed:
    """The chart over a whole sequence, oldest first. Pure: the same sequence gives the same changes.

    Raises:
        ValueError: there are not as many strata as values.
    """
    kinds: Sequence[Hashable] = strata if strata is not None else [None] * len(values)
    if len(kinds) != len(values):
        raise ValueError(f"{len(values)} values, but {len(kinds)} strata")
    times, cuts = np.array([one for one, _ in values]), np.array([cut for _, cut in values])
    numbered: dict[Hashable, int] = {}
    kind = np.array([numbered.setdefault(one, len(numbered)) for one in kinds])
    known: deque[int] = deque(maxlen=REFERENCE)
    scores: list[float | None] = []
    changes: list[Change] = []
    sums = {"up": 0.0, "down": 0.0}
    began = {"up": 0, "down": 0}
    recent: deque[float] = deque(maxlen=BACK)
    open_change: Change | None = None
    for at in range(len(values)):
        found = _score_in(known, times, cuts, kind, at)
        scores.append(found)
        if open_change is not None:
            recent.append((0.0 if found is None else found) * (1 if open_change.direction == "up" else -1))
            over = _over(open_change, at, recent, design)
            if over is not None:
                changes[-1] = Change(open_change.direction, open_change.since, open_change.alarm, at, over)
                start = open_change.since if over == "settled" else at - BACK + 1
                if over == "settled":
                    known.clear()
                known.extend(range(start, at + 1))
                open_change, sums = None, {"up": 0.0, "down": 0.0}
                began = {"up": at + 1, "down": at + 1}
            continue
        known.append(at)
        if found is None:
            continue
        alarm: Direction | None = None
        ways: tuple[tuple[Direction, float], ...] = (("up", found), ("down", -found))
        for way, z in ways:
            if sums[way] == 0:
                began[way] = at
            sums[way] = max(0.0, sums[way] + z - design.k)
            if sums[way] > design.h:
                alarm = way
        if alarm is not None:
            open_change = Change(alarm, began[alarm], at)
            changes.append(open_change)
            recent.clear()
            while known and known[-1] >= open_change.since:
                known.pop()
    return Followed(tuple(scores), tuple(changes), sums["up"], sums["down"])


def _score_in(known: deque[int], times: FloatArray, cuts: BoolArray, kind: IntArray, at: int) -> float | None:
    if len(known) < LEARN:
        return None
    among = np.fromiter(known, dtype=np.int64, count=len(known))
    alike = among[kind[among] == kind[at]]
    chosen = np.append(alike if alike.size >= LEARN else among, at)
    return _score(times[chosen], cuts[chosen])


def _over(change: Change, at: int, recent: deque[float], design: Design) -> Over | None:
    if len(recent) == BACK and sum(recent) / BACK < BACK_SCORE:
        return "back"
    return "settled" if at - change.since >= design.settle else None


def run_length(h: float, k: float = 0.5, shift: float = 0.0) -> float:
    """Siegmund's average run length of the two-sided chart, in values, under a shift in standard deviations."""
    return 1 / (1 / _one_sided(h, k, shift) + 1 / _one_sided(h, k, -shift))


def _one_sided(h: float, k: float, shift: float) -> float:
    drift, b = shift - k, h + _OVERSHOOT
    if abs(drift) < 1e-9:
        return b * b
    return (math.exp(min(-2 * drift * b, 700.0)) + 2 * drift * b - 1) / (2 * drift * drift)


def limit_for(values_between_false_alarms: float, k: float = 0.5) -> float:
    """The h with which a chart raises a false alarm every so many values on average; 4 at least, 12 at most."""
    low, high = 4.0, 12.0
    while high - low > 0.01:
        middle = (low + high) / 2
        low, high = (middle, high) if run_length(middle, k) < values_between_false_alarms else (low, middle)
    return round(high, 2)
