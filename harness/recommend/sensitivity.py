"""What would change an answer, computed from the same figures: margins, the next cell, and whether more jobs might."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.conditions import Use
from harness.recommend.candidate import QUALITY_RANK, Candidate
from harness.recommend.front import ALIKE
from harness.recommend.model import CellResult
from harness.recommend.needs import upper_ms
from harness.recommend.uses import limits
from harness.recommend.words import dollars, percent, plural, seconds, three


@dataclass(frozen=True)
class Judged:
    """A candidate with what came of it."""

    cell: Candidate
    result: CellResult


def would_change(use: Use, best: Judged, others: Sequence[Judged], near: Sequence[Candidate]) -> tuple[str, ...]:
    """For a recommended cell. `others` have the shape of the use; `near` lack only the tier."""
    return (*_margins(use, best), *_rivals(use, best, others), *_lower_tier(use, best, near))


def _margins(use: Use, best: Judged) -> list[str]:
    found = []
    for p, limit, _ in limits(use):
        upper = upper_ms(best.cell, p)
        if upper is not None:
            found.append(
                f"Its p{100 * p:g} may grow by {percent(limit / upper - 1)} before the need is missed: from "
                f"{seconds(upper)}, the upper limit, to {seconds(limit)}."
            )
    price = best.cell.price
    if use.max_usd_per_image is not None and price.high is not None and price.high > 0:
        found.append(
            f"Its price may rise by {percent(use.max_usd_per_image / price.high - 1)}: from {dollars(price.high)} to "
            f"{dollars(use.max_usd_per_image)} an image."
        )
    return found


def _rivals(use: Use, best: Judged, others: Sequence[Judged]) -> list[str]:
    """The next cell that meets everything, and whatever is cheaper and does not."""
    found = []
    mine = best.cell.price.value
    met = [one for one in others if one.result.state == "met"]
    if met and mine is not None:
        next_one = met[0]
        price = next_one.cell.price.value
        if price is not None and price > mine * (1 + ALIKE):
            found.append(
                f"Next is {next_one.cell.label} at {dollars(price)}; it wins when its price falls under "
                f"{dollars(mine)}, or when {best.cell.label} fails a need."
            )
        else:
            found.append(_tied(use, best, next_one))
    for other in others:
        price = other.cell.price.value
        cheaper = price is not None and (mine is None or price < mine * (1 + ALIKE))
        if other.result.state == "met" or not cheaper:
            continue
        found.append(_what_it_takes(other))
        if len(found) >= 3:
            break
    return found


def _tied(use: Use, best: Judged, other: Judged) -> str:
    """Two that cost the same: which is faster, and is it shown?"""
    p = limits(use)[-1][0] if limits(use) else 0.95
    mine, theirs = best.cell.quantile(p), other.cell.quantile(p)
    name = f"p{100 * p:g}"
    if mine.high is not None and theirs.low is not None and mine.high < theirs.low:
        return f"{other.cell.label} costs the same and is slower ({name} {seconds(theirs.value)})."
    if mine.low is not None and theirs.high is not None and theirs.high < mine.low:
        return f"{other.cell.label} costs the same and is faster, but the use prefers the other shape."
    return (
        f"{other.cell.label} costs the same, and which is faster is not shown ({name} {seconds(mine.value)} against "
        f"{seconds(theirs.value)}): more jobs could turn the two round."
    )


def _what_it_takes(other: Judged) -> str:
    """For a cheaper cell that does not meet the needs: what would have to be otherwise."""
    name = other.cell.label
    price = dollars(other.cell.price.value)
    wrong = [need for need in other.result.needs if need.state == "missed"]
    open_ = [need for need in other.result.needs if need.state == "not_shown"]
    if len(wrong) == 1 and not open_:
        need = wrong[0]
        upper = need.measured.high
        if need.kind == "latency" and upper is not None:
            return f"{name} ({price}) would do with a limit of {seconds(upper)} instead of {seconds(need.limit)}."
        if need.kind == "failures" and upper is not None:
            return f"{name} ({price}) would do if {percent(upper)} without an image were bearable."
        return f"{name} ({price}) misses: {need.need}."
    if wrong:
        return f"{name} ({price}) misses {plural(len(wrong), 'need')}: {'; '.join(need.need for need in wrong)}."
    more = max((need.more_jobs or 0 for need in open_), default=0)
    told = f"; about {plural(more, 'more image')} would tell" if more else ""
    return f"{name} ({price}) is not decided ({'; '.join(need.why for need in open_)}){told}: it might win."


def _lower_tier(use: Use, best: Judged, near: Sequence[Candidate]) -> list[str]:
    """The cheapest cell of a lower tier that is fast enough as far as is known."""
    mine = best.cell.price.value
    cheaper = [
        cell
        for cell in near
        if cell.rank is not None and cell.price.value is not None and (mine is None or cell.price.value < mine)
    ]
    if not cheaper or use.min_quality is None:
        return []
    cell = max(cheaper, key=lambda one: (QUALITY_RANK.get(one.quality or "", -1), -(one.price.value or 0.0)))
    price = cell.price.value
    times = f", {three(mine / price)} times cheaper" if mine and price else ""
    return [f"{cell.label} at {dollars(price)}{times}, would win if quality {cell.quality} were good enough."]


def missing(result: CellResult) -> tuple[str, ...]:
    """What keeps the nearest cell from being recommended."""
    found = []
    for need in result.needs:
        if need.state == "met":
            continue
        verb = "Missed" if need.state == "missed" else "Not shown"
        more = ""
        if need.state == "not_shown" and need.more_jobs:
            more = f" {plural(need.more_jobs, 'more image')} would decide at the earliest."
        found.append(f"{verb}: {need.need} ({need.why}).{more}")
    return tuple(found)
