"""Heat maps, the view by hour, and the line that says what the tiers took."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from statistics import median

import msgspec
import pytest

from harness.report.maps_model import HEAT_LEVELS
from harness.report.text import render
from harness.report.view import tiers_sentence

from . import build_run, demo_run
from .build_run import cut_by_nginx, job, of_events
from .test_build import summary_of
from .test_html import across_hours

SECONDS = {("low", "1024x1024"): 5, ("low", "1536x1024"): 8, ("high", "1024x1024"): 160, ("high", "1536x1024"): 240}


def grid(**changes: object):
    return [
        job(index * 20 + n, quality=quality, size=size, seconds=seconds + n / 10, **changes)
        for index, ((quality, size), seconds) in enumerate(SECONDS.items())
        for n in range(12)
    ]


def test_a_map_holds_the_median_of_every_pair_and_slower_is_darker() -> None:
    heat = summary_of(of_events(grid())).heat
    assert heat is not None
    (one,) = heat.maps
    assert (one.title, one.rows, one.columns) == ("direct", ("low", "high"), ("1024×1024", "1536×1024"))
    cells = [cell for row in one.cells for cell in row if cell]
    truth = [median(1000 * (seconds + n / 10) for n in range(12)) for seconds in SECONDS.values()]
    assert [cell.final_image_p50_ms.value for cell in cells] == pytest.approx(truth, abs=60)
    levels = [cell.level for cell in cells]
    assert levels[0] == 0
    assert levels[-1] == HEAT_LEVELS - 1
    assert levels == sorted(levels)
    assert [cell.jobs for cell in cells] == [12] * 4


def test_a_pair_that_was_cut_has_no_shade_and_no_figure() -> None:
    pairs = [cut_by_nginx(900 + n, route="direct", quality="medium") for n in range(12)]
    events = [*grid(), *(event for event, _ in pairs)]
    heat = summary_of(of_events(events, [verdict for _, verdict in pairs])).heat
    assert heat is not None
    row = dict(zip(heat.maps[0].rows, heat.maps[0].cells, strict=True))["medium"]
    assert row[0] is not None
    assert row[0].level is None
    assert row[0].final_image_p50_ms.value is None
    assert row[0].final_image_p50_ms.beyond == 60_000
    assert row[1] is None, "nothing was asked for there"


def test_each_route_and_format_has_its_map_on_one_scale() -> None:
    events = [*grid(), *(msgspec.structs.replace(e, job_id=f"w{e.job_id}", output_format="webp") for e in grid())]
    heat = summary_of(of_events(events)).heat
    assert heat is not None
    assert [one.title for one in heat.maps] == ["direct · png", "direct · webp"]


def test_where_one_of_them_varies_routes_are_the_rows_and_a_single_row_is_no_map() -> None:
    heat = summary_of(demo_run.demo(3)).heat
    assert heat is not None
    assert (heat.row_axis, heat.column_axis) == ("route", "quality")
    assert heat.maps[0].columns == ("low", "medium", "high")
    assert heat.maps[0].rows == ("direct", "direct · stream", "edge", "gateway", "tier1")
    assert summary_of(of_events([job(1), job(2, quality="high")])).heat is None
    assert summary_of(build_run.healthy()).heat is None


def test_a_slow_hour_shows_against_its_cells_whatever_the_mix_of_the_hour() -> None:
    # The fourth hour is slower by half; the fifth got only the slow quality, and is no slower for that.
    events = [event for event in across_hours() if "T10:" not in event.request_started_at or event.quality == "medium"]
    view = summary_of(of_events(events)).hours
    assert view is not None
    assert view.offsets == ("UTC+08:00",)
    assert view.qualities == ("low", "medium")
    assert [row.hour for row in view.rows] == [6, 7, 8, 9, 10, 11]
    ratios = [row.against_cell_p50_ratio.value or 0 for row in view.rows]
    assert ratios[3] == pytest.approx(1.5, rel=0.05)
    assert [ratio for index, ratio in enumerate(ratios) if index != 3] == pytest.approx([1] * 5, rel=0.05)
    assert [row.jobs for row in view.rows] == [40, 40, 40, 40, 20, 40]
    assert view.rows[4].final_image_p50_ms[0].n == 0


def test_the_share_failed_is_by_hour_and_hours_of_two_days_are_one_row() -> None:
    start = datetime(2026, 3, 2, 22, 0, tzinfo=timezone(timedelta(hours=-5)))
    events = [
        job(n, outcome="image" if n % 24 != 1 else "error", status=200 if n % 24 != 1 else 500,
            request_started_at=(start + timedelta(hours=n)).isoformat())
        for n in range(30)
    ]  # fmt: skip
    view = summary_of(of_events(events)).hours
    assert view is not None
    by_hour = {row.hour: row for row in view.rows}
    assert (by_hour[23].failed, by_hour[23].judged, by_hour[23].days) == (2, 2, 2)
    assert (by_hour[10].failed, by_hour[10].judged, by_hour[10].days) == (0, 1, 1)


def test_there_is_no_view_by_hour_in_a_short_run_nor_in_a_world_that_runs_faster() -> None:
    assert summary_of(of_events(across_hours()[:80])).hours is None, "two hours are touched by any run at a full hour"
    assert summary_of(of_events(across_hours(), time_scale=50.0)).hours is None
    unreadable = [msgspec.structs.replace(event, request_started_at="whenever") for event in across_hours()]
    assert summary_of(of_events(unreadable)).hours is None


def test_a_cell_that_rotates_through_its_prompts_is_not_called_after_one_of_them() -> None:
    mixed = [msgspec.structs.replace(e, prompt_complexity=("simple", "complex")[i % 2]) for i, e in enumerate(grid())]
    summary = summary_of(of_events(mixed))
    assert [cell.shape for cell in summary.cells] == [
        "low · 1024×1024", "low · 1536×1024", "high · 1024×1024", "high · 1536×1024",
    ]  # fmt: skip
    assert summary.heat is not None
    assert summary.heat.pooled == ("prompt_complexity",)
    assert {panel.pooled for panel in summary.curves} == {("prompt_complexity",)}


def test_a_run_without_a_fault_says_in_its_second_line_what_the_tiers_took_and_cost() -> None:
    events = [job(n, quality=("low", "high")[n % 2], seconds=(5, 190)[n % 2] + n / 10) for n in range(24)]
    told = tiers_sentence(summary_of(of_events(events))).replace("\u00a0", " ")
    assert told.startswith("All 24 jobs completed; at the median low took 6.00 s (")
    assert ", n 12) and $0.0060 an image, high took 19" in told
    many = tiers_sentence(summary_of(of_events([*grid(), job(999, quality="medium")]))).replace("\u00a0", " ")
    assert many.startswith("All 49 jobs completed; from low · 1024×1024 5.")
    assert " to high · 1536×1024 240 s" in many


def test_a_run_with_a_fault_or_without_a_median_has_no_such_line() -> None:
    assert tiers_sentence(summary_of(demo_run.demo(2))) == ""
    assert tiers_sentence(summary_of(of_events([]))) == ""


def test_the_text_has_both_views() -> None:
    text = render(summary_of(of_events(across_hours())))
    assert "## By hour of the day" in text
    (line,) = [line for line in text.splitlines() if line.startswith("| direct | 09:00 | 0 of 40 |")]
    assert " × (" in line
    assert "## Quality × size" in render(summary_of(of_events(grid())))
