"""Stopping early: what counts, in which order, and that going on comes to the same decisions."""

from __future__ import annotations

import json
import math
import random
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.diagnosis.judge import diagnose_run
from harness.events import Attempt, JobEvent, Marks
from harness.plan import Job, Plan, make_plan
from harness.report import write_report
from harness.run.queue import Queue
from harness.run.stopping import Stopper, stopper_of
from harness.scenario import Scenario
from harness.stats.sequence import QuantileSequence, narrow
from tests.conftest import Harness
from tests.run.test_session import end, lines, start, wait_for_events
from tests.scenario.build import load

HEAD = """
name: small
why: When is it enough?
prompts: [a lemon]
routes:
  direct: {base_url: "simulator://", owner: simulator}
  edge: {base_url: "simulator://edge", owner: simulator}
simulator: {layers: {edge: {}}}
matrix: {route: [direct, edge], quality: [low, medium]}
defaults: {size: 1024x1024}
repeats: 60
"""
RATIO = "early_stop: {compare: [{a: {route: direct}, b: {route: edge}}]}\n"
WIDTH = "early_stop: {interval: {within: 20%}}\n"


def planned(folder: Path, rules: str) -> tuple[Scenario, Plan]:
    scenario = load(folder, HEAD + rules)
    return scenario, make_plan(scenario)


def stopper_for(folder: Path, rules: str, events: Iterable[JobEvent] = ()) -> tuple[Stopper, Plan]:
    scenario, plan = planned(folder, rules)
    stopper = stopper_of(scenario, plan.jobs, events)
    assert stopper is not None
    return stopper, plan


def event(job: Job, ms: float, outcome: str = "image", status: int | None = 200, **changes: Any) -> JobEvent:
    fields: dict[str, Any] = {
        "run_id": "r", "job_id": job.job_id, "cell": job.cell.id, "block": job.block, "position": job.position,
        "request_started_at": "2026-03-02T09:30:00+00:00", "timezone": "UTC", "route": job.cell.route,
        "route_kind": "images", "route_owner": "simulator", "endpoint": "generations", "model": "gpt-image-2",
        "prompt_chars": 7, "prompt_hash": "0", "outcome": outcome, "ended": "complete", "http_status": status,
        "final_image_ms": ms if outcome == "image" else None,
        "attempts": (
            Attempt(number=1, client_request_id="c", marks=Marks(started_at_ms=0.0, ended_at_ms=ms), ended="complete"),
        ),
    }  # fmt: skip
    return JobEvent(**{**fields, **changes})


def of_cell(plan: Plan, *words: str) -> list[Job]:
    return [job for job in plan.jobs if all(word in job.cell.id for word in words)]


def test_jobs_that_are_over_first_do_not_count_before_those_that_were_sent_before_them(tmp_path: Path) -> None:
    # Seven jobs of ten take ten times as long. Who counts whoever is done is told of a fast cell.
    dice = np.random.default_rng(2)
    wrong = naively_wrong = 0
    for _ in range(40):
        stopper, plan = stopper_for(tmp_path, WIDTH)
        jobs = of_cell(plan, "direct/low")
        times = np.where(dice.random(60) < 0.3, 1000.0, 10_000.0) * np.exp(dice.normal(0, 0.05, 60))
        over = sorted(zip(times.tolist(), range(60), strict=True), key=lambda one: 300 * one[1] + one[0])
        naive = QuantileSequence(0.5, 0.05 / 4)
        first: tuple[float | None, float | None] = (None, None)
        for ms, at in over:
            stopper.tell(event(jobs[at], ms))
            naive.add(ms, ms)
            if first == (None, None) and narrow(*naive.interval(), 0.2):
                first = naive.interval()
        naively_wrong += first[1] is not None and first[1] < 5000
        (found,) = stopper.stopped([job.job_id for job in jobs[:1]]) or (None,)
        decision = found.decisions[0] if found is not None else None
        wrong += decision is not None and decision.high is not None and decision.high < 5000
    assert naively_wrong > 10
    assert wrong <= 2


