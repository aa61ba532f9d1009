"""What the heat maps and the view by hour show, as plain data: a part of ``summary.json``."""

from __future__ import annotations

import msgspec

from harness.estimate import Estimate

HEAT_LEVELS = 5  # shades of a heat map


class HeatCell(msgspec.Struct, frozen=True, kw_only=True):
    """One pair of a heat map. `level` is its shade, 0 the fastest; null where the median is not estimable."""

    final_image_p50_ms: Estimate
    jobs: int
    failed: int
    level: int | None


class HeatMap(msgspec.Struct, frozen=True, kw_only=True):
    """Medians by row and column. `cells` has a tuple a row; null: nothing of that kind was asked for."""

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[HeatCell | None, ...], ...]


class HeatMaps(msgspec.Struct, frozen=True, kw_only=True):
    """All heat maps of a run on one scale of shades, so that they can be compared."""

    row_axis: str
    column_axis: str
    pooled: tuple[str, ...]  # in what else the jobs of one pair differ
    fastest_ms: float | None
    slowest_ms: float | None
    maps: tuple[HeatMap, ...]


class HourRow(msgspec.Struct, frozen=True, kw_only=True):
    """The jobs of one route that were started in one hour of the local day."""

    route: str
    hour: int  # 0 to 23
    days: int  # over how many days
    jobs: int
    judged: int
    failed: int
    against_cell_p50_ratio: Estimate  # of each job's final image to the median of its own cell over the whole run
    final_image_p50_ms: tuple[Estimate, ...]  # as long as `HourView.qualities`


class HourView(msgspec.Struct, frozen=True, kw_only=True):
    """How the run went by hour of the day, in the local time that its jobs were written in."""

    offsets: tuple[str, ...]  # of local time to UTC; two where the clocks were changed on the way
    qualities: tuple[str, ...]
    rows: tuple[HourRow, ...]  # by route, then by hour
