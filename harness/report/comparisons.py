"""One setting against another within a run: cells that differ in one axis only, value against baseline.

The baseline of an axis is its first value in the order of the matrix; of the routes the one declared `direct`. Pairs of
cells are compared and never pooled: what a format costs on one route says nothing of another. The statistics are those
of `harness.stats.family`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.conditions import RunConditions
from harness.estimate import Estimate
from harness.report.comparisons_model import AxisLine, ComparisonRow, Comparisons, QuantileEffect, Standing, Tally
from harness.report.effects import effect_fields
from harness.report.jobs import (
    IntArray,
    clock_curve,
    clock_times,
    estimate,
    none_if_nan,
    positions_by,
    quality_rank,
    rounded,
    value_rank,
    word,
)
from harness.report.price import spent_per_image
from harness.stats.compare import Arm, Effect, EffectVerdict
from harness.stats.family import compare_all
from harness.stats.quantiles import INTERVAL_CONFIDENCE

AXES = (
    "route", "quality", "model", "size", "output_format", "output_compression", "n", "stream", "partial_images",
    "background", "moderation", "reference_images", "mask", "edit_form", "region", "text_model",
)  # fmt: skip
"""What makes a cell, in the order in which it is compared; several regions have a cell each. After a text model is
another job, and no value of an axis stands for it, but it keeps cells apart."""

MIN_EFFECT = 0.05
RESAMPLES = 2000
MOST_PAIRS = 1000
_QUANTILES = (0.5, 0.9)
_NOT_COMPARED = frozenset({"text_model"})
# Settings that one value of an axis has and another cannot have: they come and go with it.
_COMES_WITH = {
    "output_format": frozenset({"output_compression"}),
    "stream": frozenset({"partial_images"}),
    "reference_images": frozenset({"mask", "edit_form"}),
}
_DEPENDENT = frozenset(name for names in _COMES_WITH.values() for name in names)
_STANDING: dict[EffectVerdict, Standing] = {
    "faster": "better", "slower": "worse", "no_difference": "no_difference", "inconclusive": "inconclusive",
}  # fmt: skip
Key = tuple[object, ...]


@dataclass(frozen=True)
class _Cell:
    key: Key
    jobs: pd.DataFrame
    arm: Arm
    p50: Estimate
    p90: Estimate
    usd: float | None


@dataclass(frozen=True)
class _Pair:
    axis: int
    baseline: int
    value: int


def comparisons(
    jobs: pd.DataFrame, conditions: RunConditions, min_effect: float = MIN_EFFECT, resamples: int = RESAMPLES
) -> Comparisons | None:
    """Every pair of cells that differ in one axis only; null when there is none that gave times."""
    # Where a result came as a link, the image is here when it is fetched; only then do the two clocks differ.
    metric = "delivered_ms" if jobs["mark_download_began_at_ms"].notna().any() else "final_image_ms"
    groups = _groups(jobs, conditions)
    pairs = _pairs(list(groups), conditions)
    if not pairs:
        return None
    narrow = jobs[
        ["block", "prompt_hash", "outcome", "http_status", "stream", "image_count", "cost_usd",
         "verdict_censored_at_ms", metric]
    ]  # fmt: skip
    prompts = pd.factorize(jobs["prompt_hash"])[0].astype(np.int64)
    cells = [_cell(key, narrow.iloc[rows], prompts[rows], metric) for key, rows in groups.items()]
    pairs = [pair for pair in pairs if cells[pair.value].arm.times.size and cells[pair.baseline].arm.times.size]
    if not pairs:
        return None
    left_out, pairs = max(0, len(pairs) - MOST_PAIRS), pairs[:MOST_PAIRS]
    found = compare_all(
        [cell.arm for cell in cells],
        [(pair.baseline, pair.value) for pair in pairs],
        ps=_QUANTILES,
        min_effect=min_effect,
        resamples=resamples,
    )
    varying = [at for at in range(len(AXES)) if len({cell.key[at] for cell in cells}) > 1]
    rows = tuple(_row(pair, cells, effects, varying) for pair, effects in zip(pairs, found, strict=True))
    return Comparisons(
        metric=metric,
        min_effect=min_effect,
        confidence=INTERVAL_CONFIDENCE,
        resamples=resamples,
        family=sum(effect.p_value is not None for effects in found for effect in effects),
        lines=_lines(rows),
        rows=rows,
        left_out=left_out,
    )


def _groups(jobs: pd.DataFrame, conditions: RunConditions) -> dict[Key, IntArray]:
    """Rows of each combination of `AXES`, in the order of the matrix; what the plan does not name comes after it."""
    planned = {cell: place for place, cell in enumerate(conditions.cells)}
    columns = [jobs[name] for name in AXES]
    placed = []
    for rows in positions_by(jobs, list(AXES)).values() if len(jobs) else ():
        key = tuple(none_if_nan(column.iloc[rows[0]]) for column in columns)
        place = planned.get(str(jobs["cell"].iloc[rows[0]]), len(planned))
        placed.append((place, tuple((quality_rank(str(value))[0], value_rank(value)) for value in key), key, rows))
    placed.sort(key=lambda one: one[:2])
    return {key: rows for _, _, key, rows in placed}


def _pairs(keys: Sequence[Key], conditions: RunConditions) -> list[_Pair]:
    direct = next((route.name for route in conditions.routes if route.direct), None)
    found = []
    for axis, name in enumerate(AXES):
        values = list(dict.fromkeys(key[axis] for key in keys))
        if name == "route":
            named = [route.name for route in conditions.routes if route.name in values]
            values = list(dict.fromkeys([*named, *values]))
            values.sort(key=lambda value: value != direct)
        if len(values) < 2 or name in _NOT_COMPARED:
            continue
        with_it = {AXES.index(other) for other in _COMES_WITH.get(name, ())}
        by_rest: dict[Key, list[int]] = {}
        for place, key in enumerate(keys):
            rest = tuple(value for at, value in enumerate(key) if at != axis and at not in with_it)
            by_rest.setdefault(rest, []).append(place)
        # A setting that some cells cannot have (compression of a png) has its first value among those that can.
        first = {
            rest: min((keys[place][axis] for place in places), key=values.index) if name in _DEPENDENT else values[0]
            for rest, places in by_rest.items()
        }
        for value in values:
            for rest, places in by_rest.items():
                found += [
                    _Pair(axis, one, other)
                    for one in places
                    for other in places
                    if value != first[rest]
                    and keys[one][axis] == first[rest]
                    and keys[other][axis] == value
                    and all(_goes_along(keys[one][at], keys[other][at]) for at in with_it)
                ]
    return found


def _goes_along(one: object, other: object) -> bool:
    return one == other or one in (None, False) or other in (None, False)


def _cell(key: Key, jobs: pd.DataFrame, prompts: IntArray, metric: str) -> _Cell:
    times, censored, counts = clock_times(jobs, metric)
    curve = clock_curve(jobs, metric)
    return _Cell(
        key=key,
        jobs=jobs,
        arm=Arm(
            times=times[counts],
            censored=censored[counts],
            block=jobs["block"].to_numpy(dtype=np.int64)[counts],
            prompt=prompts[counts],
        ),
        p50=estimate(curve.quantile(0.5)),
        p90=estimate(curve.quantile(0.9)),
        usd=spent_per_image(jobs),
    )


def _row(pair: _Pair, cells: Sequence[_Cell], effects: Sequence[Effect], varying: Sequence[int]) -> ComparisonRow:
    a, b = cells[pair.baseline], cells[pair.value]
    axis = AXES[pair.axis]
    shared = [at for at in varying if at != pair.axis and a.key[at] == b.key[at]]
    p50, p90 = (
        _effect(effect, *figures) for effect, figures in zip(effects, ((a.p50, b.p50), (a.p90, b.p90)), strict=True)
    )
    along = [
        at for at in varying if at != pair.axis and a.key[at] != b.key[at]
    ]  # what only one of the two has is told with it

    def told(cell: _Cell) -> str:
        also = [text for at in along if (text := word(AXES[at], cell.key[at]))]
        return ", ".join([value_word(axis, cell.key[pair.axis]), *also])

    return ComparisonRow(
        axis=axis,
        value=told(b),
        baseline=told(a),
        shared=" · ".join(text for at in shared if (text := word(AXES[at], a.key[at]))),
        n_value=effects[0].n_b,
        n_baseline=effects[0].n_a,
        pairs=effects[0].pairs,
        p50=p50,
        p90=p90,
        value_cost_per_image_usd=rounded(b.usd, 6),
        baseline_cost_per_image_usd=rounded(a.usd, 6),
        cost_difference_usd=rounded(b.usd - a.usd, 6) if a.usd is not None and b.usd is not None else None,
    )


def _effect(effect: Effect, baseline: Estimate, value: Estimate) -> QuantileEffect:
    verdict = _STANDING[effect.verdict]
    return QuantileEffect(baseline=baseline, value=value, verdict=verdict, **effect_fields(effect))


def _lines(rows: Sequence[ComparisonRow]) -> tuple[AxisLine, ...]:
    together: dict[tuple[str, str, str], list[ComparisonRow]] = {}
    for row in rows:
        together.setdefault((row.axis, row.value, row.baseline), []).append(row)
    found = []
    for (axis, value, baseline), members in together.items():
        ratios = [
            row.value_cost_per_image_usd / row.baseline_cost_per_image_usd
            for row in members
            if row.value_cost_per_image_usd is not None and row.baseline_cost_per_image_usd
        ]
        found.append(
            AxisLine(
                axis=axis,
                value=value,
                baseline=baseline,
                cells=len(members),
                p50=_tally([row.p50.verdict for row in members]),
                p90=_tally([row.p90.verdict for row in members]),
                cost_ratio_low=rounded(min(ratios), 4) if ratios else None,
                cost_ratio_high=rounded(max(ratios), 4) if ratios else None,
            )
        )
    return tuple(found)


def _tally(verdicts: Sequence[Standing]) -> Tally:
    counts = Counter(verdicts)
    return Tally(
        better=counts["better"],
        worse=counts["worse"],
        no_difference=counts["no_difference"],
        inconclusive=counts["inconclusive"],
    )


def value_word(axis: str, value: object) -> str:
    """A value of an axis by itself, in words: what goes without saying in a label has to be said here."""
    if axis in ("stream", "mask"):
        return axis if value else f"no {axis}"
    if value is None:
        return "not set"
    if isinstance(value, int | float):
        return word(axis, value) or f"{axis.replace('_', ' ')} {value:g}"
    return word(axis, value) or str(value)
