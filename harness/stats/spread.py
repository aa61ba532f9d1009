"""How much of the spread of times each axis explains, and whether axes multiply or add.

Times of image jobs spread by factors, so the spread is that of log times. Each axis is a set of categories; a linear
model with one constant a category and no interactions says what they explain together, and the shares of the axes are
their average gains over all orders in which they can come in (Shapley values of R²; R. H. Lindeman, P. F. Merenda and
R. Z. Gold, *Introduction to Bivariate and Multivariate Analysis*, 1980, p. 119 ff.; U. Grömping, The American
Statistician 61 (2007) 139-147). In a balanced matrix every order gives the same, the plain sum of squares; in an
unbalanced one (hours of day) no order is privileged. A category explains a little by chance alone: `by_chance` is the
expected share of an axis that has no effect, (categories - 1) / (n - 1).

Cut jobs have no known time. They are left out, counted, and where they are more than a few the shares are those of the
jobs that were let finish: the axis that makes jobs slow enough to be cut is underrated.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.stats.censored import BoolArray, IntArray
from harness.stats.quantiles import FloatArray

MOST_AXES = 10  # 2^10 models; beyond that the last ones are not worth the wait
CLEAR_GAIN = 2.0  # standard errors of the difference of errors, taken over blocks
_SAME = 1e-9  # errors that differ by less than this share are the same up to rounding


@dataclass(frozen=True)
class Share:
    """What an axis explains of the variance of log times, 0 to 1."""

    axis: str
    categories: int
    share: float
    by_chance: float


@dataclass(frozen=True)
class Spread:
    """`axes` by share, largest first; they add up to 1 - `unexplained`. `log_sd` is that of all jobs together,
    `residual_log_sd` what is left within categories (null without degrees of freedom). `left_out` jobs were cut."""

    axes: tuple[Share, ...]
    unexplained: float | None
    log_sd: float | None
    residual_log_sd: float | None
    n: int
    left_out: int


@dataclass(frozen=True)
class Joint:
    """Whether two axes multiply (additive on the log scale) or add (additive in ms).

    Errors are root mean squares of log(predicted / measured) of blocks that the model had not seen. `blocks` of them.
    """

    kind: Literal["multiplies", "adds", "undecided"]
    error_multiplies: float | None
    error_adds: float | None
    blocks: int
    n: int
    left_out: int
    why: str


def spread(times: FloatArray, censored: BoolArray, axes: Mapping[str, Sequence[object] | IntArray]) -> Spread:
    """Shares of the variance of log `times` (ms). Each axis gives one category a job; null is a category too.

    An axis with one category is left out, and so are times of 0, which have no logarithm.

    Raises:
        ValueError: lengths differ, or more than `MOST_AXES` axes vary.
    """
    if any(len(values) != times.size for values in axes.values()) or censored.size != times.size:
        raise ValueError("an axis has another length than the times")
    kept = ~censored & (times > 0)
    logs = np.log(times[kept])
    codes = {name: _codes(values)[kept] for name, values in axes.items()}
    names = [name for name, code in codes.items() if np.unique(code).size > 1]
    if len(names) > MOST_AXES:
        raise ValueError(f"{len(names)} axes vary; no more than {MOST_AXES} can be told apart")
    n, left_out = int(logs.size), int(times.size - logs.size)
    total = float(np.sum((logs - logs.mean()) ** 2)) if n else 0.0
    if n < 2 or total <= 0:
        return Spread((), None, 0.0 if n >= 2 else None, None, n, left_out)
    # Jobs of the same categories have the same row in every model: their number and mean are all that it needs.
    groups, where = _groups([codes[name] for name in names], n)
    weight = np.bincount(where).astype(np.float64)
    middle = np.bincount(where, weights=logs) / weight
    within = float(np.sum((logs - middle[where]) ** 2))
    columns = {name: _dummies(groups[:, at]) for at, name in enumerate(names)}
    left: dict[frozenset[str], float] = {}
    rank = 1
    for size in range(len(names) + 1):
        for chosen in itertools.combinations(names, size):
            between, rank = _residual(middle, weight, [columns[name] for name in chosen])
            left[frozenset(chosen)] = within + between
    shares = [
        Share(name, columns[name].shape[1] + 1, _shapley(name, names, left) / total, columns[name].shape[1] / (n - 1))
        for name in names
    ]
    unexplained = left[frozenset(names)]
    return Spread(
        axes=tuple(sorted(shares, key=lambda share: -share.share)),
        unexplained=unexplained / total,
        log_sd=math.sqrt(total / (n - 1)),
        residual_log_sd=math.sqrt(unexplained / (n - rank)) if n > rank else None,
        n=n,
        left_out=left_out,
    )


def multiplies_or_adds(
    times: FloatArray,
    censored: BoolArray,
    first: Sequence[object] | IntArray,
    second: Sequence[object] | IntArray,
    block: IntArray,
) -> Joint:
    """Which of two models without interaction tells the times of an unseen block better.

    *Multiplies*: log time = a category of `first` + one of `second`. *Adds*: time = the same in ms. Both are fitted on
    all blocks but one and asked for that one, in turn (leave one group out; M. Stone, Journal of the Royal Statistical
    Society B 36 (1974) 111-147). Both errors are taken on the log scale; the fit in ms is weighted by 1 / fitted², so
    that slow categories do not rule it, and corrected for the mean of a skew crowd lying above its middle. Undecided
    unless one is better by `CLEAR_GAIN` standard errors over the blocks.
    """
    kept = ~censored & (times > 0)
    logs = np.log(times[kept])
    left_out = int(times.size - logs.size)
    one, two, blocks = _codes(first)[kept], _codes(second)[kept], block[kept]
    names = np.unique(blocks)

    def undecided(why: str, count: int = 0) -> Joint:
        return Joint("undecided", None, None, count, int(logs.size), left_out, why)

    if np.unique(one).size < 2 or np.unique(two).size < 2:
        return undecided("one of the axes does not vary")
    design = np.hstack([np.ones((logs.size, 1)), _dummies(one), _dummies(two)])
    wrong: list[tuple[float, float, int]] = []
    for name in names:
        seen, asked = blocks != name, blocks == name
        if np.linalg.matrix_rank(design[seen]) < design.shape[1]:
            continue  # a category is known from this block alone
        multiplied = _solve(design[seen], logs[seen])
        added = _added(design[seen], np.exp(logs[seen]))
        off = [design[asked] @ multiplied - logs[asked], np.log(np.maximum(design[asked] @ added, 1e-3)) - logs[asked]]
        wrong.append((float(np.sum(off[0] ** 2)), float(np.sum(off[1] ** 2)), int(np.count_nonzero(asked))))
    if len(wrong) < 3:
        return undecided("fewer than three blocks to hold the models against", len(wrong))
    squares = np.array(wrong)
    errors = np.sqrt(squares[:, :2].sum(axis=0) / squares[:, 2].sum())
    gains = squares[:, 1] - squares[:, 0]
    sure = float(gains.std(ddof=1) * math.sqrt(gains.size))
    gain = float(gains.sum())
    kind: Literal["multiplies", "adds", "undecided"] = "undecided"
    if abs(gain) > max(CLEAR_GAIN * sure, _SAME * float(squares[:, :2].sum())):
        kind = "multiplies" if gain > 0 else "adds"
    why = f"gain {gain / sure:.1f} standard errors over {gains.size} blocks" if sure > 0 else "no error to tell them by"
    return Joint(kind, float(errors[0]), float(errors[1]), len(wrong), int(logs.size), left_out, why)


def _codes(values: Sequence[object] | IntArray) -> IntArray:
    """A number for each category. An array of whole numbers holds them already."""
    if isinstance(values, np.ndarray) and values.dtype.kind == "i":
        return np.unique(values, return_inverse=True)[1].reshape(-1).astype(np.int64)
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(repr(value), len(numbers)) for value in values], dtype=np.int64)


def _groups(codes: Sequence[IntArray], n: int) -> tuple[IntArray, IntArray]:
    """The combinations of categories that occur (one a row), and which of them each of the n jobs has."""
    where = np.zeros(n, dtype=np.int64)
    for code in codes:
        where = np.unique(where * (int(code.max()) + 1) + code, return_inverse=True)[1].reshape(-1)
    first = np.unique(where, return_index=True)[1]
    rows = [code[first] for code in codes]
    return (np.stack(rows, axis=1) if rows else np.zeros((first.size, 0), dtype=np.int64)), where


def _dummies(codes: IntArray) -> FloatArray:
    """One column for each category but the first."""
    columns: FloatArray = (codes[:, None] == np.unique(codes)[None, 1:]).astype(np.float64)
    return columns


def _solve(design: FloatArray, wanted: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.lstsq(design, wanted, rcond=None)[0], dtype=np.float64)


def _residual(middles: FloatArray, weights: FloatArray, columns: list[FloatArray]) -> tuple[float, int]:
    """Weighted residual sum of squares, and the rank of the model."""
    root = np.sqrt(weights)
    design = np.hstack([np.ones((middles.size, 1)), *columns]) * root[:, None]
    found, _, rank, _ = np.linalg.lstsq(design, middles * root, rcond=None)
    return float(np.sum((middles * root - design @ found) ** 2)), int(rank)


def _shapley(name: str, names: list[str], left: dict[frozenset[str], float]) -> float:
    """The average over all orders of what bringing `name` in takes off the residual sum of squares."""
    others = [other for other in names if other != name]
    k, gain = len(names), 0.0
    for size in range(k):
        weight = math.factorial(size) * math.factorial(k - size - 1) / math.factorial(k)
        for chosen in itertools.combinations(others, size):
            gain += weight * (left[frozenset(chosen)] - left[frozenset((*chosen, name))])
    return gain


def _added(design: FloatArray, times: FloatArray) -> FloatArray:
    """Constants in ms that add up, fitted with weights 1 / fitted² in three rounds, as middles and not as means."""
    found = _solve(design, times)
    for _ in range(3):
        weight = 1 / np.maximum(design @ found, float(times.min()))
        found = _solve(design * weight[:, None], times * weight)
    fitted = np.maximum(design @ found, 1e-3)
    return np.asarray(found * math.exp(float(np.mean(np.log(times / fitted)))), dtype=np.float64)
