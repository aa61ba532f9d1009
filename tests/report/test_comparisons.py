"""One setting against another within a run whose truth is known."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.conditions import RouteConditions
from harness.diagnosis.model import JobVerdict
from harness.events import JobEvent
from harness.report import comparisons_text, html
from harness.report.comparisons import value_word
from harness.report.comparisons_model import ComparisonRow, Comparisons
from harness.report.comparisons_text import cost_words, signed_money, tally_words
from harness.report.text import render

from .build_run import cut_by_nginx, job, of_events
from .test_build import summary_of

Cut = dict[str, float]


def run_of(
    factors: dict[str, float],
    blocks: int = 40,
    seed: int = 1,
    caps_s: Cut | None = None,
    spread: float = 0.1,
    **same: Any,
) -> Any:
    """Each route's jobs take 40 s times its factor; a job beyond the route's cap is cut there."""
    dice = random.Random(seed)
    events: list[JobEvent] = []
    verdicts: list[JobVerdict] = []
    for block in range(blocks):
        weather = dice.lognormvariate(0, 0.1)
        for route, factor in factors.items():
            seconds = 40 * factor * weather * dice.lognormvariate(0, spread)
            cap = (caps_s or {}).get(route)
            placed = {"route": route, "quality": "high", "block": block, "prompt_hash": f"p{block % 3}"} | same
            if cap is not None and seconds > cap:
                event, verdict = cut_by_nginx(len(events), seconds=cap, **placed)
                verdicts.append(verdict)
            else:
                event = job(len(events), seconds=seconds, **placed)
            events.append(event)
    return of_events(events, verdicts)


def compared(run: Any) -> Comparisons:
    found = summary_of(run).comparisons
    assert found is not None
    return found


def only(run: Any) -> ComparisonRow:
    (row,) = compared(run).rows
    return row


def test_two_routes_of_the_same_world_are_never_called_different() -> None:
    for seed in range(4):
        row = only(run_of({"direct": 1, "edge": 1}, blocks=25, seed=seed))
        assert row.p50.verdict in ("no_difference", "inconclusive")
        assert row.p90.verdict in ("no_difference", "inconclusive")


def test_many_blocks_of_the_same_world_show_that_there_is_no_difference() -> None:
    row = only(run_of({"direct": 1, "edge": 1}, blocks=150, spread=0.03))
    assert (row.p50.verdict, row.p90.verdict) == ("no_difference", "no_difference")


def test_a_route_that_is_30_percent_slower_is_found_in_its_median_and_its_p90() -> None:
    row = only(run_of({"edge": 1.3, "direct": 1}, blocks=80))
    assert (row.axis, row.value, row.baseline, row.pairs) == ("route", "edge", "direct", 80)
    assert (row.p50.verdict, row.p90.verdict) == ("worse", "worse")
    for effect in (row.p50, row.p90):
        assert effect.ratio_low is not None
        assert effect.ratio_high is not None
        assert 1.05 < effect.ratio_low < 1.3 < effect.ratio_high
        assert effect.difference_low_ms is not None
        assert effect.difference_low_ms > 0


@pytest.mark.parametrize("slower", [1.0, 1.6])
def test_a_route_that_is_cut_at_60_s_is_never_called_faster(slower: float) -> None:
    run = run_of({"direct": 1.6, "edge": 1.6 * slower}, caps_s={"edge": 60.0})
    row = only(run)
    assert row.p50.value.censored > 10
    assert row.p50.verdict != "better"
    assert row.p90.verdict != "better"
    # Of its successes alone one would say so: they all end before the cap.
    edge = next(cell for cell in summary_of(run).cells if cell.route == "edge")
    assert edge.successes_p90_ms is not None
    assert (edge.successes_p90_ms.value or 0) < 60_000 < (row.p90.baseline.value or 0)


def test_a_cut_route_is_worse_where_its_cuts_alone_show_it() -> None:
    row = only(run_of({"direct": 0.5, "edge": 4}, caps_s={"edge": 60.0}))
    assert (row.p50.value.value, row.p50.value.beyond, row.p50.ratio) == (None, 60_000.0, None)
    assert row.p50.verdict == "worse"
    assert row.p50.ratio_high is None


def test_only_cells_that_differ_in_one_setting_are_compared_each_value_with_the_first() -> None:
    events = []
    for block in range(8):
        for route in ("edge", "direct"):
            for quality in ("low", "medium", "high"):
                for size in ("1024x1024", "1536x1024"):
                    if route == "edge" and size == "1536x1024":
                        continue
                    events.append(job(len(events), route=route, quality=quality, size=size, block=block))
    rows = compared(of_events(events)).rows
    assert [(row.axis, row.value, row.baseline, row.shared) for row in rows if row.axis != "quality"] == [
        *(("route", "edge", "direct", f"{quality} · 1024×1024") for quality in ("low", "medium", "high")),
        *(("size", "1536×1024", "1024×1024", f"direct · {quality}") for quality in ("low", "medium", "high")),
    ]
    assert len([row for row in rows if row.axis == "quality"]) == 6
    assert {row.baseline for row in rows if row.axis == "quality"} == {"low"}


def test_what_comes_with_a_setting_does_not_keep_it_from_being_compared() -> None:
    settings: list[dict[str, Any]] = [
        {"output_format": "png"},
        {"output_format": "jpeg", "output_compression": 50},
        {"output_format": "jpeg", "output_compression": 90},
        {"output_format": "png", "stream": True},
    ]
    events = [
        job(4 * block + at, block=block, cell=f"c{at}", **fields)
        for block in range(8)
        for at, fields in enumerate(settings)
    ]
    found = [(row.axis, row.value, row.baseline) for row in compared(of_events(events)).rows]
    assert found == [
        ("output_format", "jpeg, compression 50", "png"),
        ("output_format", "jpeg, compression 90", "png"),
        ("output_compression", "compression 90", "compression 50"),
        ("stream", "stream, partials 2", "no stream"),
    ]


def test_a_job_after_a_text_model_is_another_job_and_never_compared_with_a_bare_one() -> None:
    events = [job(2 * b + at, block=b, cell=f"c{at}", text_model=model) for b in range(8) for at, model in
              enumerate((None, "gpt-5"))]  # fmt: skip
    assert summary_of(of_events(events)).comparisons is None


def test_one_cell_or_none_is_no_comparison() -> None:
    assert summary_of(of_events([job(1), job(2, block=1)])).comparisons is None
    assert summary_of(of_events([])).comparisons is None


def test_links_are_compared_by_when_the_image_was_here() -> None:
    run = run_of({"direct": 1, "task": 1}, blocks=30)
    fetched = []
    for event in run.events:
        if event.route == "task":
            last = event.attempts[-1]
            assert event.final_image_ms is not None
            marks = msgspec.structs.replace(
                last.marks, download_began_at_ms=event.final_image_ms, downloaded_at_ms=event.final_image_ms + 30_000
            )
            event = msgspec.structs.replace(
                event, delivered_ms=event.final_image_ms + 30_000,
                attempts=(*event.attempts[:-1], msgspec.structs.replace(last, marks=marks)),
            )  # fmt: skip
        fetched.append(event)
    run.events = fetched
    found = compared(run)
    assert (found.metric, found.rows[0].p50.verdict) == ("delivered_ms", "worse")
    assert found.rows[0].p50.difference_ms == pytest.approx(30_000, abs=4000)


def test_the_price_stands_beside_the_time() -> None:
    events = [job(2 * block + at, block=block, quality=quality) for block in range(8) for at, quality in
              enumerate(("low", "high"))]  # fmt: skip
    run = of_events(events)
    row = only(run)
    assert (row.baseline_cost_per_image_usd, row.value_cost_per_image_usd) == (0.006, 0.211)
    assert row.cost_difference_usd == pytest.approx(0.205)
    assert cost_words(compared(run).lines[0]) == "×35.2"
    assert [signed_money(usd) for usd in (0.205, -0.205, 0.0, None)] == ["+$0.205", "−$0.205", "±$0", "—"]


def test_holm_counts_every_test_of_the_section_and_the_family_is_stated() -> None:
    run = run_of({"direct": 1, "edge": 1.02, "gateway": 1.04, "far": 1.3}, blocks=40)
    found = compared(run)
    effects = [effect for row in found.rows for effect in (row.p50, row.p90)]
    assert found.family == sum(effect.p_value is not None for effect in effects) == 6
    assert all((e.p_adjusted or 0) >= (e.p_value or 0) for e in effects)
    least = min(effects, key=lambda effect: effect.p_value or 0)
    assert least.p_adjusted == pytest.approx(min(1, 6 * (least.p_value or 0)), abs=1e-5)
    assert "all 6 tests of this section" in render(summary_of(run))


def test_a_p90_of_few_jobs_takes_part_in_no_test() -> None:
    row = only(run_of({"direct": 1, "edge": 1.5}, blocks=20))
    assert (row.p50.verdict, row.p90.verdict, row.p90.p_value) == ("worse", "inconclusive", None)


def test_a_line_counts_the_cells_of_a_value() -> None:
    run = run_of({"direct": 1, "edge": 1.5}, blocks=20)
    more = run_of({"direct": 1, "edge": 1.5}, blocks=20, seed=2, quality="low")
    events = [*run.events, *(msgspec.structs.replace(e, job_id=f"m{e.job_id}") for e in more.events)]
    line = next(line for line in compared(of_events(events)).lines if line.axis == "route")
    assert (line.cells, line.p50.worse, line.p90.inconclusive) == (2, 2, 2)
    assert tally_words(line.p50, line.cells) == "faster in none, slower in 2 of 2"
    assert tally_words(line.p90, line.cells) == "faster in none, slower in none, 2 inconclusive"


def test_values_have_words_of_their_own() -> None:
    pairs = [("stream", False), ("stream", True), ("n", 1), ("n", 4.0), ("output_compression", None), ("mask", True)]
    assert [value_word(axis, value) for axis, value in pairs] == [
        "no stream", "stream", "n 1", "n 4", "not set", "mask",
    ]  # fmt: skip


def test_a_long_table_is_folded_and_a_short_one_open(monkeypatch: pytest.MonkeyPatch) -> None:
    summary = summary_of(run_of({"direct": 1, "edge": 1, "far": 1}, blocks=6))

    def section() -> str:
        return html.render(summary).partition('id="comparisons"')[2].partition("</section>")[0]

    assert "<details open>" in section()
    assert "2 pairs of cells" in section()
    monkeypatch.setattr(comparisons_text, "FOLDED_FROM", 1)
    assert "<details>" in section()


def test_names_in_the_section_are_escaped() -> None:
    run = run_of({"direct": 1, "<img src=x>": 1}, blocks=6)
    run.conditions = msgspec.structs.replace(
        run.conditions, routes=(RouteConditions(name="direct", kind="images", owner="openai", direct=True),)
    )
    assert "<img" not in html.render(summary_of(run)).partition('id="comparisons"')[2]
    assert "<img" not in render(summary_of(run))


def test_min_effect_is_an_option_of_report(harness: Any, tmp_path: Path) -> None:
    run = run_of({"direct": 1, "edge": 1.3}, blocks=30, spread=0.03).write(tmp_path / "run")
    assert compared(run_of({"direct": 1, "edge": 1.3}, blocks=30, spread=0.03)).rows[0].p50.verdict == "worse"
    done = harness("report", run, "--min-effect", "60%", "--format", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["comparisons"]
    assert (found["min_effect"], found["rows"][0]["p50"]["verdict"]) == (0.6, "no_difference")
