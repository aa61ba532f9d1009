"""Drills on the embedded API, held against its own record; and what is refused before anything is sent."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from harness.drills.model import DrillResult, PolicyResult
from harness.drills.plan import DrillPlan, make_drill
from harness.drills.running import Switches
from harness.drills.session import Options, drill
from harness.drills.switching import Commands, SwitchFailed
from harness.errors import UsageProblem
from harness.plan import make_plan
from harness.policies.read import parse_policies
from harness.scenario import Scenario, load_scenario
from tests.conftest import ROOT, Harness

SCENARIO = """
name: small
why: A small outage.
prompts: [A red apple on a white table]
routes:
  edge: {base_url: "simulator://edge", owner: client_infrastructure}
  backup: {base_url: "simulator://backup", owner: gateway}
simulator: {seed: 3, time_scale: 100, layers: {edge: {}, backup: {adds_s: 4}}}
defaults: {route: edge, quality: low, size: 1024x1024, output_format: jpeg, output_compression: 20}
repeats: 30
load: {rate: 15/1m}
budget: {usd: 5}
"""
OUTAGE = """
policies:
  - {name: nothing}
  - {name: fall back, fallback: {route: backup, on: [error]}}
"""


def given(folder: Path, policies: str, scenario: str = SCENARIO, **asked: Any) -> tuple[Scenario, DrillPlan]:
    path = folder / "small.yaml"
    path.write_text(scenario)
    loaded = load_scenario(path, env={})
    return loaded, make_drill(loaded, make_plan(loaded), parse_policies(policies.encode(), "p.yaml"), **asked)


def drilled(
    folder: Path, policies: str, scenario: str = SCENARIO, switches: Switches | None = None, **asked: Any
) -> DrillResult:
    loaded, wanted = given(folder, policies, scenario, **asked)
    options = Options(folder / "drill", quiet=True, switches=switches or Switches())
    return drill(loaded, make_plan(loaded), wanted, options).result


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def outage(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, PolicyResult]]:
    folder = tmp_path_factory.mktemp("outage")
    result = drilled(folder, OUTAGE)
    return folder / "drill", {one.policy: one for one in result.policies}


def test_without_a_policy_an_outage_is_lost_jobs_and_with_a_fallback_it_is_not(
    outage: tuple[Path, dict[str, PolicyResult]],
) -> None:
    _, found = outage
    nothing, other = found["nothing"], found["fall back"]
    assert nothing.by_phase["broken"].n >= 8
    assert (nothing.by_phase["broken"].share or 0) < 0.4, "who comes while it is being mended may be lucky"
    assert nothing.by_phase["after"].share == 1
    assert sum(nothing.lost.values()) == nothing.success.n - nothing.success.count
    assert (nothing.failover_s, nothing.failover_open) == (None, True)
    assert (other.success.count, other.success.n) == (30, 30)
    assert other.failover_route == "backup"
    assert other.failover_s is not None
    assert other.failover_sent_s is not None
    assert 0 < other.failover_sent_s < other.failover_s
    assert other.recovery_s is not None
    for one in (nothing, other):
        assert one.outage is not None
        assert one.outage.broken_s is not None
        assert one.outage.mended_s is not None
        assert one.outage.mended_s - one.outage.broken_s == pytest.approx(40, rel=0.5), (
            "a third of 30 jobs at 15 a minute"
        )


def test_every_leg_is_in_the_journal_before_and_after_and_what_was_billed_is_what_the_api_made(
    outage: tuple[Path, dict[str, PolicyResult]],
) -> None:
    run, found = outage
    events = {event["job_id"]: event for event in lines(run / "events.jsonl")}
    assert {send["job_id"] for send in lines(run / "sends.jsonl")} == set(events)
    jobs = lines(run / "drills.jsonl")
    assert sorted(leg["job_id"] for job in jobs for leg in job["legs"]) == sorted(events)
    assert len(jobs) == 60
    backend = lines(run / "backend.jsonl")
    ids = [record["client_request_id"] for record in backend]
    assert len(ids) == len(set(ids)) == len(events)
    for record in backend:
        assert bool(record["finished"]) == (record["fault"] is None)
    assert sum(one.billed.images for one in found.values() if one.billed) == sum(one["finished"] for one in backend)
    # What was under way when the edge died was made for nobody, and made again by the backup.
    other = found["fall back"]
    assert other.billed is not None
    orphans = [record for record in backend if record["finished_after_client_left"]]
    assert other.billed.duplicates == other.billed.orphans
    assert sum(one.billed.orphans for one in found.values() if one.billed) == len(orphans)
    assert other.maybe_duplicates >= other.billed.duplicates
    text = (run / "drill.json").read_text() + (run / "drills.jsonl").read_text()
    assert "red apple" not in text
    assert "127.0.0.1" not in text


def test_a_cache_a_preview_stage_a_stream_and_a_layers_cap_are_carried_out(tmp_path: Path) -> None:
    scenario = SCENARIO.replace("edge: {}", "edge: {cap_s: 2, imitates: nginx}")
    policies = """
    load: {concurrency: 1}
    policies:
      - {name: cache, caps: {edge: null}, cache: {}}
      - {name: two stages, caps: {edge: 100s}, two_stage: {first: {quality: low}}}
      - {name: stream, caps: {edge: 100s}, stream: {partial_images: 1}}
      - {name: as it is}
    """
    medium = scenario.replace("quality: low", "quality: medium")
    result = drilled(tmp_path, policies, medium, jobs=3, breaks=False)
    cache, stages, stream, plain = result.policies
    assert (cache.legs, cache.cache_hits, cache.success.count) == (1, 2, 3)
    assert (stages.legs, stages.success.count) == (6, 3)
    assert stages.billed is not None
    assert (stages.billed.images, stages.billed.duplicates) == (6, 0)
    jobs = lines(tmp_path / "drill" / "drills.jsonl")
    for job in jobs:
        if job["policy"] in ("two stages", "stream"):
            assert job["seen_s"] < job["image_s"]
    assert (stream.legs, plain.legs) == (3, 3)
    assert plain.lost == {"cut": 3}, "a cap of 2 s is too low for any image"


def test_the_budget_counts_every_leg_and_stops_a_drill_that_would_go_beyond(tmp_path: Path) -> None:
    policies = "policies: [{name: again, retry: {max: 50, on: [error], pause: 0s}}]"
    scenario = SCENARIO.replace("edge: {}", "edge: {cap_s: 2}").replace("repeats: 30", "repeats: 6")
    result = drilled(tmp_path, policies, scenario, breaks=False, usd=0.08)
    assert result.stopped_by == "budget"
    assert "budget of 0.08 USD reached" in (result.message or "")
    (one,) = result.policies
    assert one.stopped > 0
    assert one.cost_usd is not None
    assert one.cost_usd <= 0.08
    assert one.legs == len(lines(tmp_path / "drill" / "events.jsonl"))


def test_a_break_that_fails_ends_the_drill_and_the_route_is_mended_all_the_same(tmp_path: Path) -> None:
    mended = tmp_path / "mended"
    commands = Commands(
        (sys.executable, "-c", "raise SystemExit(7)"), (sys.executable, "-c", f"open({str(mended)!r}, 'w')")
    )
    with pytest.raises(SwitchFailed, match="ended with exit code 7"):
        drilled(tmp_path, OUTAGE, switches=Switches(commands))
    assert mended.exists()
    told = json.loads((tmp_path / "drill" / "drill.json").read_text())
    assert (told["stopped_by"], len(told["policies"])) == ("switch", 1)
    assert told["policies"][0]["success"]["n"] > 0, "what was measured is kept"


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGHUP], ids=lambda one: one.name)
def test_ctrl_c_or_a_closed_terminal_waits_for_who_is_under_way_and_mends(
    tmp_path: Path, asked: signal.Signals
) -> None:
    scenario, policies, run = tmp_path / "small.yaml", tmp_path / "p.yaml", tmp_path / "drill"
    scenario.write_text(SCENARIO.replace("time_scale: 100", "time_scale: 40"))
    policies.write_text(OUTAGE)
    marks = {name: tmp_path / name for name in ("broken", "mended")}
    switch = {name: f"{sys.executable} -c \"open('{path}', 'w')\"" for name, path in marks.items()}
    command = [sys.executable, "-m", "harness", "drill", scenario, "--policies", policies, "--out", run,
               "--outage", "1h", "--break", switch["broken"], "--mend", switch["mended"],
               "--format", "json"]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    limit = time.monotonic() + 60
    while not marks["broken"].exists():
        assert process.poll() is None
        assert time.monotonic() < limit
        time.sleep(0.05)
    process.send_signal(asked)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert marks["mended"].exists()
    told = json.loads(out)
    assert told["stopped_by"] == "user"
    events = {event["job_id"]: event for event in lines(run / "events.jsonl")}
    assert {send["job_id"] for send in lines(run / "sends.jsonl")} == set(events)
    assert {event["outcome"] for event in events.values()} == {"image"}, "nobody was dropped"


@pytest.mark.parametrize(
    ("asked", "policies", "said"),
    [
        ({"usd": 0.1}, OUTAGE, "cost is at least"),
        ({"only": ["fall bach"]}, OUTAGE, "fall back?"),
        ({"jobs": 1}, OUTAGE, "1 jobs are too few"),
        ({}, "policies: [{name: p, route: egde}]", "has no route egde"),
        ({}, "policies: [{name: p, hedge: {after: 3s, route: other}}]", "hedge.route"),
        ({}, "policies: [{name: p, caps: {proxy: 60s}}]", "proxy is no layer of the embedded API"),
        ({}, "policies: [{name: p, async: {}}]", "route edge answers at once"),
        ({}, "shape: {quality: high}\npolicies: [{name: p}]", "has the shape"),
    ],
)
def test_what_cannot_be_drilled_is_refused_before_anything_is_sent(
    tmp_path: Path, asked: dict[str, Any], policies: str, said: str
) -> None:
    with pytest.raises(UsageProblem, match=re.escape(said)):
        given(tmp_path, policies, **asked)


def test_requests_that_cost_money_need_a_cap_and_a_yes(tmp_path: Path, harness: Harness) -> None:
    real = SCENARIO.replace('"simulator://edge"', "http://127.0.0.1:9/v1").replace("quality: low", "quality: high")
    real = real.replace("time_scale: 100", "time_scale: 1")
    with pytest.raises(UsageProblem, match="has no cap"):
        given(tmp_path, OUTAGE, real.replace("budget: {usd: 5}", ""))
    scenario, policies = tmp_path / "small.yaml", tmp_path / "p.yaml"
    scenario.write_text(real.replace("usd: 5", "usd: 50"))
    policies.write_text(OUTAGE)
    unasked = harness("drill", scenario, "--policies", policies)
    assert unasked.returncode == 2
    assert "is not the embedded API's: say how to break and mend it" in unasked.stderr
    told = harness(
        "drill", scenario, "--policies", policies, "--break", "true", "--mend", "true", "--out", tmp_path / "d"
    )
    assert told.returncode == 2
    assert "nobody is here to be asked; nothing was sent" in told.stderr
    assert not (tmp_path / "d").exists()


def test_a_directory_that_holds_a_run_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "drill").mkdir()
    (tmp_path / "drill" / "run.json").write_text("{}")
    with pytest.raises(UsageProblem, match="give another --out"):
        drilled(tmp_path, OUTAGE)
