"""A run of several regions: labels name them, pairs compare them, and routes are not compared across them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.diagnosis.route_gap import route_gaps
from harness.frame import load_frame
from harness.report import read_summary, write_report
from harness.report.model import Summary
from tests.report.build_run import Run, job, of_events

SLOWER = {"eu": 1.0, "us": 1.5}


def run_of(regions: tuple[str, ...], blocks: int = 24) -> Run:
    events = []
    for region in regions:
        for block in range(1, blocks + 1):
            one = job(block, quality=("low", "medium")[block % 2], seconds=(5 + block % 7) * SLOWER[region])
            events.append(
                msgspec.structs.replace(
                    one, job_id=f"{one.job_id}-{region}", cell=f"{one.cell}/region-{region}", block=block,
                    worker=f"w-{region}", region=region,
                )
            )  # fmt: skip
    return of_events(events, regions=regions, blocks=blocks)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    folder = run_of(("eu", "us")).write(tmp_path_factory.mktemp("regions") / "run")
    write_report(folder)
    return read_summary(folder / "summary.json")


def test_every_region_has_cells_of_its_own_and_they_say_so(two: Summary) -> None:
    shapes = {row.shape for row in two.cells}
    assert shapes == {f"{quality} · region {region}" for quality in ("low", "medium") for region in ("eu", "us")}


def test_regions_are_compared_in_pairs_like_any_other_setting(two: Summary) -> None:
    assert two.comparisons is not None
    rows = [row for row in two.comparisons.rows if row.axis == "region"]
    assert len(rows) == 2
    assert {row.p50.verdict for row in rows} == {"worse"}
    assert all(row.pairs == 12 for row in rows)


def test_the_region_is_among_what_explains_the_spread(two: Summary) -> None:
    assert two.spread is not None
    assert "region" in {share.axis for share in two.spread.axes}


def test_one_region_is_what_all_jobs_share_and_no_part_of_a_label(tmp_path: Path) -> None:
    folder = run_of(("eu",)).write(tmp_path / "run")
    write_report(folder)
    summary = read_summary(folder / "summary.json")
    assert {row.shape for row in summary.cells} == {"low", "medium"}
    assert "region eu" in (folder / "report.html").read_text()


def test_a_route_is_held_against_the_direct_one_in_its_own_region_only(tmp_path: Path) -> None:
    direct, other = run_of(("eu",)), run_of(("us",))
    moved = [msgspec.structs.replace(event, route="other", cell=f"other/{event.cell}") for event in other.events]
    run = of_events([*direct.events, *moved])
    folder = run.write(tmp_path / "run")
    frame, _ = load_frame(folder / "events.jsonl")
    gap = route_gaps(frame, run.conditions).get("other")
    assert gap is None or gap.pairs == 0
