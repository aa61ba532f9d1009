"""A figure with what it rests on, as every answer of the reading half gives it."""

from __future__ import annotations

import msgspec


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """One figure with what it rests on, in the unit that the field's name says.

    `value` null with `beyond` set: not estimable, but larger than `beyond`. `thin`: fewer than `floor` samples.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    censored: int = 0
    thin: bool = False
    floor: int | None = None
    beyond: float | None = None
