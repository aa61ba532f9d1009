"""Runs through the real command line: kill and resume, Ctrl-C, budgets, directories that belong to another run."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from harness.frame import load_frame
from tests.conftest import ROOT, Harness

SCENARIO = """
name: small
why: Enough jobs to be interrupted.
prompts: [A red apple on a white table]
routes: {{direct: {{base_url: "simulator://", owner: simulator, direct: true}}}}
simulator: {{seed: 3, time_scale: {scale}}}
defaults: {{size: 1024x1024, output_format: jpeg}}
matrix: {{quality: [low, medium]}}
repeats: {repeats}
load: {{concurrency: 4}}
budget: {{jobs: {jobs}, usd: 100}}
"""


def scenario_file(folder: Path, *, scale: int = 100, repeats: int = 30, jobs: int = 1000) -> Path:
    path = folder / "small.yaml"
    path.write_text(SCENARIO.format(scale=scale, repeats=repeats, jobs=jobs))
    return path


def start(*args: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "harness", *map(str, args)]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def lines(path: Path) -> list[dict[str, Any]]:
    """Whole lines only: a process may be in the middle of one."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


def wait_for_events(run: Path, count: int, process: subprocess.Popen[str]) -> None:
    limit = time.monotonic() + 60
    while len(lines(run / "events.jsonl")) < count:
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        assert time.monotonic() < limit
        time.sleep(0.02)


def end(process: subprocess.Popen[str]) -> tuple[str, str]:
    out, err = process.communicate(timeout=60)
    return out, err


def test_kill_9_and_resume_loses_no_finished_job_and_sends_none_twice(tmp_path: Path, harness: Harness) -> None:
    scenario, run = scenario_file(tmp_path), tmp_path / "run"
    dice = random.Random(5)
    finished_before: dict[str, str] = {}
    for kill in range(3):
        process = start("run", scenario, "--out", run, "--quiet")
        wait_for_events(run, len(finished_before) + dice.randint(3, 12), process)
        process.kill()
        end(process)
        now = {event["job_id"]: json.dumps(event) for event in lines(run / "events.jsonl")}
        assert all(now.get(job) == event for job, event in finished_before.items()), f"lost at kill {kill}"
        finished_before = now
        time.sleep(0.5)  # the orphaned simulator ends and writes what it knows

    process = start("run", scenario, "--out", run, "--quiet")
    _, err = end(process)
    assert process.returncode == 0, err
    events = lines(run / "events.jsonl")
    assert len(events) == 60
    assert all(json.dumps(event) in finished_before.values() for event in events if event["job_id"] in finished_before)
    assert max(Counter(event["job_id"] for event in events).values()) == 1
    # The other side's own record is the judge of what was sent, and how often.
    sent = Counter(record["client_request_id"] for record in lines(run / "backend.jsonl"))
    assert max(sent.values()) == 1
    unknown = [event for event in events if event["outcome"] == "unknown"]
    assert 1 <= len(unknown) <= 12
    assert "were not sent again" in err

    # Asked for, they are sent again, and the later event is the job's outcome.
    assert harness("run", scenario, "--out", run, "--quiet", "--resend-unknown").returncode == 0
    jobs, _ = load_frame(run / "events.jsonl")
    assert len(jobs) == 60
    assert set(jobs["outcome"]) == {"image"}


def test_a_torn_last_line_is_set_aside_and_the_rest_kept(tmp_path: Path, harness) -> None:
    scenario, run = scenario_file(tmp_path, repeats=4, scale=500), tmp_path / "run"
    assert harness("run", scenario, "--out", run, "--quiet").returncode == 0
    whole = (run / "events.jsonl").read_bytes()
    (run / "events.jsonl").write_bytes(whole[:-40])
    again = harness("run", scenario, "--out", run, "--quiet")
    assert again.returncode == 0, again.stderr
    events = lines(run / "events.jsonl")
    assert len(events) == 8
    assert [event["outcome"] for event in events].count("unknown") == 1
    assert "events.jsonl: {" in (run / "torn.txt").read_text()


def test_ctrl_c_once_waits_for_jobs_in_flight_and_ends_partial(tmp_path: Path) -> None:
    scenario, run = scenario_file(tmp_path, scale=50), tmp_path / "run"
    process = start("run", scenario, "--out", run)
    wait_for_events(run, 4, process)
    process.send_signal(signal.SIGINT)
    _, err = end(process)
    assert process.returncode == 130
    assert "kept" in err
    events, sends = lines(run / "events.jsonl"), lines(run / "sends.jsonl")
    assert {event["outcome"] for event in events} == {"image"}
    assert len(events) == len(sends) < 60
    assert json.loads((run / "run.json").read_text())["status"] == "partial"


