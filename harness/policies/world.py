"""What the simulation is told of the outside: how long routes take, how they fail, what they cost, who gives up.

A world is measured (`harness.policies.measured`), published (`harness.policies.published`) or built by hand. What was
measured can be **resampled**: drawn anew from itself with replacement, blocks together, so that results carry the
uncertainty of few jobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from harness.policies.laws import Law, Measured, Scaled, Tail
from harness.policies.model import ENDS, End, Layer, Limits, Outage, Shape
from harness.stats.censored import BoolArray, IntArray
from harness.stats.quantiles import FloatArray

NO_LIMITS = Limits()
FEWEST_BLOCKS = 5  # from so many on whole blocks are resampled; of fewer, jobs


@dataclass(frozen=True)
class Failure:
    """One way in which a request ends without an image: how often, and after how long (drawn from `after_s`)."""

    end: End
    share: float
    after_s: FloatArray
    measured: bool = False


@dataclass(frozen=True)
class Rows:
    """What was measured of one shape on one route, a row a request: arrays of equal length.

    `at_s` when it ended; `running` cut while it may still have been under way; `end` its index in `ENDS`, or -1 for an
    image, or for a cut that tells only that the time is longer; `block` of the run.
    """

    at_s: FloatArray
    running: BoolArray
    end: IntArray
    block: IntArray

    @property
    def images(self) -> int:
        """How many brought one."""
        return int((~self.running & (self.end < 0)).sum())

    def drawn(self, dice: np.random.Generator) -> Rows:
        """As many blocks (or rows, of few blocks) as there are, with replacement."""
        names, clusters = np.unique(self.block, return_inverse=True)
        if names.size < FEWEST_BLOCKS:
            clusters = np.arange(self.at_s.size)
        count = int(clusters.max()) + 1
        times = dice.multinomial(count, np.full(count, 1 / count))[clusters]
        return Rows(
            at_s=np.repeat(self.at_s, times),
            running=np.repeat(self.running, times),
            end=np.repeat(self.end, times),
            block=np.repeat(self.block, times),
        )


@dataclass(frozen=True)
class Source:
    """What one shape does on one route. `rows` null: nothing was measured, so nothing is resampled.

    `usd` and `partial_usd` (of one preview) are null where no price is known. `first_partial` null: nothing is known of
    previews. `longest_first_share`: a preview comes by this share of the whole time at the latest.
    """

    law: Law
    failures: tuple[Failure, ...] = ()
    images: int = 1
    usd: float | None = None
    partial_usd: float | None = None
    first_partial: Law | None = None
    longest_first_share: float = 1.0
    rows: Rows | None = None
    tail: Tail | None = None
    factor: float = 1.0

    def resampled(self, dice: np.random.Generator) -> Source:
        """As it might have come out instead."""
        if self.rows is None:
            return self
        drawn = self.rows.drawn(dice)
        timed = drawn.running | (drawn.end < 0)
        if not drawn.images:
            return self  # no image among them: nothing to draw from, which another draw cures
        # That none of n requests failed does not say that none ever does: by Jeffreys' prior the share of failures that
        # were not seen is Beta(1/2, n + 1/2). Drawing the jobs anew would never show one.
        unseen = () if self.failures else (self._unseen(dice),)
        law: Law = Measured(drawn.at_s[timed], drawn.running[timed], self.tail)
        failures = tuple(
            replace(one, share=float(np.mean(drawn.end == ENDS.index(one.end)))) if one.measured else one
            for one in self.failures
        )
        return replace(self, law=law if self.factor == 1 else Scaled(law, self.factor), failures=failures + unseen)

    def _unseen(self, dice: np.random.Generator) -> Failure:
        assert self.rows is not None
        return Failure("5xx", float(dice.beta(0.5, self.rows.at_s.size + 0.5)), np.array([np.median(self.rows.at_s)]))


@dataclass(frozen=True)
class RouteWorld:
    """A route: its main source, what it does for a first stage's shape and when it streams, and when it is down."""

    main: Source
    firsts: Mapping[Shape, Source] = field(default_factory=dict)
    streamed: Source | None = None
    layers: tuple[Layer, ...] = ()
    down: Outage | None = None


@dataclass(frozen=True)
class World:
    """Everything outside of the client. `assumed` are sentences of what was not measured."""

    routes: Mapping[str, RouteWorld]
    first_route: str
    limits: Limits = NO_LIMITS
    moderation: float = 0.0  # share of prompts that are refused, on every route and in every attempt
    moderation_after_s: float = 1.0
    refusal_after_s: float = 0.3
    repeated: float | None = None  # share of jobs whose prompt came before
    source: str = ""
    assumed: tuple[str, ...] = ()
