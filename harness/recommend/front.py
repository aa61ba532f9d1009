"""Price against latency: which cells are beaten by another, shown and not by noise.

A cell is beaten by one that makes the same picture (size, number, edit or not) when that one costs no more, is of no
lower tier, and the whole interval of its latency lies below. Two cells whose intervals overlap do not beat each other,
however their prices differ: the dearer one may be the faster. (V. Pareto's order, with "shown less" for "less".)
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.estimate import Estimate
from harness.recommend.candidate import Candidate
from harness.recommend.model import FrontPoint
from harness.recommend.needs import lower_ms, upper_ms

ALIKE = 0.02  # prices this close are one price: prompts differ in their tokens
_STATISTICS = (0.95, 0.9, 0.5)


def statistic(cells: Sequence[Candidate]) -> float:
    """The highest quantile that has a closed interval in most of the cells that have any; the median else."""
    for p in _STATISTICS:
        told = sum(cell.quantile(p).high is not None for cell in cells)
        if told and 2 * told >= sum(cell.quantile(0.5).high is not None for cell in cells):
            return p
    return _STATISTICS[-1]


def front(cells: Sequence[Candidate], p: float) -> tuple[FrontPoint, ...]:
    """Every cell that has a price, with what beats it; cheapest first."""
    priced = [cell for cell in cells if cell.price.value is not None]
    points = [
        FrontPoint(
            cell=cell.key,
            label=cell.label,
            short=cell.short,
            route=cell.route,
            quality=cell.quality or "auto",
            size=cell.size or "auto",
            usd=cell.price,
            latency=_latency(cell, p),
            beaten_by=next((other.key for other in priced if other is not cell and _beats(other, cell, p)), None),
        )
        for cell in priced
    ]
    return tuple(sorted(points, key=lambda one: (one.usd.value or 0.0, one.latency.value or 0.0, one.cell)))


def _latency(cell: Candidate, p: float) -> Estimate:
    found = cell.latency(p)
    # Where cuts keep the lower limit from the curve, what was watched is one.
    if found.value is None and found.low is None and found.beyond is not None:
        return Estimate(
            value=None, low=found.beyond, n=found.n, censored=found.censored, thin=found.thin, floor=found.floor,
            beyond=found.beyond,
        )  # fmt: skip
    return found


def _beats(one: Candidate, other: Candidate, p: float) -> bool:
    if (one.size, one.n, one.reference_images > 0, one.transparent) != (
        other.size,
        other.n,
        other.reference_images > 0,
        other.transparent,
    ):
        return False
    if one.rank is None or other.rank is None or one.rank < other.rank:
        return False
    mine, theirs = one.price.value, other.price.value
    if mine is None or theirs is None or mine > theirs * (1 + ALIKE):
        return False
    upper, lower = upper_ms(one, p), lower_ms(other, p)
    return upper is not None and lower is not None and upper < lower
