"""What `harness.stats` found of two arms, rounded for the file: the fields that every record of a comparison has."""

from __future__ import annotations

from typing import TypedDict

from harness.report.jobs import rounded
from harness.stats.compare import Effect


class EffectFields(TypedDict):
    """The second arm against the first: second minus first in ms, second / first as the ratio; a null limit is open."""

    difference_ms: float | None
    difference_low_ms: float | None
    difference_high_ms: float | None
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    p_value: float | None
    p_adjusted: float | None
    why: str


def effect_fields(effect: Effect) -> EffectFields:
    """The figures of an effect whose times are in ms. Its verdict is not among them: each record has its own words."""
    return EffectFields(
        difference_ms=rounded(effect.difference),
        difference_low_ms=rounded(effect.low),
        difference_high_ms=rounded(effect.high),
        ratio=rounded(effect.ratio, 4),
        ratio_low=rounded(effect.ratio_low, 4),
        ratio_high=rounded(effect.ratio_high, 4),
        p_value=rounded(effect.p_value, 6),
        p_adjusted=rounded(effect.p_adjusted, 6),
        why=effect.why,
    )
