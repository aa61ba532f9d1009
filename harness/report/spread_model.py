"""What the report says of the spread of times, as plain data. Shares are 0 to 1."""

from __future__ import annotations

from typing import Literal

import msgspec


class SpreadShare(msgspec.Struct, frozen=True, kw_only=True):
    """What an axis explains of the variance of log times, and what one without any effect would by chance."""

    axis: str
    categories: int
    share: float
    by_chance: float
    goes_with: tuple[str, ...] = ()  # axes that part the jobs in just the same way, and so cannot be told from it
    clear: bool  # more than chance would give in all but one of twenty


class JointPart(msgspec.Struct, frozen=True, kw_only=True):
    """Whether quality and size multiply or add, judged by jobs of one route. Errors are typical factors minus 1."""

    kind: Literal["multiplies", "adds", "undecided"]
    route: str
    error_multiplies: float | None
    error_adds: float | None
    n: int
    left_out: int
    why: str


class SpreadPart(msgspec.Struct, frozen=True, kw_only=True):
    """The section. `factor` is exp of the standard deviation of log times: how far jobs typically lie apart."""

    metric: str
    axes: tuple[SpreadShare, ...]  # largest first
    unexplained: float
    factor: float
    residual_factor: float | None
    n: int
    cut_left_out: int
    joint: JointPart | None  # null: quality or size does not vary
