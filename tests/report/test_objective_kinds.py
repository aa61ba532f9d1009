"""Objectives on shares beyond a time, on batches and on the cost of an image; the text is what a user would write."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from harness.diagnosis.model import JobVerdict
from harness.events import ImageCheck, JobEvent
from harness.frame import frame_of
from harness.report import read_summary, write_report
from harness.report.build import summarize
from harness.report.model import ObjectiveResult
from harness.report.text import render
from harness.scenario.objectives import parse_objective
from harness.stats import proportion

from . import build_run
from .build_run import START, cut_by_nginx, job, of_events


def judged(text: str, events: list[JobEvent], verdicts: list[JobVerdict] | None = None) -> ObjectiveResult:
    run = of_events(events, verdicts, objectives=(parse_objective(text),))
    (result,) = summarize(run.conditions, frame_of(run.events), build_run.plain_diagnosis(run), run.verdicts).objectives
    return result


def cuts(count: int, seconds: float) -> tuple[list[JobEvent], list[JobVerdict]]:
    pairs = [cut_by_nginx(500 + index, seconds=seconds) for index in range(count)]
    return [event for event, _ in pairs], [verdict for _, verdict in pairs]


def at(number: int, start_s: float, seconds: float = 10.0, **changes: Any) -> JobEvent:
    return job(number, seconds=seconds, request_started_at=(START + timedelta(seconds=start_s)).isoformat(), **changes)


IMAGE = ImageCheck(image_bytes=9, format="png", width=1024, height=1024)

# Shares beyond a time


def test_a_share_of_complete_jobs_is_counted_with_wilsons_interval() -> None:
    events = [job(n, seconds=40 if n < 3 else 10) for n in range(100)]
    result = judged("share(final_image_ms > 30s) < 5%", events)
    expected = proportion(3, 100)
    assert (result.state, result.value.value, result.value.n, result.why) == ("pass", 0.03, 100, "3 of 100 jobs")
    assert result.value.low == pytest.approx(expected.low, abs=1e-6)
    assert result.value.high == pytest.approx(expected.high, abs=1e-6)
    assert judged("share(final_image_ms > 30s) < 2%", events).state == "fail"


def test_a_share_of_few_jobs_passes_only_when_its_whole_interval_does() -> None:
    events = [job(n, seconds=10) for n in range(10)]
    assert judged("share(final_image_ms > 30s) < 5%", events).state == "inconclusive"
    assert judged("share(final_image_ms > 30s) < 40%", events).state == "pass"


@pytest.mark.parametrize(("inner", "share"), [(">", 0.4), (">=", 0.6), ("<", 0.4), ("<=", 0.6)])
def test_the_time_itself_is_beyond_only_where_the_rule_says_so(inner: str, share: float) -> None:
    events = [job(n, final_image_ms=ms) for n, ms in enumerate([10e3, 20e3, 30e3, 40e3, 50e3])]
    assert judged(f"share(final_image_ms {inner} 30s) < 50%", events).value.value == pytest.approx(share)


def test_jobs_cut_beyond_the_time_are_known_to_be_beyond_it() -> None:
    events, verdicts = cuts(20, seconds=60)
    result = judged("share(final_image_ms > 30s) < 15%", [*events, *(job(n, seconds=5) for n in range(80))], verdicts)
    assert (result.state, result.value.value, result.why) == ("fail", 0.2, "20 of 100 jobs")


def test_jobs_cut_before_the_time_are_not_among_those_that_make_a_share_worth_its_value() -> None:
    events, verdicts = cuts(9, seconds=20)
    result = judged("share(final_image_ms > 30s) < 10%", [*events, job(1, seconds=25)], verdicts)
    assert (result.state, result.value.value, result.value.high) == ("inconclusive", 0.0, 1.0)


def test_jobs_cut_before_the_time_count_by_kaplan_and_meier() -> None:
    events, verdicts = cuts(20, seconds=20)
    slow = [job(n, seconds=40) for n in range(10)]
    result = judged(
        "share(final_image_ms > 30s) < 50%", [*events, *slow, *(job(n, seconds=5) for n in range(20, 90))], verdicts
    )
    assert result.value.value == pytest.approx(0.3)  # nobody was done between: 30 of 100 still under way
    assert result.value.low is not None
    assert result.value.high is not None
    assert result.value.low < 0.3 < result.value.high
    assert "20 of them cut before it" in result.why


def test_cuts_that_hide_the_time_decide_only_what_the_bound_decides() -> None:
    events, verdicts = cuts(20, seconds=20)
    jobs = [*events, *(job(n, seconds=5) for n in range(80))]
    assert judged("share(final_image_ms > 30s) < 5%", jobs, verdicts).state == "inconclusive"
    assert judged("share(final_image_ms > 30s) < 5%", jobs, verdicts).value.value is None
    assert judged("share(final_image_ms > 30s) < 40%", jobs, verdicts).state == "pass"


def test_the_interval_of_a_cut_share_covers_the_truth() -> None:
    rng = np.random.default_rng(3)
    truth, covered, rounds = float(np.exp(-30 / 20)), 0, 200
    from harness.report.beyond import share_beyond
    from harness.stats import survival

    for _ in range(rounds):
        times, cut_at = rng.exponential(20e3, 80), rng.exponential(60e3, 80)
        found = share_beyond(survival(np.minimum(times, cut_at), times > cut_at), ">", 30e3)
        covered += found.low <= truth <= found.high
    assert 0.91 <= covered / rounds <= 0.99


# Batches


def test_a_batch_ends_with_its_last_image() -> None:
    events = [at(n, start_s=5.0 * n) for n in range(20)]
    result = judged("20 images under 110s", events)
    assert (result.state, result.value.value, result.value.n) == ("pass", 105_000.0, 20)
    assert judged("20 images under 100s", events).state == "fail"
    assert judged("10 images under 100s", events).value.value == 55_000.0


def test_images_of_one_job_come_together_and_each_counts() -> None:
    events = [at(n, start_s=0, seconds=10 + n, n=4, images=(IMAGE,) * 4) for n in range(5)]
    assert judged("9 images under 1min", events).value.value == pytest.approx(12_000.0)


def test_the_starts_of_a_faster_world_are_scaled_to_it() -> None:
    events = [at(n, start_s=n, time_scale=50.0) for n in range(3)]
    assert judged("3 images under 2min", events).value.value == pytest.approx(110_000.0)


def test_a_batch_starts_with_the_first_job_that_the_braces_name() -> None:
    events = [at(n, start_s=100.0 * n, route="direct" if n % 2 else "edge") for n in range(6)]
    assert judged("3 images{route=direct} under 5min", events).value.value == pytest.approx(410_000.0)


def test_a_batch_that_was_not_filled_never_passes() -> None:
    events = [at(n, start_s=5.0 * n) for n in range(6)]
    short = judged("20 images under 5min", events)
    assert (short.state, short.why) == ("inconclusive", "only 6 of 20 images came, of 6 jobs")
    assert judged("20 images under 30s", events).state == "fail"  # 35 s went by without the twentieth
    assert judged("20 images{route=azure} under 30s", events).state == "inconclusive"


def test_a_batch_is_judged_from_a_run_on_disk(tmp_path: Path) -> None:
    run = of_events([at(n, start_s=n) for n in range(4)], objectives=(parse_objective("4 images under 1min"),))
    summary = read_summary(write_report(run.write(tmp_path)).summary)
    assert [(row.state, row.value.value) for row in summary.objectives] == [("pass", 13_000.0)]
    line = next(line for line in render(summary).splitlines() if "4 images under 1min" in line)
    assert "13.0 s" in line
    assert "of 4 jobs" in line


# Cost


def test_the_cost_of_an_image_counts_every_image_of_a_job() -> None:
    events = [job(n, cost_usd=0.2, n=4, images=(IMAGE,) * 4) for n in range(12)]
    result = judged("cost_usd per image < 0.06", events)
    assert (result.state, result.value.value, result.value.n) == ("pass", 0.05, 12)
    assert judged("cost_usd per image < 0.05", events).state == "fail"


def test_what_jobs_without_an_image_may_have_cost_is_said_beside_it() -> None:
    events, verdicts = cuts(3, seconds=60)
    result = judged("cost_usd per image < 0.01", [*events, *(job(n) for n in range(12))], verdicts)
    assert (result.state, result.value.value) == ("pass", 0.006)
    assert "12 images of 12 jobs for 0.0720 USD; beside it 0.6330 USD, paid or perhaps, for 3" in result.why


def test_one_image_does_not_show_what_images_cost() -> None:
    assert judged("cost_usd per image < 0.06", [job(1)]).state == "inconclusive"
    assert judged("cost_usd per image < 0.06", [replace(job(1), cost_usd=None)]).state == "inconclusive"


def test_the_interval_of_a_cost_covers_the_truth() -> None:
    from harness.report.price import cost_per_image

    rng = np.random.default_rng(5)
    base = frame_of([job(n) for n in range(40)])
    covered = 0
    for _ in range(400):
        images = rng.integers(1, 5, 40)
        costs = images * rng.gamma(20, 0.05 / 20, 40)
        found = cost_per_image(base.assign(image_count=images, cost_usd=costs))
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.05 <= found.high
    assert 0.92 <= covered / 400 <= 0.98
