"""How long a generation takes, as something to draw from: measured and cut times, published ones, closed forms.

**Beyond the last observation** nothing was measured. A draw that falls there gets its time by a stated rule and is
counted, so that a result says how much of it rests on the rule: the exponential tail through the last point,
``S(t) = S(L)^(t/L)`` for t > L (B. W. Brown, M. Hollander and R. M. Korwar, "Nonparametric tests of independence for
censored data, with applications to heart transplant studies", in *Reliability and Biometry*, SIAM 1974, 327-354), or,
where a profile is given beside the run, that profile's times given that they are longer than L.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import special

from harness.stats.censored import BoolArray, survival
from harness.stats.quantiles import FloatArray

Draws = tuple[FloatArray, BoolArray]  # seconds, and whether each lies beyond what was measured


class Law(Protocol):
    """Times in seconds."""

    def draw(self, dice: np.random.Generator, count: int) -> Draws:
        """So many times, and which of them lie beyond what was measured."""
        ...


class Tail(Protocol):
    """A law that can be asked for what lies beyond a moment."""

    def beyond(self, last_s: float, dice: np.random.Generator, count: int) -> FloatArray | None:
        """Times longer than `last_s`; null when this law has none."""
        ...


@dataclass(frozen=True)
class Fixed:
    """Always the same time."""

    seconds: float

    def draw(self, dice: np.random.Generator, count: int) -> Draws:  # noqa: ARG002
        return np.full(count, self.seconds), np.zeros(count, dtype=np.bool_)


@dataclass(frozen=True)
class Exponential:
    """Memoryless times, as the formulas of queueing theory take them."""

    mean_s: float

    def draw(self, dice: np.random.Generator, count: int) -> Draws:
        return dice.exponential(self.mean_s, count), np.zeros(count, dtype=np.bool_)


@dataclass(frozen=True)
class Halves:
    """A lognormal of two halves around its median, held inside [least, most]: what ``data/profiles.yaml`` declares."""

    median_s: float
    log_sd_below: float
    log_sd_above: float
    least_s: float | None = None
    most_s: float | None = None

    def draw(self, dice: np.random.Generator, count: int) -> Draws:
        return self._at(dice.standard_normal(count)), np.zeros(count, dtype=np.bool_)

    def beyond(self, last_s: float, dice: np.random.Generator, count: int) -> FloatArray | None:
        """Times longer than `last_s`, by the inverse of the distribution; null from its upper limit on."""
        if last_s >= (math.inf if self.most_s is None else self.most_s):
            return None
        log = math.log(last_s / self.median_s) if last_s > 0 else -math.inf
        sd = self.log_sd_above if log > 0 else self.log_sd_below
        below = float(special.ndtr(log / sd)) if sd else float(log >= 0)
        if below >= 1 - 1e-12:
            return None
        return self._at(special.ndtri(below + (1 - below) * dice.random(count)))

    def _at(self, z: FloatArray) -> FloatArray:
        times = self.median_s * np.exp(np.where(z < 0, self.log_sd_below, self.log_sd_above) * z)
        return np.clip(times, self.least_s or 0.0, math.inf if self.most_s is None else self.most_s)


class Measured:
    """Kaplan-Meier over times of which some were cut, drawn from by inversion, with a rule for what lies beyond."""

    def __init__(self, times: FloatArray, cut: BoolArray, tail: Tail | None = None) -> None:
        if times.size == 0:
            raise ValueError("no time was measured")
        curve = survival(times, cut)
        done = curve.done > 0
        self._x, self._cdf = curve.x[done], curve.cdf[done]
        self._tail = tail
        self.last_s = float(times.max())
        self.reached = float(self._cdf[-1]) if self._cdf.size else 0.0
        # Of n jobs that were all cut one is taken for half done, or there would be no rate at all.
        left = min(1 - self.reached, 1 - 0.5 / times.size)
        self._scale_s = self.last_s / -math.log(left) if 0 < left < 1 else math.inf

    def share_within(self, at_s: float) -> float:
        """The share done by a moment."""
        index = int(np.searchsorted(self._x, at_s, side="right"))
        return float(self._cdf[index - 1]) if index else 0.0

    def draw(self, dice: np.random.Generator, count: int) -> Draws:
        share = dice.random(count)
        index = np.searchsorted(self._cdf, share - 1e-12, side="left")
        beyond: BoolArray = index >= self._x.size
        times = np.empty(count)
        times[~beyond] = self._x[index[~beyond]]
        missing = int(np.count_nonzero(beyond))
        if missing:
            told = None if self._tail is None else self._tail.beyond(self.last_s, dice, missing)
            times[beyond] = self.last_s + dice.exponential(self._scale_s, missing) if told is None else told
        return times, beyond


@dataclass(frozen=True)
class Scaled:
    """Another law's times, all longer by a factor."""

    law: Law
    factor: float

    def draw(self, dice: np.random.Generator, count: int) -> Draws:
        times, beyond = self.law.draw(dice, count)
        return times * self.factor, beyond
