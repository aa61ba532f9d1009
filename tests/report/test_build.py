"""What the summary says of a run."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.conditions import Objective
from harness.diagnosis.model import JobVerdict
from harness.errors import UsageProblem
from harness.events import ApiError, JobEvent
from harness.frame import frame_of
from harness.metrics import METRICS
from harness.report import read_summary, write_report, write_summary
from harness.report.build import summarize
from harness.report.model import CellRow, ObjectiveResult, Summary
from harness.report.view import rests_on

from . import build_run, demo_run
from .build_run import Run, cut_by_nginx, job, of_events

GOLDEN = Path(__file__).parent / "golden" / "summary.json"
REFUSED = ApiError(type="requests", code="rate_limit_exceeded")


def summary_of(run: Run, unreadable: int = 0) -> Summary:
    diagnosis = run.diagnosis or build_run.plain_diagnosis(run)
    return summarize(run.conditions, frame_of(run.events), diagnosis, run.verdicts, unreadable)


def the_cell(run: Run) -> CellRow:
    (cell,) = summary_of(run).cells
    return cell


def refused(number: int, **changes: Any) -> JobEvent:
    return job(number, seconds=0.2, outcome="error", status=429, error=REFUSED, cost_basis="not_billed", **changes)


def judged(events: list[JobEvent], verdicts: list[JobVerdict] | None = None, **objective: Any) -> ObjectiveResult:
    fields = {"text": "t", "metric": "final_image_ms", "statistic": "p50", "comparison": "<", "value": 10, "unit": "s"}
    run = of_events(events, verdicts, objectives=(Objective(**{**fields, **objective}),))
    (result,) = summary_of(run).objectives
    return result


def cuts(count: int, start: int = 100) -> tuple[list[JobEvent], list[JobVerdict]]:
    pairs = [cut_by_nginx(start + index, seconds=60 + index / 100) for index in range(count)]
    return [event for event, _ in pairs], [verdict for _, verdict in pairs]


def test_a_small_run_gives_the_golden_summary(tmp_path: Path) -> None:
    cut, verdict = cut_by_nginx(2)
    run = of_events([job(1), cut, refused(3, route="tier1")], [verdict])
    found = write_report(run.write(tmp_path)).summary.read_text()
    if os.environ.get("HARNESS_UPDATE_GOLDEN"):
        GOLDEN.write_text(found)
    assert found == GOLDEN.read_text(), "if meant: HARNESS_UPDATE_GOLDEN=1 pytest tests/report/test_build.py"


def test_a_summary_survives_its_file(tmp_path: Path) -> None:
    summary = summary_of(demo_run.demo(2))
    write_summary(tmp_path / "summary.json", summary)
    assert read_summary(tmp_path / "summary.json") == summary


def test_a_summary_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    write_summary(path, msgspec.structs.replace(summary_of(build_run.healthy(1)), schema_version=99))
    with pytest.raises(UsageProblem, match="schema version 99"):
        read_summary(path)


def test_the_order_of_events_does_not_matter() -> None:
    run = demo_run.demo(3)
    shuffled = Run(run.conditions, random.Random(1).sample(run.events, len(run.events)), run.verdicts, run.diagnosis)
    assert summary_of(shuffled) == summary_of(run)


def test_cut_jobs_are_censored_and_not_slow_or_fast() -> None:
    events, verdicts = cuts(10)
    cell = the_cell(of_events(events, verdicts))
    assert (cell.completed, cell.n, cell.censored) == (0, 10, 10)
    assert cell.final_image_p50_ms.value is None
    assert cell.final_image_p50_ms.beyond == pytest.approx(60_090)
    assert [(kind.kind, kind.jobs) for kind in cell.failures] == [("HTTP 504", 10)]


def test_a_fast_refusal_is_a_failure_and_no_latency() -> None:
    cell = the_cell(of_events([job(1, seconds=5), *(refused(n) for n in (2, 3, 4))]))
    assert (cell.completed, cell.n) == (1, 4)
    assert (cell.final_image_p50_ms.value, cell.final_image_p50_ms.n) == (5000, 1)
    assert cell.first_byte_p50_ms.n == 1
    assert [(kind.kind, kind.jobs) for kind in cell.failures] == [("HTTP 429", 3)]


def test_a_verdict_that_censors_an_image_that_came_is_not_believed() -> None:
    verdict = JobVerdict(job_id="j00001", verdict="ok", censored_at_ms=60_000)
    cell = the_cell(of_events([job(1, seconds=5)], [verdict]))
    assert (cell.censored, cell.final_image_p50_ms.value) == (0, 5000)


def test_the_first_event_of_a_stream_that_was_cut_later_was_seen() -> None:
    event = job(1, seconds=60, outcome="cut", status=200, stream=True, partials_at_s=(9.0,))
    cell = the_cell(
        of_events([event], [JobVerdict(job_id=event.job_id, verdict="false_timeout", censored_at_ms=60_000)])
    )
    assert cell.first_partial_image_p50_ms.value == 9000
    assert cell.final_image_p50_ms.beyond == 60_000


def test_few_jobs_are_thin() -> None:
    ten, eleven = (the_cell(of_events([job(n) for n in range(count)])) for count in (10, 11))
    assert (ten.final_image_p50_ms.thin, eleven.final_image_p50_ms.thin) == (True, False)
    assert eleven.final_image_p90_ms.thin


def test_cost_says_what_it_is_based_on() -> None:
    events, verdicts = cuts(1)
    totals = summary_of(of_events([job(1), job(2), *events, refused(5)], verdicts)).totals
    assert totals.cost_by_basis_usd == {"maybe_billed": 0.211, "usage": 0.012}
    assert totals.cost_usd == 0.223
    assert totals.cost_per_image_usd == 0.1115


def test_without_images_there_is_no_cost_per_image() -> None:
    totals = summary_of(of_events([refused(1)])).totals
    assert (totals.cost_usd, totals.cost_per_image_usd, totals.completed) == (None, None, 0)


def test_cells_that_were_never_run_are_named() -> None:
    run = of_events([job(1)], cells=(job(1).cell, "route=direct quality=high"), planned_jobs=2)
    rows = summary_of(run).cells
    assert [(row.planned_only, row.n) for row in rows] == [(False, 1), (True, 0)]
    assert rows[1].final_image_p50_ms.value is None
    assert summary_of(run).run.partial


def test_cancelled_and_unseen_jobs_are_not_judged() -> None:
    events = [job(1), job(2, outcome="cancelled", status=None), job(3, outcome="unknown", status=None)]
    totals = summary_of(of_events(events)).totals
    assert (totals.jobs, totals.judged, totals.failed, totals.cancelled, totals.unseen) == (3, 1, 0, 1, 1)


def test_layers_that_gave_up_are_counted_by_route() -> None:
    events, verdicts = cuts(3)
    (row,) = summary_of(of_events([*events, job(1, route="edge")], verdicts)).layers
    assert (row.layer, row.setting, row.jobs, row.of_jobs) == ("edge-nginx", "proxy_read_timeout", 3, 4)
    assert (row.backend_finished, row.grade) == (3, "proven")


def test_without_a_backend_record_nothing_is_said_of_what_came_after() -> None:
    events, verdicts = cuts(2)
    blind = [msgspec.structs.replace(verdict, backend_finished=None) for verdict in verdicts]
    summary = summary_of(of_events(events, blind))
    assert summary.layers[0].backend_finished is None
    assert summary.totals.finished_behind_a_cut is None


def test_a_retry_after_a_refusal_is_no_second_order_and_every_second_order_is_maybe_billed() -> None:
    tried = {"earlier": ((429, 8000.0), (503, 9000.0)), "cost_usd": 0.02, "earlier_attempts_usd": 0.014}
    events = [
        job(1, **tried),
        refused(2, earlier=((503, 8000.0),), cost_usd=0.014, earlier_attempts_usd=0.014),
        refused(3, earlier=((429, 8000.0),), cost_usd=0.0, earlier_attempts_usd=0.0),
    ]
    summary = summary_of(of_events(events))
    assert [(row.kind, row.generations, row.usd) for row in summary.waste] == [("duplicate", 2, 0.028)]
    assert summary.totals.cost_usd == pytest.approx(0.034)
    assert summary.totals.cost_by_basis_usd == {"maybe_billed": 0.028, "not_billed": 0.0, "usage": 0.006}


def test_a_record_that_is_silent_of_some_orphans_does_not_show_that_none_was_made() -> None:
    cut, verdict = cut_by_nginx(1)
    silent = job(2, route="edge", outcome="empty", cost_basis="maybe_billed")
    not_made = msgspec.structs.replace(verdict, backend_finished=False)

    def proven(events: list[JobEvent], told: JobVerdict) -> int | None:
        (row,) = summary_of(of_events(events, [told])).waste
        return row.proven

    assert proven([cut, silent], not_made) is None
    assert proven([cut], not_made) == 0
    assert proven([cut, silent], verdict) == 1


def test_a_false_timeout_rests_on_the_route_that_the_answer_names() -> None:
    summary = summary_of(demo_run.demo())
    edge = next(one for one in summary.findings if one.verdict == "false_timeout")
    other = msgspec.structs.replace(edge, id="false_timeout@other", route="other", jobs=edge.jobs + 1)
    answer = msgspec.structs.replace(
        summary.answer, decision=msgspec.structs.replace(summary.answer.decision, route=edge.route)
    )
    both = msgspec.structs.replace(summary, answer=answer, findings=(other, edge))
    assert rests_on(both) == edge


def test_retries_of_ours_and_of_a_gateway_are_apart() -> None:
    events = [job(1, earlier=((429, 8000.0),)), job(2, gateway_retries=2), refused(3)]
    (row,) = summary_of(of_events(events)).retries
    assert (row.jobs, row.attempts, row.retries, row.gateway_retries) == (3, 4, 1, 2)
    assert (row.jobs_with_429, row.jobs_failed_429, row.attempts_with_429) == (2, 1, 2)


def test_the_typical_fate_of_a_route_is_drawn() -> None:
    rows = summary_of(demo_run.demo()).waterfalls
    edge = {row.cut is not None: row for row in rows if row.route == "edge"}
    assert edge[False].shape == "medium"
    assert edge[True].shape == "high"
    assert edge[True].cut is not None
    assert edge[True].cut.backend_finished is True
    assert edge[True].segments[-1].kind == "wait"
    assert edge[True].segments[-1].end_ms == pytest.approx(edge[True].total_ms)
    assert [row.partials_at_ms != () for row in rows if row.route == "direct"] == [False, True]


def test_segments_lie_end_to_end() -> None:
    for row in summary_of(demo_run.demo(3)).waterfalls:
        assert row.segments[0].start_ms == 0
        for before, after in zip(row.segments, row.segments[1:], strict=False):
            assert after.start_ms == before.end_ms


def test_curves_keep_routes_apart_and_mark_cuts() -> None:
    panels = {panel.title: panel for panel in summary_of(demo_run.demo()).curves}
    assert list(panels) == ["low", "medium", "high", "high · stream · partials 2"]
    lines = {line.route: line for line in panels["high"].lines}
    assert (lines["edge"].open_ended, len(lines["edge"].cut_at_ms), lines["edge"].x_ms) == (True, 10, ())
    assert (lines["direct"].open_ended, lines["direct"].done[-1]) == (False, 1.0)


def test_many_shapes_are_pooled_by_quality_and_that_is_said() -> None:
    events = [job(n, size=f"{512 + n}x512", quality=("low", "high")[n % 2]) for n in range(12)]
    panels = summary_of(of_events(events)).curves
    assert [(panel.title, panel.pooled) for panel in panels] == [("low", ("size",)), ("high", ("size",))]


def test_what_all_jobs_share_is_said_once() -> None:
    assert summary_of(demo_run.demo(2)).run.common == ("gpt-image-2", "1024×1024", "png", "medium prompt")


def test_every_definition_is_there() -> None:
    assert [row.name for row in summary_of(build_run.healthy(1)).definitions] == [metric.name for metric in METRICS]


def test_what_must_not_leave_is_not_in_the_summary() -> None:
    error = ApiError(type="t<script>", code="c d/e", message="the prompt was: a secret cat")
    event = job(1, outcome="error", status=400, error=error, prompt_text="a secret cat")
    text = msgspec.json.encode(summary_of(of_events([event]))).decode()
    assert "secret cat" not in text
    assert '"error_type":"tscript"' in text


def test_successes_alone_stand_beside_the_censored_view_where_jobs_were_cut_and_flatter() -> None:
    events, verdicts = cuts(12)
    events = [
        job(n, route="edge", quality="high", seconds=30 + n, cell=events[0].cell, block=n) for n in range(20)
    ] + events
    cell = the_cell(of_events(events, verdicts))
    assert cell.successes_p90_ms is not None
    assert (cell.successes_p90_ms.value, cell.successes_p90_ms.n, cell.successes_p90_ms.censored) == (47_000, 20, 0)
    assert (cell.final_image_p90_ms.value, cell.final_image_p90_ms.beyond) == (None, 60_110)
    assert (cell.final_image_p50_ms.value or 0) > (cell.successes_p50_ms.value or 0) if cell.successes_p50_ms else False
    assert the_cell(of_events([job(1)])).successes_p50_ms is None


def test_response_time_is_shown_where_jobs_were_due_and_a_cut_counts_from_there_too() -> None:
    due = {"scheduled_at_ms": -2000.0, "response_ms": 7000.0}
    cell = the_cell(of_events([job(n, block=n, **due) for n in range(12)]))
    assert cell.response_p50_ms is not None
    assert (cell.response_p50_ms.value, cell.final_image_p50_ms.value) == (7000, 5000)
    events, verdicts = cuts(12)
    late = [msgspec.structs.replace(event, scheduled_at_ms=-2000.0) for event in events]
    found = the_cell(of_events(late, verdicts)).response_p50_ms
    assert found is not None
    assert (found.value, found.beyond) == (None, 62_110)
    assert the_cell(of_events([job(1)])).response_p50_ms is None


def test_page_and_text_say_whether_there_is_a_response_time() -> None:
    from harness.report import html
    from harness.report.text import render

    closed = summary_of(of_events([job(1)]))
    opened = summary_of(of_events([job(1, scheduled_at_ms=-2000.0, response_ms=7000.0)]))
    for summary, words in ((closed, "there is no response time"), (opened, "Response time counts from when the plan")):
        assert words in html.render(summary)
        assert words in render(summary)
    assert "Service and response time" in render(opened)