def test_ctrl_c_twice_drops_what_is_in_flight_and_records_it(tmp_path: Path) -> None:
    scenario, run = scenario_file(tmp_path, scale=2), tmp_path / "run"
    process = start("run", scenario, "--out", run)
    wait_for_sends = time.monotonic() + 30
    while len(lines(run / "sends.jsonl")) < 4:
        assert time.monotonic() < wait_for_sends
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    end(process)
    assert process.returncode == 130
    events, sends = lines(run / "events.jsonl"), lines(run / "sends.jsonl")
    assert {event["job_id"] for event in events} == {send["job_id"] for send in sends}
    assert "cancelled" in {event["outcome"] for event in events}


def test_a_run_over_budget_does_not_start(tmp_path: Path, harness) -> None:
    scenario, run = scenario_file(tmp_path, jobs=10), tmp_path / "run"
    done = harness("run", scenario, "--out", run)
    assert done.returncode == 2
    assert "60 jobs are planned and the budget is 10" in done.stderr
    assert not run.exists()


def test_a_directory_of_another_scenario_is_refused(tmp_path: Path, harness) -> None:
    scenario, run = scenario_file(tmp_path, repeats=1, scale=1000), tmp_path / "run"
    assert harness("run", scenario, "--out", run, "--quiet").returncode == 0
    scenario.write_text(scenario.read_text() + "seed: 9\n")
    done = harness("run", scenario, "--out", run, "--quiet")
    assert done.returncode == 2
    assert "another scenario" in done.stderr


def test_two_runs_cannot_write_into_one_directory(tmp_path: Path, harness) -> None:
    scenario, run = scenario_file(tmp_path, scale=50), tmp_path / "run"
    process = start("run", scenario, "--out", run, "--quiet")
    wait_for_events(run, 1, process)
    second = harness("run", scenario, "--out", run, "--quiet")
    process.send_signal(signal.SIGINT)
    end(process)
    assert second.returncode == 2
    assert "another `harness run`" in second.stderr


def test_a_world_that_runs_faster_than_the_scenario_says_stops_the_run(tmp_path: Path, harness) -> None:
    from harness.simulator.process import spawn

    with spawn({"time_scale": 300}) as sim:
        scenario = tmp_path / "s.yaml"
        scenario.write_text(
            "name: s\nwhy: Wrong scale.\nprompts: [apple]\ndefaults: {quality: low, size: 1024x1024}\n"
            f"routes: {{one: {{base_url: '{sim.entries['direct']}', owner: openai, api_key_env: SIM_KEY}}}}\n"
            "budget: {jobs: 1}\n"
        )
        env = {"SIM_KEY": "sk-sim-" + "x" * 8}
        wrong = harness("run", scenario, "--out", tmp_path / "a", "--quiet", env=env)
        right = harness("run", scenario, "--out", tmp_path / "b", "--quiet", "--time-scale", "300", env=env)
    assert wrong.returncode == 2
    assert "--time-scale 300" in wrong.stderr
    assert right.returncode == 0, right.stderr
    (event,) = lines(tmp_path / "b" / "events.jsonl")
    assert event["time_scale"] == 300
    assert 2_500 < event["final_image_ms"] < 300_000


def test_images_are_kept_only_when_asked_for(tmp_path: Path, harness) -> None:
    scenario = scenario_file(tmp_path, repeats=1, scale=1000)
    assert harness("run", scenario, "--out", tmp_path / "with", "--quiet", "--keep-images").returncode == 0
    assert harness("run", scenario, "--out", tmp_path / "without", "--quiet").returncode == 0
    kept = sorted((tmp_path / "with" / "images").iterdir())
    assert len(kept) == 2
    assert all(path.read_bytes().startswith(b"\xff\xd8") for path in kept)
    assert not (tmp_path / "without" / "images").exists()


def test_prompts_are_recorded_only_when_the_scenario_says_so(tmp_path: Path, harness) -> None:
    scenario = scenario_file(tmp_path, repeats=1, scale=1000)
    assert harness("run", scenario, "--out", tmp_path / "a", "--quiet").returncode == 0
    scenario.write_text(scenario.read_text() + "record_prompts: true\n")
    assert harness("run", scenario, "--out", tmp_path / "b", "--quiet").returncode == 0
    assert b"red apple" not in (tmp_path / "a" / "events.jsonl").read_bytes()
    assert b"A red apple" in (tmp_path / "b" / "events.jsonl").read_bytes()
    hashes = {e["prompt_hash"] for run in "ab" for e in lines(tmp_path / run / "events.jsonl")}
    assert len(hashes) == 1