def test_a_block_that_is_missing_holds_up_those_after_it(tmp_path: Path) -> None:
    stopper, plan = stopper_for(tmp_path, RATIO)
    slow, fast = of_cell(plan, "edge/low"), of_cell(plan, "direct/low")
    for a, b in list(zip(fast, slow, strict=True))[1:40]:
        assert stopper.tell(event(a, 1000)) == stopper.tell(event(b, 5000)) == ()
    stopper.tell(event(fast[0], 1000))
    assert set(stopper.tell(event(slow[0], 5000))) == {fast[0].cell.id, slow[0].cell.id}
    (one, _) = stopper.stopped([])
    # Fewer blocks decide than are there; what came later changes nothing.
    assert one.decisions[0].blocks == one.decisions[0].samples < 15
    assert one.decisions[0].verdict == "slower"
    assert not stopper.settled(of_cell(plan, "edge/medium")[0].cell.id)


@pytest.mark.parametrize("seed", range(5))
def test_decisions_do_not_hang_on_when_the_journal_was_read(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    _, plan = planned(tmp_path, RATIO)
    events = [event(job, 1000 * math.exp(dice.gauss(0.4 * ("edge" in job.cell.id), 0.3))) for job in plan.jobs]
    dice.shuffle(events)
    whole, _ = stopper_for(tmp_path, RATIO)
    settled: list[str] = []
    for at, one in enumerate(events):
        settled += whole.tell(one)
        if at % 40 == 0:
            again, _ = stopper_for(tmp_path, RATIO, events[: at + 1])
            assert {cell for cell in {job.cell.id for job in plan.jobs} if again.settled(cell)} == set(settled)
    assert settled
    again, _ = stopper_for(tmp_path, RATIO, dice.sample(events, len(events)))
    assert again.stopped([]) == whole.stopped([])


def test_a_cut_job_is_a_lower_limit_and_a_refusal_is_nothing_and_said(tmp_path: Path) -> None:
    stopper, plan = stopper_for(tmp_path, RATIO)
    for a, b in zip(of_cell(plan, "direct/low"), of_cell(plan, "edge/low"), strict=True):
        stopper.tell(event(a, 1000))
        refused = a.block in (2, 3)
        stopper.tell(event(b, 50 if refused else 60_000, "error", 429 if refused else 504))
    found = stopper.stopped([])[0].decisions[0]
    assert (found.verdict, found.low, found.high) == ("slower", 60.0, None)
    assert found.blocks == found.samples + 2
    assert f"2 of {found.blocks} blocks gave no pair" in found.why


def test_a_job_that_nobody_saw_counts_as_longer_than_nothing_and_never_makes_a_cell_fast(tmp_path: Path) -> None:
    stopper, plan = stopper_for(tmp_path, WIDTH)
    jobs = of_cell(plan, "direct/low")
    for job in jobs:
        lost = job.block % 2 == 0  # the slow half, say
        stopper.tell(event(job, 0 if lost else 1000, "unknown" if lost else "image", None if lost else 200))
    assert not stopper.settled(jobs[0].cell.id)
    # Sent again and seen, the later event is the one that counts.
    twice = [event(job, 0, "unknown", None) for job in jobs] + [event(job, 1000) for job in jobs]
    again, _ = stopper_for(tmp_path, WIDTH, twice)
    assert again.settled(jobs[0].cell.id)


def test_a_cell_of_two_rules_waits_for_both_and_money_without_a_price_is_null(tmp_path: Path) -> None:
    rules = "early_stop:\n  interval: {within: 50%}\n  compare: [{a: {route: direct}, b: {route: edge}}]\n"
    stopper, plan = stopper_for(tmp_path, rules)
    direct, edge = of_cell(plan, "direct/low"), of_cell(plan, "edge/low")
    for job in direct:
        stopper.tell(event(job, 1000))
    assert not stopper.settled(direct[0].cell.id)
    for job in edge:
        stopper.tell(event(job, 3000))
    assert stopper.settled(direct[0].cell.id)
    cell = stopper.stopped([job.job_id for job in direct[:20]])[0]
    assert (cell.jobs_sent, cell.jobs_not_sent, len(cell.decisions)) == (20, 40, 2)
    assert cell.usd_not_spent == pytest.approx(40 * (direct[0].estimate_usd or 0), abs=1e-6)


def test_what_was_dropped_or_lost_with_its_route_was_not_saved_by_a_rule(tmp_path: Path) -> None:
    stopper, plan = stopper_for(tmp_path, WIDTH)
    jobs = of_cell(plan, "direct/low")
    for job in jobs:
        stopper.tell(event(job, 1000))
    ids = [job.job_id for job in jobs]
    (cell,) = stopper.stopped(ids[:20], ids[20:50])
    assert (cell.jobs_sent, cell.jobs_not_sent) == (20, 10)
    assert stopper.stopped(ids[:20], ids[20:]) == ()


def test_a_queue_knows_what_it_passed_over_and_what_was_needless(tmp_path: Path) -> None:
    _, plan = planned(tmp_path, WIDTH)
    dropped, needless, *_ = plan.jobs
    queue = Queue.of(plan.jobs[:3], {}, {}, lambda job: job is needless)
    assert queue.drop() is dropped
    assert queue.drop() is plan.jobs[2]
    assert queue.passed_over() == {dropped.job_id, plan.jobs[2].job_id}


E2E = """
name: early
why: One pair is decided soon, the other never.
prompts: [a lemon]
routes:
  direct: {base_url: "simulator://", owner: simulator}
  edge: {base_url: "simulator://edge", owner: simulator}
  twin: {base_url: "simulator://", owner: simulator}
simulator: {seed: 3, time_scale: 120, layers: {edge: {adds_s: 60}}}
defaults: {size: 1024x1024, output_format: jpeg}
matrix: {include: [{route: [direct, edge], quality: low}, {route: [direct, twin], quality: medium}]}
repeats: 22
load: {concurrency: 4}
early_stop:
  interval: {statistic: p99, within: 10%, where: {quality: medium}} # hundreds of jobs: never in this run
  compare:
    - {a: {route: direct, quality: low}, b: {route: edge, quality: low}}
    - {a: {route: direct, quality: medium}, b: {route: twin, quality: medium}}
"""


def test_one_pair_stops_early_the_other_runs_on_and_a_kill_changes_neither(tmp_path: Path, harness: Harness) -> None:
    (tmp_path / "s.yaml").write_text(E2E)
    run = tmp_path / "run"
    process = start("run", tmp_path / "s.yaml", "--out", run, "--quiet")
    wait_for_events(run, 54, process)
    process.kill()
    end(process)
    before = {send["job_id"] for send in lines(run / "sends.jsonl")}
    first = {one["job_id"]: one for one in lines(run / "events.jsonl")}
    time.sleep(0.5)  # the orphaned embedded API writes what it knows

    done = harness("run", tmp_path / "s.yaml", "--out", run, "--quiet", "--format", "json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    events, sends = lines(run / "events.jsonl"), lines(run / "sends.jsonl")
    conditions = json.loads((run / "run.json").read_text())
    stopped = {cell["cell"]: cell for cell in conditions["stopped_cells"]}
    low = {"direct/low/1024x1024/jpeg", "edge/low/1024x1024/jpeg"}
    assert set(stopped) == low
    assert conditions["status"] == told["status"] == "complete"
    assert all(cell["decisions"][0]["verdict"] == "slower" for cell in stopped.values())
    # No job is lost and none doubled: what was sent and what was left out is the plan.
    assert len(events) == len({one["job_id"] for one in events}) == len(sends)
    assert len(events) + sum(cell["jobs_not_sent"] for cell in stopped.values()) == conditions["planned_jobs"] == 88
    assert told["jobs_not_sent"] == 88 - len(events) > 8
    assert Counter(one["cell"] for one in events if one["cell"] not in low) == {
        "direct/medium/1024x1024/jpeg": 22,
        "twin/medium/1024x1024/jpeg": 22,
    }
    # The decision had fallen before the kill, so nothing more of the pair was sent after it.
    assert {one["job_id"] for one in events if one["cell"] in low} <= before
    assert all(json.dumps(one) == json.dumps(first[one["job_id"]]) for one in events if one["job_id"] in first)
    # The embedded API's own log: every request is one of the journal's, once, and none is of a job that was left out.
    heard = Counter(record["client_request_id"] for record in lines(run / "backend.jsonl"))
    assert max(heard.values()) == 1
    assert set(heard) <= {send["client_request_id"] for send in sends}
    assert "stopped early" in done.stderr

    diagnose_run(run)
    write_report(run)
    summary = json.loads((run / "summary.json").read_text())
    assert summary["run"]["partial"] is False
    assert summary["stopped"]["jobs_not_sent"] == told["jobs_not_sent"]
    page = (run / "report.html").read_text()
    assert "2 of 4 cells had told enough early" in page
    assert page.count('<a href="#stopped">stopped early</a>') == 2
    assert "a little too narrow" in page
