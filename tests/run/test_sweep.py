"""Sweeps through the real command line, on embedded APIs whose limits are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from harness.cli.sweep import command as sweep
from harness.errors import Interrupted
from harness.sweeping.model import SweepRecord
from tests.conftest import ROOT, Harness
from tests.run.test_session import lines, start, wait_for_events

SCENARIO = """
name: swept
why: How many at a time?
prompts: [A red apple on a white table]
routes: {{account: {{base_url: "simulator://account", owner: openai}}}}
simulator: {{seed: 3, time_scale: 100, layers: {{account: {{{limit}}}}}}}
defaults: {{size: 1024x1024, output_format: jpeg, quality: low}}
budget: {{usd: {usd}}}
"""


def swept(harness: Harness, folder: Path, limit: str, *args: object, usd: float = 5, code: int = 0) -> dict[str, Any]:
    path = folder / "swept.yaml"
    path.write_text(SCENARIO.format(limit=limit, usd=usd))
    done = harness("sweep", path, "--out", folder / "run", "--quiet", "--format", "json", *args)
    assert done.returncode == code, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)["sweep"]
    return found


def test_a_limit_of_four_at_a_time_is_found_to_be_four(tmp_path: Path, harness: Harness) -> None:
    record = swept(harness, tmp_path, "concurrency_limit: 4", "--rest", "1s")
    found = record["found"]
    assert (found["level"], found["level_low"], found["level_high"]) == (4, 4, 4)
    assert (found["refused_by"], found["stated_limit"]) == ("concurrent", 4)
    assert record["configure"]["in_flight"] == 4
    # By the API's own record: what the trials say was refused is what it refused, and nothing was sent twice.
    truth = lines(tmp_path / "run" / "backend.jsonl")
    assert sum(one["status"] == 429 for one in truth) == sum(trial["refused"] for trial in record["trials"])
    assert len({one["client_request_id"] for one in truth}) == len(truth) == sum(t["jobs"] for t in record["trials"])


def test_a_limit_of_a_minute_is_named_as_such_and_lies_in_its_interval(tmp_path: Path, harness: Harness) -> None:
    record = swept(harness, tmp_path, "images_per_minute: 5", "--most", "4", "--rest", "61s")
    found = record["found"]
    assert found["refused_by"] == "per_minute"
    assert found["images_per_minute_low"] <= 5 <= found["images_per_minute_high"]
    if record["configure"] is not None:
        assert record["configure"]["images_per_minute"] <= 5


def test_a_route_that_no_cell_is_on_cannot_be_swept(tmp_path: Path, harness: Harness) -> None:
    path = tmp_path / "swept.yaml"
    text = SCENARIO.format(limit="concurrency_limit: 4", usd=1) + "matrix: {route: [account]}\n"
    path.write_text(text.replace("openai}}", 'openai}, spare: {base_url: "simulator://", owner: openai}}'))
    done = harness("sweep", path, "--route", "spare", "--out", tmp_path / "run")
    assert (done.returncode, "no cell of swept.yaml is on that route" in done.stderr) == (2, True), done.stderr


def test_a_sweep_and_a_run_do_not_go_on_with_each_other(tmp_path: Path, harness: Harness) -> None:
    path = tmp_path / "swept.yaml"
    path.write_text(SCENARIO.format(limit="concurrency_limit: 4", usd=5) + "repeats: 2\n")
    small = ("--most", "2", "--jobs", "1", "--confirm", "1", "--rest", "1s", "--quiet")
    assert harness("run", path, "--out", tmp_path / "run", "--quiet").returncode == 0
    assert harness("sweep", path, "--out", tmp_path / "sweep", *small).returncode == 0
    for verb, there, options in (("run", "sweep", ("--quiet",)), ("sweep", "run", small)):
        before = (tmp_path / there / "events.jsonl").read_bytes(), (tmp_path / there / "run.json").read_bytes()
        done = harness(verb, path, "--out", tmp_path / there, *options)
        assert (done.returncode, "something else" in done.stderr) == (2, True), done.stderr
        assert (
            (tmp_path / there / "events.jsonl").read_bytes(),
            (tmp_path / there / "run.json").read_bytes(),
        ) == before


def test_a_route_that_fails_in_other_ways_ends_the_search_and_no_level_is_named(
    tmp_path: Path, harness: Harness
) -> None:
    path = tmp_path / "swept.yaml"
    text = SCENARIO.format(limit="concurrency_limit: 4", usd=5)
    path.write_text(text.replace("seed: 3,", "seed: 3, faults: [{fault: content_filter}],"))
    done = harness("sweep", path, "--out", tmp_path / "run", "--quiet", "--rest", "1s", "--most", "2")
    assert done.returncode == 4, done.stderr
    assert "stopped by failures" in done.stderr
    assert "configure" not in done.stdout
    assert len(lines(tmp_path / "run" / "sends.jsonl")) == 6


def test_a_budget_stops_the_search_and_what_is_known_is_said(tmp_path: Path, harness: Harness) -> None:
    record = swept(harness, tmp_path, "concurrency_limit: 2", "--rest", "1s", "--most", "4", usd=0.05, code=4)
    assert (record["status"], record["stopped_by"]) == ("stopped", "budget")
    truth = lines(tmp_path / "run" / "backend.jsonl")
    assert 0 < len(truth) * 0.006 <= 0.05 + 0.006
    more = swept(harness, tmp_path, "concurrency_limit: 2", "--rest", "1s", "--most", "4", "--usd", "5", usd=0.05)
    assert (more["status"], more["found"]["level"]) == ("complete", 2)
    sent = [one["client_request_id"] for one in lines(tmp_path / "run" / "backend.jsonl")]
    assert len(sent) == len(set(sent)) > len(truth)


def test_a_killed_sweep_goes_on_and_sends_no_job_twice(tmp_path: Path, harness: Harness) -> None:
    path = tmp_path / "swept.yaml"
    path.write_text(SCENARIO.format(limit="concurrency_limit: 3", usd=5))
    process = start("sweep", path, "--out", tmp_path / "run", "--rest", "1s", "--quiet")
    wait_for_events(tmp_path / "run", 8, process)
    process.kill()
    process.communicate(timeout=30)
    other = harness("sweep", path, "--out", tmp_path / "run", "--rest", "2s", "--quiet")
    assert other.returncode == 2
    assert "with other rules" in other.stderr
    record = swept(harness, tmp_path, "concurrency_limit: 3", "--rest", "1s")
    assert record["found"]["level"] == 3
    truth = [one["client_request_id"] for one in lines(tmp_path / "run" / "backend.jsonl")]
    assert len(truth) == len(set(truth))


def test_a_paid_sweep_asks_first_and_sends_nothing_where_nobody_is_there(tmp_path: Path, harness: Harness) -> None:
    path = tmp_path / "paid.yaml"
    path.write_text(
        SCENARIO.format(limit="", usd=5)
        .replace("simulator://account", "http://127.0.0.1:9/v1")
        .replace("time_scale: 100, layers: {account: {}}", "time_scale: 1")
        .replace("simulator: {seed: 3, time_scale: 1}\n", "")
    )
    done = harness("sweep", path, "--out", tmp_path / "run")
    assert done.returncode == 2
    assert "nobody is here to be asked; nothing was sent" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_sweep_that_the_user_stopped_ends_with_130_like_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(_scenario: object, _plan: object, fresh: SweepRecord, *_: object) -> tuple[Path, SweepRecord]:
        return tmp_path, msgspec.structs.replace(fresh, status="stopped", stopped_by="user")

    monkeypatch.setattr("harness.run.sweep.run_sweep", stopped)
    done = CliRunner().invoke(sweep, [str(ROOT / "scenarios" / "sweep.yaml"), "--quiet"])
    assert isinstance(done.exception, Interrupted)
    assert f"--out {tmp_path} to go on" in str(done.exception)
