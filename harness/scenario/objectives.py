"""Objectives: one line of text each → `harness.conditions.Objective`.

::

    p95(final_image_ms) < 90s                             p50 p90 p95 p99 max mean of any clock
    p50(first_byte_ms){quality=high,route=direct} < 60s   only the jobs that match every pair
    error_rate < 1%                                       share of jobs that did not end in an image
    cost_usd per image < 0.06                             mean over the images that were delivered

As applied, a clock's value is in ms, a rate's a share between 0 and 1, and a cost's in USD.
"""

from __future__ import annotations

import re
from typing import Literal

from harness.conditions import Objective
from harness.metrics import BY_NAME
from harness.scenario.cells import ALIASES, FIELDS
from harness.scenario.words import Mistake, listing, nearest, show

STATISTICS = ("p50", "p90", "p95", "p99", "max", "mean")
WHERE_KEYS = (*FIELDS, "prompt_complexity", "cell")
EXAMPLE = "p95(final_image_ms){quality=high} < 240s"

_SHAPE = re.compile(
    r"\s*(?P<left>[^{}<>=]+?)\s*(?:\{(?P<where>[^{}]*)\})?\s*(?P<comparison><=|>=|<|>)\s*(?P<value>[^{}<>=]+?)\s*"
)
_CALL = re.compile(r"(?P<statistic>\w+)\s*\(\s*(?P<metric>\w+)\s*\)")
_NUMBER = re.compile(r"(?P<dollar>\$?)(?P<number>\d{1,12}(?:\.\d{1,12})?)\s*(?P<unit>[a-z%]*)")
_COMPARISONS: dict[str, Literal["<", "<=", ">", ">="]] = {"<": "<", "<=": "<=", ">": ">", ">=": ">="}
_MS = {"ms": 1.0, "s": 1000.0, "m": 60_000.0, "min": 60_000.0}


def check_objective(text: str) -> str:
    """The text itself, once it has parsed."""
    parse_objective(text)
    return text


def parse_objective(text: str) -> Objective:
    """One objective.

    Raises:
        Mistake: it is not one; says which part and how to write it.
    """
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise Mistake(f"{show(text)} is not an objective", f"write {EXAMPLE}")
    left = " ".join(shape["left"].split())
    if left == "error_rate":
        metric, statistic, unit, value = "error_rate", "share", "share", _share(shape["value"])
    elif left == "cost_usd per image":
        metric, statistic, unit, value = "cost_usd", "mean", "usd", _usd(shape["value"])
    else:
        metric, statistic = _clock(left)
        unit, value = "ms", _milliseconds(shape["value"])
    return Objective(
        text=" ".join(text.split()),
        metric=metric,
        statistic=statistic,
        comparison=_COMPARISONS[shape["comparison"]],
        value=value,
        unit=unit,
        where=_where(shape["where"]),
    )


def _clock(left: str) -> tuple[str, str]:
    call = _CALL.fullmatch(left)
    if call is None:
        near = nearest(left, ["error_rate", "cost_usd per image", *BY_NAME])
        wanted = f"p95({near})" if near in BY_NAME else near or EXAMPLE
        raise Mistake(f"{show(left)} is nothing that can be measured", f"write {wanted}")
    if call["metric"] not in BY_NAME:
        near = nearest(call["metric"], BY_NAME)
        raise Mistake(f"there is no metric {show(call['metric'])}", f"write {near or listing(BY_NAME)}")
    if call["statistic"] not in STATISTICS:
        near = nearest(call["statistic"], STATISTICS)
        raise Mistake(f"there is no statistic {show(call['statistic'])}", f"write {near or listing(STATISTICS)}")
    return call["metric"], call["statistic"]


def _parts(text: str) -> tuple[str, float, str]:
    found = _NUMBER.fullmatch(text.strip().lower())
    if found is None:
        raise Mistake(f"{show(text)} is no figure", f"write {EXAMPLE}")
    return found["dollar"], float(found["number"]), found["unit"]


def _milliseconds(text: str) -> float:
    dollar, number, unit = _parts(text)
    if dollar or unit not in _MS:
        raise Mistake(f"{show(text)} is not a time with its unit", "write 90s, 2m or 500ms")
    return number * _MS[unit]


def _share(text: str) -> float:
    dollar, number, unit = _parts(text)
    if dollar or unit != "%" or number > 100:
        raise Mistake(f"{show(text)} is not a share in percent", "write 1%")
    return number / 100


def _usd(text: str) -> float:
    _, number, unit = _parts(text)
    if unit not in ("", "usd"):
        raise Mistake(f"{show(text)} is not an amount in USD", "write 0.06")
    return number


def _where(text: str | None) -> dict[str, str]:
    where: dict[str, str] = {}
    for pair in (text or "").split(","):
        if not pair.strip():
            continue
        key, equals, value = (part.strip() for part in pair.partition("="))
        key = ALIASES.get(key, "prompt_complexity" if key == "complexity" else key)
        if not equals or not value:
            raise Mistake(f"{show(pair)} in braces is not a pair", "write {quality=high,route=direct}")
        if key not in WHERE_KEYS:
            raise Mistake(
                f"{show(key)} in braces is no field", f"write {nearest(key, WHERE_KEYS) or listing(WHERE_KEYS)}"
            )
        if key in where:
            raise Mistake(f"{show(key)} stands twice in braces", "keep one")
        where[key] = value
    return where
