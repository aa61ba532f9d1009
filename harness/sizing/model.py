"""What is known before a run, what is asked, and how many images that takes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from scipy import stats

Judgement = Literal["enough", "too_few", "more_than_needed", "undecidable", "not_planned"]

_QUARTILES = float(2 * stats.norm.ppf(0.75))


@dataclass(frozen=True)
class Expected:
    """How one clock of a cell is expected to lie, in ms: `shift_ms` plus a lognormal of two halves inside its limits.

    `basis` says where it comes from; `jobs` how many of a pilot it rests on (null: a profile, which counts none).
    """

    median_ms: float
    log_sd_below: float
    log_sd_above: float
    basis: str
    least_ms: float = 0.0
    most_ms: float = math.inf
    shift_ms: float = 0.0
    jobs: int | None = None

    def share_below(self, ms: float) -> float:
        """The share of jobs that take at most so long."""
        own = ms - self.shift_ms
        if own <= 0 or own < self.least_ms:
            return 0.0
        if own >= self.most_ms:
            return 1.0
        log_sd = self.log_sd_above if own > self.median_ms else self.log_sd_below
        if log_sd == 0:
            return 1.0 if own >= self.median_ms else 0.0
        return float(stats.norm.cdf(math.log(own / self.median_ms) / log_sd))


@dataclass(frozen=True)
class SizedCell:
    """A cell of the matrix. `settings` as text, as selectors name them. Null is what is not known beforehand."""

    id: str
    settings: Mapping[str, str]
    usd: float | None  # of one job
    seconds: float | None  # of one job
    clocks: Mapping[str, Expected]


@dataclass(frozen=True)
class Asked:
    """The scenario around the cells."""

    repeats: int
    concurrency: int
    power: float
    complexity_shares: Mapping[str, float]  # of the prompts: class → share of the blocks


@dataclass(frozen=True)
class Need:
    """One question and what it takes. `images_per_cell` null: no affordable number decides it, or none is known."""

    kind: Literal["objective", "hypothesis", "early_stop"]
    question: str
    judgement: Judgement
    why: str
    cells: tuple[str, ...] = ()
    images_per_cell: int | None = None
    usd: float | None = None
    wall_s: float | None = None
    expected: float | None = None  # ms, a ratio, or a share
    limit: float | None = None  # the same
    unit: str = ""


def share_below(cells: Sequence[Expected], ms: float) -> float:
    """The share of the jobs of these cells together, one of each a block, that take at most so long."""
    return sum(cell.share_below(ms) for cell in cells) / len(cells)


def quantile_ms(cells: Sequence[Expected], p: float) -> float:
    """The expected p-quantile of the jobs of these cells together."""
    low, high = 1e-3, 1e9
    while high / low > 1 + 1e-9:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if share_below(cells, middle) >= p else (middle, high)
    return high


def log_sd(cells: Sequence[Expected]) -> float:
    """The spread of the log times of these cells together, from their quartiles."""
    return math.log(quantile_ms(cells, 0.75) / quantile_ms(cells, 0.25)) / _QUARTILES
