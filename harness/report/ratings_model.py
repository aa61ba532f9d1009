"""What blind ratings came to, as a part of the summary. Latency and price of a cell are in its `CellRow`."""

from __future__ import annotations

import msgspec


class VoteShare(msgspec.Struct, frozen=True, kw_only=True):
    """A share of votes, 0 to 1, with its 95 % interval. `value` null: too few votes to say."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0


class RatedCell(msgspec.Struct, frozen=True, kw_only=True):
    """One cell against the average cell of its scale; a tie is half a vote."""

    cell: str
    votes: int
    won: float
    unusable: int  # pairs of which neither picture was usable; no part of `votes`
    scale: int  # cells of different scales were never compared, not even by way of others
    share: VoteShare


class RatedPair(msgspec.Struct, frozen=True, kw_only=True):
    """Two cells, the more liked first, from all votes. `shown`: p after Holm is below 5 %."""

    better: str
    worse: str
    share: VoteShare
    p_adjusted: float | None
    shown: bool


class RatingsPart(msgspec.Struct, frozen=True, kw_only=True):
    """All votes of a run."""

    sentence: str
    votes: int  # those that chose or tied
    unusable: int
    raters: int
    clusters: int
    clustered_by: str  # prompt, or prompt and block
    scales: int
    min_votes: int  # of a cell, for a score
    min_clusters: int
    left: VoteShare  # of votes for one side
    agreement: float | None  # Krippendorff's alpha
    agreement_pairs: int  # judged by more than one rater
    one_sided: tuple[str, ...]  # cells that won or lost everything
    bad_lines: int
    cells: tuple[RatedCell, ...]  # by scale, the most liked first
    pairs: tuple[RatedPair, ...]
