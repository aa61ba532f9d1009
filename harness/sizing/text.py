"""The sizing of a scenario as plain data and as lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.sizing.model import Asked, Need, SizedCell

COLUMNS = ("question", "expected", "limit", "images per cell", "USD", "time", "repeats today")
_WORDS = {
    "enough": "enough",
    "too_few": "too few",
    "more_than_needed": "more than needed",
    "undecidable": "cannot be decided",
    "not_planned": "not planned",
}


@dataclass(frozen=True)
class Whole:
    """The scenario with as many blocks as its hardest question takes; null where a price or time is not known."""

    repeats: int
    usd: float | None
    wall_s: float | None


def whole(needs: Sequence[Need], cells: Sequence[SizedCell], asked: Asked) -> Whole | None:
    """What it takes to answer all that can be answered; None when nothing can be planned."""
    wanted = [need.images_per_cell for need in needs if need.images_per_cell is not None and need.kind != "early_stop"]
    if not wanted:
        return None
    blocks = max(wanted)
    usd, seconds = [cell.usd for cell in cells], [cell.seconds for cell in cells]
    paid, taken = [one for one in usd if one is not None], [one for one in seconds if one is not None]
    return Whole(
        blocks,
        blocks * sum(paid) if len(paid) == len(usd) else None,
        max(max(taken), blocks * sum(taken) / asked.concurrency) if len(taken) == len(seconds) else None,
    )


def rows(needs: Sequence[Need]) -> list[tuple[str, ...]]:
    """One row a question under `COLUMNS`."""
    return [
        (
            need.question,
            _value(need.expected, need.unit),
            _value(need.limit, need.unit),
            "" if need.images_per_cell is None else str(need.images_per_cell),
            "" if need.usd is None else f"{need.usd:.2f}",
            "" if need.wall_s is None else duration(need.wall_s),
            _WORDS[need.judgement] + (f": {need.why}" if need.why else ""),
        )
        for need in needs
    ]


def to_json(needs: Sequence[Need], found: Whole | None, asked: Asked, basis: Sequence[str]) -> dict[str, Any]:
    """The same for programs. Times of the measured world."""
    return {
        "repeats": asked.repeats,
        "concurrency": asked.concurrency,
        "power": asked.power,
        "basis": list(basis),
        "needs": [_rounded(asdict(need)) for need in needs],
        "whole": None if found is None else _rounded(asdict(found)),
    }


def duration(seconds: float) -> str:
    """So long that a person can plan by it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _value(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    return {"ms": f"{value / 1000:.3g} s", "share": f"{value:.2%}"}.get(unit, f"{value:.3g} ×")


def _rounded(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in fields.items()}
