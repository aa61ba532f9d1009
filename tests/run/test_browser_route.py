"""The client that users have: real Chromium, what it gives up on, what it paints, and what is said without it."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Harness

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("chromium")]

GIVES_UP = """
name: gives-up
why: Does the page give up on images that are made?
prompts: [A red apple]
routes:
  direct: {base_url: "simulator://", owner: openai, direct: true}
  web: {kind: browser, base_url: "simulator://", owner: client_infrastructure, browser: {abort: 60s}}
simulator: {time_scale: 60, seed: 4}
defaults: {size: 1024x1024, output_format: png, quality: high}
matrix: {route: [web, direct]}
repeats: 3
load: {concurrency: 3}
"""

SIZES = """
name: sizes
why: Does painting take longer for more pixels?
prompts: [A red apple]
routes:
  web: {kind: browser, base_url: "simulator://", owner: client_infrastructure}
simulator: {time_scale: 60, seed: 4}
defaults: {quality: low, output_format: png}
matrix: {size: [1024x1024, 3840x2160]}
repeats: 5
"""

ALONE = GIVES_UP.replace('  direct: {base_url: "simulator://", owner: openai, direct: true}\n', "").replace(
    "[web, direct]", "[web]"
)


def run(tmp_path: Path, harness: Harness, text: str) -> Path:
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(text)
    done = harness("run", scenario, "--out", tmp_path / "run", "--quiet")
    assert done.returncode == 0, done.stderr
    return tmp_path / "run"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_backend_finishes_what_the_page_gave_up_and_that_is_proven(tmp_path: Path, harness: Harness) -> None:
    path = run(tmp_path, harness, GIVES_UP)
    cut = [event for event in lines(path / "events.jsonl") if event["route"] == "web"]
    assert [event["outcome"] for event in cut] == ["cut"] * 3
    for event in cut:
        attempt = event["attempts"][-1]
        assert (attempt["ended"], attempt["cap"], attempt["cap_ms"]) == ("local_cap", "abort", 60_000.0)
        assert attempt["failure"] == ["AbortError"]
        assert event["timeout_layer"] == "browser.abort"
        assert attempt["marks"]["request_sent_at_ms"] is not None
        assert 60_000 <= event["total_ms"] < 75_000
    truth = {record["client_request_id"]: record for record in lines(path / "backend.jsonl")}
    assert all(truth[event["attempts"][-1]["client_request_id"]]["finished_after_client_left"] for event in cut)
    done = harness("diagnose", path, "--format", "json")
    assert done.returncode == 0, done.stderr
    diagnosis = json.loads(done.stdout)
    assert diagnosis["headline"] == "false_timeout"
    assert diagnosis["decision"]["layer"] == "the browser page"
    verdicts = {verdict["job_id"]: verdict for verdict in lines(path / "verdicts.jsonl")}
    mine = [verdicts[event["job_id"]] for event in cut]
    assert {(verdict["verdict"], verdict["grade"], verdict["backend_finished"]) for verdict in mine} == {
        ("false_timeout", "proven", True)
    }


def test_without_the_backends_record_the_same_is_not_proven(tmp_path: Path, harness: Harness) -> None:
    path = run(tmp_path, harness, ALONE)
    (path / "backend.jsonl").unlink()
    harness("diagnose", path)
    verdicts = lines(path / "verdicts.jsonl")
    assert {verdict["grade"] for verdict in verdicts} == {"attributed"}
    assert {verdict["backend_finished"] for verdict in verdicts} == {None}


def test_painting_takes_longer_for_more_pixels(tmp_path: Path, harness: Harness) -> None:
    events = lines(run(tmp_path, harness, SIZES) / "events.jsonl")
    assert {event["outcome"] for event in events} == {"image"}
    render_ms = {
        size: statistics.median(event["render_ms"] for event in events if event["size"] == size)
        for size in ("1024x1024", "3840x2160")
    }
    assert render_ms["3840x2160"] > 1.25 * render_ms["1024x1024"]


def test_without_chromium_the_package_is_named_and_nothing_is_sent(tmp_path: Path, harness: Harness) -> None:
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(GIVES_UP)
    done = harness("run", scenario, "--out", tmp_path / "run", "--quiet", env={"PATH": str(tmp_path)})
    assert done.returncode == 2
    assert "route web is of kind browser, which needs Chromium: install it (apt-get install chromium)" in done.stderr
    assert (tmp_path / "run" / "events.jsonl").read_text() == ""


def test_a_chromium_that_does_not_start_is_a_plain_error(tmp_path: Path, harness: Harness) -> None:
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(GIVES_UP)
    done = harness("run", scenario, "--out", tmp_path / "run", "--quiet", env={"HARNESS_CHROMIUM": "/bin/false"})
    assert done.returncode == 2
    assert "route web: Chromium did not start" in done.stderr
    assert "Traceback" not in done.stderr
