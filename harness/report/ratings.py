"""From votes to the part of the summary that stands beside latency and price."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from harness.rating.votes import Vote, Votes
from harness.report.jobs import rounded
from harness.report.model import CellRow
from harness.report.ratings_model import RatedCell, RatedPair, RatingsPart, VoteShare
from harness.stats import proportion
from harness.stats.agreement import alpha
from harness.stats.bradley_terry import MIN_CLUSTERS, MIN_VOTES, Fit, Share, fit

SHOWN_BELOW = 0.05
ENOUGH_PROMPTS = 10  # from here on the prompt is the cluster: what is liked of one may not be liked of the next
_SCORE = {"left": 1.0, "right": 0.0, "tie": 0.5}


def rate(votes: Votes, rows: Sequence[CellRow]) -> RatingsPart | None:
    """The scores of a run; null when nobody voted. `rows` are those of the summary."""
    known = [row.cell for row in rows]
    cast = [vote for vote in votes.cast if vote.left.cell in known and vote.right.cell in known]
    if not cast:
        return None
    scored = [vote for vote in cast if vote.chosen in _SCORE]
    cells = [cell for cell in known if any(cell in (vote.left.cell, vote.right.cell) for vote in cast)]
    place = {cell: number for number, cell in enumerate(cells)}
    prompts = {vote.prompt_hash for vote in scored}
    by_prompt = len(prompts) >= ENOUGH_PROMPTS
    clusters = [vote.prompt_hash if by_prompt else f"{vote.prompt_hash} {vote.block}" for vote in scored]
    found = fit(
        len(cells),
        np.array([place[vote.left.cell] for vote in scored], dtype=np.int64),
        np.array([place[vote.right.cell] for vote in scored], dtype=np.int64),
        np.array([_SCORE[vote.chosen] for vote in scored], dtype=np.float64),
        np.unique(np.array(clusters, dtype=object).astype(str), return_inverse=True)[1].astype(np.int64),
    )
    agreement, agreed = _agreement(scored)
    rated = _cells(cells, found, [vote for vote in cast if vote.chosen == "neither"])
    pairs = _pairs(cells, found)
    return RatingsPart(
        sentence=_sentence(rated, pairs, rows),
        votes=len(scored),
        unusable=len(cast) - len(scored),
        raters=len({vote.rater for vote in cast}),
        clusters=found.clusters,
        clustered_by="prompt" if by_prompt else "prompt and block",
        scales=found.components,
        min_votes=MIN_VOTES,
        min_clusters=MIN_CLUSTERS,
        left=_left(scored),
        agreement=None if agreement is None else rounded(agreement),
        agreement_pairs=agreed,
        one_sided=tuple(cells[arm] for arm in found.one_sided),
        bad_lines=len(votes.bad_lines),
        cells=rated,
        pairs=pairs,
    )


def name_of(cell: str, rows: Sequence[CellRow]) -> str:
    """A cell as a sentence names it: its shape, and its route where the run has several."""
    row = next((row for row in rows if row.cell == cell), None)
    if row is None:
        return cell
    several = len({other.route for other in rows if not other.planned_only}) > 1
    return " ".join((f"{row.shape} on {row.route}" if several else row.shape).split())


def points(share: VoteShare) -> str:
    """ "71 %", or a dash; more digits than that no vote ever carried."""
    return "—" if share.value is None else f"{100 * share.value:.0f}\u00a0%"


def limits(share: VoteShare) -> str:
    """ "62 – 79 %", or nothing."""
    if share.low is None or share.high is None:
        return ""
    return f"{100 * share.low:.0f} – {100 * share.high:.0f}\u00a0%"


def _share(share: Share, n: int) -> VoteShare:
    value, low, high = (None if x is None else rounded(x, 4) for x in (share.value, share.low, share.high))
    return VoteShare(value=value, low=low, high=high, n=n)


def _cells(cells: Sequence[str], found: Fit, neither: Sequence[Vote]) -> tuple[RatedCell, ...]:
    scales: dict[int, int] = {}
    rated = [
        RatedCell(
            cell=cell,
            votes=strength.votes,
            won=strength.won,
            unusable=sum(cell in (vote.left.cell, vote.right.cell) for vote in neither),
            scale=scales.setdefault(strength.component, len(scales) + 1),
            share=_share(strength.share, strength.votes),
        )
        for cell, strength in zip(cells, found.strengths, strict=True)
    ]
    return tuple(sorted(rated, key=lambda row: (row.scale, -1.0 if row.share.value is None else -1 - row.share.value)))


def _pairs(cells: Sequence[str], found: Fit) -> tuple[RatedPair, ...]:
    pairs = []
    for duel in found.duels:
        a, b, share = duel.a, duel.b, duel.share
        if share.value is None or share.low is None or share.high is None:
            continue
        if share.value < 0.5:
            a, b, share = b, a, Share(1 - share.value, 1 - share.high, 1 - share.low)
        p = duel.p_adjusted
        pairs.append(
            RatedPair(
                better=cells[a],
                worse=cells[b],
                share=_share(share, found.strengths[a].votes + found.strengths[b].votes),
                p_adjusted=None if p is None else rounded(p, 6),
                shown=p is not None and p < SHOWN_BELOW,
            )
        )
    return tuple(sorted(pairs, key=lambda pair: (not pair.shown, -(pair.share.value or 0))))


def _left(scored: Sequence[Vote]) -> VoteShare:
    sides = [vote.chosen for vote in scored if vote.chosen != "tie"]
    if len(sides) < MIN_VOTES:
        return VoteShare(value=None, n=len(sides))
    share = proportion(sides.count("left"), len(sides))
    return _share(Share(share.share, share.low, share.high), len(sides))


def _agreement(scored: Sequence[Vote]) -> tuple[float | None, int]:
    """Of raters on the same pair of the same set."""
    units: dict[tuple[str, str], list[str]] = defaultdict(list)
    for vote in scored:
        units[vote.sitting, vote.pair].append(vote.chosen)
    return alpha(units.values())


def _sentence(rated: Sequence[RatedCell], pairs: Sequence[RatedPair], rows: Sequence[CellRow]) -> str:
    """The most liked cell against the cheapest: what more money buys. Without prices, against the next one."""
    known = [cell for cell in rated if cell.share.value is not None]
    if len(known) < 2:
        return "Too few votes for a score."
    by_cell = {row.cell: row for row in rows}
    best = max(known, key=lambda cell: cell.share.value or 0)
    rivals = [cell for cell in known if cell.scale == best.scale and cell is not best]
    if not rivals:
        return "The cells with enough votes were never compared with each other."
    priced = [cell for cell in rivals if by_cell[cell.cell].cost_per_image_usd is not None]
    own_usd = by_cell[best.cell].cost_per_image_usd
    other = min(priced, key=lambda cell: by_cell[cell.cell].cost_per_image_usd or 0) if priced else rivals[0]
    pair = next(pair for pair in pairs if {pair.better, pair.worse} == {best.cell, other.cell})
    verb = "is preferred to" if pair.shown else "is not shown to be preferred to"
    alone = not pair.shown and pair.share.low is not None and pair.share.low > 0.5
    chance = f", which among {len(pairs)} pairs of cells may be chance" if alone else ""
    words = [
        f"{name_of(best.cell, rows)} {verb} {name_of(other.cell, rows)} "
        f"({points(pair.share)} of pairs, {limits(pair.share)}{chance})"
    ]
    usd = by_cell[other.cell].cost_per_image_usd
    if own_usd and usd:
        words.append(_times("costs", own_usd / usd, "as much"))
    took, took_other = (by_cell[cell].final_image_p50_ms.value for cell in (best.cell, other.cell))
    if took and took_other:
        words.append(_times("takes", took / took_other, "as long"))
    return ", ".join(words[:-1]) + (" and " if len(words) > 1 else "") + words[-1] + "."


def _times(verb: str, factor: float, measure: str) -> str:
    if f"{factor:.2g}" in ("1", "1.0"):
        return f"{verb} {measure.replace('as ', 'just as ', 1)}"
    if factor < 1:
        return f"{verb} only {100 * factor:.0f}\u00a0% {measure}"
    return f"{verb} {factor:.2g} times {measure}"
