"""The heat maps and the view by hour as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.report import format as fmt
from harness.report.maps_model import HeatCell
from harness.report.model import Summary
from harness.report.view import heat_title

Table = Callable[[Sequence[str], Sequence[Sequence[str]]], str]


def heat(summary: Summary, table: Table) -> list[str]:
    """Each map as a table of medians; empty when there is none."""
    if summary.heat is None:
        return []
    parts = [f"## {heat_title(summary)}"]
    for one in summary.heat.maps:
        rows = [(row, *map(_cell, cells)) for row, cells in zip(one.rows, one.cells, strict=True)]
        parts.append(table((one.title or summary.heat.row_axis, *one.columns), rows))
    pooled = ", ".join(map(fmt.words, summary.heat.pooled))
    return [*parts, f"Median of the final image{f', pooled over {pooled}' if pooled else ''}."]


def _cell(cell: HeatCell | None) -> str:
    if cell is None:
        return ""
    found = cell.final_image_p50_ms
    star = "*" if found.thin and found.value is not None else ""
    return f"{fmt.estimate(found)}{star} ({fmt.basis(found) or 'n 0'})"


def hours(summary: Summary, table: Table) -> list[str]:
    """The view by hour; empty when the run does not span hours."""
    view = summary.hours
    if view is None:
        return []
    rows = [
        (
            row.route,
            f"{row.hour:02}:00",
            fmt.of(row.failed, row.judged),
            f"{fmt.estimate(row.against_cell_p50_ratio, '×')} ({fmt.interval(row.against_cell_p50_ratio, '×')})",
            *(
                f"{fmt.estimate(found)} ({fmt.basis(found)})" if found.n else fmt.NOTHING
                for found in row.final_image_p50_ms
            ),
        )
        for row in view.rows
    ]
    head = ("route", "hour", "failed", "against its cell", *(f"{quality} p50" for quality in view.qualities))
    return [
        "## By hour of the day",
        table(head, rows),
        f"Local time{', ' + ' and '.join(view.offsets) if view.offsets else ''}.",
    ]
