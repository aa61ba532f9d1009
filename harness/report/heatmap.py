"""Quality × size at a glance: the median of the final image for every pair, a small map for each kind of request."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pandas as pd

from harness.report.jobs import (
    NOT_JUDGED,
    IntArray,
    Shapes,
    clock_curve,
    estimate,
    in_order,
    is_in,
    none_if_nan,
    positions_by,
    word,
)
from harness.report.maps_model import HEAT_LEVELS, HeatCell, HeatMap, HeatMaps

_PAIR = ("quality", "size")
_ALWAYS_POOLED = frozenset({"prompt_complexity", "background", "moderation", "output_compression", "partial_images"})
_MAX_MAPS = 24  # from here on they are no view at a glance, and only routes and formats are told apart
_COLUMNS = ("route", "outcome", "http_status", "stream", "final_image_ms", "verdict_censored_at_ms")

# A map's key: the route, then what else tells its requests apart; and the quality and the size of the pair.
_Key = tuple[tuple[object, ...], object, object]


def heat_maps(frame: pd.DataFrame, shapes: Shapes) -> HeatMaps | None:
    """Maps of quality × size where both vary. Where one of them does, one map of routes (and whatever else tells
    requests apart) × that one. Null where neither varies or where there is a single row."""
    varying = [name for name in _PAIR if name in shapes.varying]
    if not varying:
        return None
    others = [name for name in shapes.varying if name not in _PAIR and name not in _ALWAYS_POOLED]
    for apart in (others, [name for name in others if name == "output_format"], []):
        groups = _groups(frame, ["route", *apart])
        if len({key for key, _, _ in groups}) <= _MAX_MAPS:
            break
    # In words: a format that only some requests name is told apart by what it is, not by where it stands.
    names = {key: shapes.name_of(str(key[0]), apart, key[1:]) for key, _, _ in groups}
    order = sorted(names, key=lambda key: (shapes.routes.index(str(key[0])), names[key]))
    found = {key: _cell(frame.iloc[rows]) for key, rows in groups.items()}
    scale = _scale(cell.final_image_p50_ms.value for cell in found.values())
    shaded = {key: _shaded(cell, scale) for key, cell in found.items()}
    if len(varying) == 2:
        # A map of one pair is no map: it is in the table of cells.
        drawn = [_pairs(names[key], {k[1:]: c for k, c in shaded.items() if k[0] == key}) for key in order]
        maps = tuple(one for one in drawn if len(one.rows) * len(one.columns) > 1)
        axes = _PAIR
    else:
        at = 1 + _PAIR.index(varying[0])
        columns = _sorted(varying[0], {key[at] for key in shaded})
        cells = {(key[0], key[at]): cell for key, cell in shaded.items()}
        rows = tuple(tuple(cells.get((key, column)) for column in columns) for key in order)
        titles = tuple(names[key] for key in order)
        maps = (_map("", titles, varying[0], columns, rows),) if len(order) > 1 else ()
        axes = ("route", varying[0])
    if not maps:
        return None
    return HeatMaps(
        row_axis=axes[0],
        column_axis=axes[1],
        pooled=tuple(name for name in shapes.pooled_within(apart) if name not in _PAIR),
        fastest_ms=scale[0] if scale else None,
        slowest_ms=scale[1] if scale else None,
        maps=maps,
    )


def _groups(frame: pd.DataFrame, apart: list[str]) -> dict[_Key, IntArray]:
    names = [*apart, *_PAIR]
    found = {}
    for rows in positions_by(frame[names], names).values():
        values = tuple(none_if_nan(frame[name].iloc[rows[0]]) for name in names)
        found[values[:-2], values[-2], values[-1]] = rows
    return found


def _cell(jobs: pd.DataFrame) -> HeatCell:
    narrow = jobs[list(_COLUMNS)]
    failed = ~is_in(narrow, "outcome", ("image", *NOT_JUDGED))
    curve = clock_curve(narrow, "final_image_ms")
    return HeatCell(
        final_image_p50_ms=estimate(curve.quantile(0.5)), jobs=len(narrow), failed=int(failed.sum()), level=None
    )


def _scale(values: Iterable[float | None]) -> tuple[float, float] | None:
    known = [value for value in values if value is not None and value > 0]
    return (min(known), max(known)) if known else None


def _shaded(cell: HeatCell, scale: tuple[float, float] | None) -> HeatCell:
    """Shades are steps of equal ratio: from 5 to 10 s is as much as from 100 to 200 s."""
    value = cell.final_image_p50_ms.value
    if value is None or scale is None:
        return cell
    low, high = scale
    edges = np.geomspace(low, high, HEAT_LEVELS + 1)
    level = next(
        (index for index, (_, upper) in enumerate(pairwise(edges)) if value <= upper * (1 + 1e-9)), HEAT_LEVELS - 1
    )
    flat = math.isclose(low, high)
    return HeatCell(
        final_image_p50_ms=cell.final_image_p50_ms, jobs=cell.jobs, failed=cell.failed, level=0 if flat else level
    )


def _sorted(name: str, values: Iterable[object]) -> list[object]:
    return sorted(values, key=lambda value: in_order(name, value))


def _pairs(title: str, cells: dict[tuple[object, object], HeatCell]) -> HeatMap:
    rows = _sorted("quality", {row for row, _ in cells})
    columns = _sorted("size", {column for _, column in cells})
    table = tuple(tuple(cells.get((row, column)) for column in columns) for row in rows)
    return _map(title, tuple(_words("quality", row) for row in rows), "size", columns, table)


def _map(
    title: str,
    rows: tuple[str, ...],
    column_axis: str,
    columns: list[object],
    cells: tuple[tuple[HeatCell | None, ...], ...],
) -> HeatMap:
    heads = tuple(_words(column_axis, column) for column in columns)
    return HeatMap(title=title, rows=rows, columns=heads, cells=cells)


def _words(name: str, value: object) -> str:
    return word(name, value) or f"no {name} given"
