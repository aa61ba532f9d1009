"""Objectives: one line of text each → `harness.conditions.Objective`.

::

    p95(final_image_ms) < 90s                             p50 p90 p95 p99 max mean of any clock
    p50(first_byte_ms){quality=high,route=direct} < 60s   only the jobs that match every pair
    final_image_ms{route=azure}: p(95) < 90s              the same in k6's spelling; also max, avg, med
    share(final_image_ms > 30s){route=azure} < 5%         share of jobs whose clock was beyond a time
    error_rate < 1%                                       share of jobs that did not end in an image
    cost_usd per image < 0.06                             cost of the delivered jobs over the images in them
    20 images{route=azure} under 5min                     from the first job's start until the 20th image was here

As applied, a clock's value is in ms, a rate's a share between 0 and 1, and a cost's in USD. What each means, and when
it passes: docs/objectives.md. The spelling with a colon is that of k6's thresholds.
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
MAX_IMAGES = 100_000

Comparison = Literal["<", "<=", ">", ">="]

_COMPARE, _VALUE, _BRACES = r"<=|>=|<|>", r"[^{}<>=]+?", r"(?:\{(?P<where>[^{}]*)\})?"
_SHAPE = re.compile(
    rf"\s*(?P<left>[^{{}}<>=]+?)\s*{_BRACES}\s*(?::\s*(?P<of>[^{{}}<>=:]+?)\s*)?(?P<comparison>{_COMPARE})"
    rf"\s*(?P<value>{_VALUE})\s*"
)
_SHARE = re.compile(
    rf"\s*share\s*\(\s*(?P<metric>\w+)\s*(?P<inner>{_COMPARE})\s*(?P<inner_value>[^{{}}<>=()]+?)\s*\)\s*{_BRACES}"
    rf"\s*(?P<comparison>{_COMPARE})\s*(?P<value>{_VALUE})\s*"
)
_BATCH = re.compile(rf"\s*(?P<images>\d{{1,9}})\s*images?\s*{_BRACES}\s*(?:under\b|<)\s*(?P<value>{_VALUE})\s*")
_CALL = re.compile(r"(?P<statistic>\w+)\s*\(\s*(?P<metric>\w+)\s*\)")
_K6 = re.compile(r"p\s*\(\s*(?P<percent>\d{1,3})\s*\)")
_K6_WORDS = {"avg": "mean", "med": "p50"}
_NUMBER = re.compile(r"(?P<dollar>\$?)(?P<number>\d{1,12}(?:\.\d{1,12})?)\s*(?P<unit>[a-z%]*)")
_COMPARISONS: dict[str, Comparison] = {"<": "<", "<=": "<=", ">": ">", ">=": ">="}
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
    plain = " ".join(text.split())
    batch, share, shape = _BATCH.fullmatch(text), _SHARE.fullmatch(text), _SHAPE.fullmatch(text)
    if batch is not None:
        return _batch(plain, batch)
    if share is not None:
        return _share_beyond(plain, share)
    if shape is None:
        if re.match(r"\s*share\b", text):
            raise Mistake(f"{show(text)} is not a share", "write share(final_image_ms > 30s){route=direct} < 5%")
        raise Mistake(f"{show(text)} is not an objective", f"write {EXAMPLE}")
    left = " ".join(shape["left"].split())
    if shape["of"] is not None:
        metric, statistic = _k6(left, shape["of"])
        unit, value = "ms", _milliseconds(shape["value"])
    elif left == "error_rate":
        metric, statistic, unit, value = "error_rate", "share", "share", _share(shape["value"])
    elif left == "cost_usd per image":
        metric, statistic, unit, value = "cost_usd", "mean", "usd", _usd(shape["value"])
    else:
        metric, statistic = _clock(left)
        unit, value = "ms", _milliseconds(shape["value"])
    return Objective(
        text=plain,
        metric=metric,
        statistic=statistic,
        comparison=_COMPARISONS[shape["comparison"]],
        value=value,
        unit=unit,
        where=_where(shape["where"]),
    )


def _batch(text: str, found: re.Match[str]) -> Objective:
    images = int(found["images"])
    if not 1 <= images <= MAX_IMAGES:
        raise Mistake(f"{images} images cannot be a batch", f"write 1 to {MAX_IMAGES} images")
    return Objective(
        text=text,
        metric="batch_ms",
        statistic="time",
        comparison="<",
        value=_milliseconds(found["value"]),
        unit="ms",
        where=_where(found["where"]),
        images=images,
    )


def _share_beyond(text: str, found: re.Match[str]) -> Objective:
    _known_metric(found["metric"])
    return Objective(
        text=text,
        metric=found["metric"],
        statistic="share",
        comparison=_COMPARISONS[found["comparison"]],
        value=_share(found["value"]),
        unit="share",
        where=_where(found["where"]),
        inner_comparison=_COMPARISONS[found["inner"]],
        inner_value=_milliseconds(found["inner_value"]),
    )


def _clock(left: str) -> tuple[str, str]:
    call = _CALL.fullmatch(left)
    if call is None:
        if re.search(r"\bimages?\b", left) and left[:1].isdigit():
            raise Mistake(f"{show(left)} is no batch", "write 20 images under 5min")
        near = nearest(left, ["error_rate", "cost_usd per image", *BY_NAME])
        wanted = f"p95({near})" if near in BY_NAME else near or EXAMPLE
        raise Mistake(f"{show(left)} is nothing that can be measured", f"write {wanted}")
    _known_metric(call["metric"])
    if call["statistic"] not in STATISTICS:
        near = nearest(call["statistic"], STATISTICS)
        raise Mistake(f"there is no statistic {show(call['statistic'])}", f"write {near or listing(STATISTICS)}")
    return call["metric"], call["statistic"]


def _k6(metric: str, of: str) -> tuple[str, str]:
    """`metric: p(95)` as metric and statistic."""
    if metric in ("error_rate", "cost_usd per image"):
        raise Mistake(f"{show(metric)} takes no statistic", f"write {metric}{{…}} < …, without the colon")
    _known_metric(metric)
    word = " ".join(of.split())
    percent = _K6.fullmatch(word)
    statistic = f"p{percent['percent']}" if percent else _K6_WORDS.get(word, word)
    if statistic not in STATISTICS:
        near = nearest(statistic, STATISTICS) or "p95"
        wanted = f"p({near[1:]})" if near.startswith("p") else near
        raise Mistake(f"there is no statistic {show(word)}", f"write {wanted}")
    return metric, statistic


def _known_metric(name: str) -> None:
    if name not in BY_NAME:
        near = nearest(name, BY_NAME)
        raise Mistake(f"there is no metric {show(name)}", f"write {near or listing(BY_NAME)}")


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
