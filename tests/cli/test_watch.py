"""`harness watch` and `harness trend` as a user meets them, on the embedded API."""

from __future__ import annotations

import itertools
import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import IO

import pytest
from click.testing import CliRunner

from harness.cli.trend import command as trend
from harness.cli.watch import command
from harness.errors import UsageProblem
from harness.history.store import Store
from tests.conftest import ROOT, Harness
from tests.telling.worlds import receiver

SCENARIO = """
name: small
why: Is it as it was?
prompts: [A red apple on a white table]
routes: {direct: {base_url: "simulator://", owner: simulator, direct: true}}
simulator: {seed: 3, time_scale: 100}
defaults: {size: 1024x1024, output_format: jpeg, quality: low}
matrix: {route: [direct]}
repeats: 6
load: {concurrency: 6}
budget: {jobs: 6, usd: 1}
objectives: ["p50(final_image_ms) < 1s", "max(final_image_ms) < 9s"]
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SCENARIO)
    return path


def start(*args: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "harness", "watch", *map(str, args)]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_for(lines: IO[str] | None, pattern: str) -> re.Match[str]:
    assert lines is not None
    said = []
    for line in lines:
        said.append(line)
        found = re.search(pattern, line)
        if found:
            return found
    raise AssertionError("".join(said))


def test_rounds_make_a_history_alerts_go_out_and_trend_shows_it(
    scenario: Path, tmp_path: Path, harness: Harness
) -> None:
    history = tmp_path / "history"
    with receiver() as (url, got):
        process = start(scenario, "--every", "120s", "--rounds", 3, "--history", history, "--metrics", "0",
                        "--webhook", f"{url}/api/v2/alerts", "--format", "json")  # fmt: skip
        wait_for(process.stderr, r"each round: 6 jobs, about 0\.04 USD at list price; nothing is billed")
        assert not list(history.glob("runs/*")), "what it costs is said first"
        wait_for(process.stderr, "one false alarm in about")
        wait_for(process.stderr, r"not watched: max\(final_image_ms\) < 9s")
        port = wait_for(process.stderr, r"metrics: http://127\.0\.0\.1:(\d+)/metrics")[1]
        for _ in range(2):  # the first round is told to all before the second begins
            wait_for(process.stdout, '"unreadable"')
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            scraped = answer.read().decode()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert 'harness_rounds_total{status="complete"}' in scraped
    assert 'harness_jobs_total{outcome="image",route="direct"}' in scraped
    rounds = Store(history).rounds()
    assert [(one.status, one.jobs) for one in rounds] == [("complete", 6)] * 3
    assert all(later.began_s >= sooner.ended_s for sooner, later in itertools.pairwise(rounds))
    # 12 jobs after two rounds are enough for a p50, and two judgements in a row for an alert.
    assert [json.loads(body)[0]["labels"]["alertname"] for _, _, body in got] == ["ImageLatency"]
    assert "FIRING   ImageLatency p50(final_image_ms) < 1s" in err
    shown = harness("trend", history)
    assert shown.returncode == 0, shown.stderr
    assert "3 complete" in shown.stdout
    found = json.loads(harness("trend", history, "--format", "json", "--no-page").stdout)
    (cell,) = found["cells"]
    assert (cell["jobs"], cell["success"]["value"], found["jobs"]) == (18, 1.0, 18)
    page = (history / "trend.html").read_text()
    assert "p50(final_image_ms) &lt; 1s" in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")


def test_killed_it_goes_on_and_takes_in_what_the_dead_one_had_measured(
    scenario: Path, tmp_path: Path, harness: Harness
) -> None:
    history = tmp_path / "history"
    scenario.write_text(SCENARIO.replace("concurrency: 6", "concurrency: 1").replace("100}", "10}"))
    process = start(scenario, "--every", "1h", "--history", history)
    limit = time.monotonic() + 60
    while not any(path.stat().st_size for path in history.glob("runs/*/events.jsonl")):
        assert time.monotonic() < limit
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    scenario.write_text(SCENARIO)
    again = harness("watch", scenario, "--once", "--history", history)
    assert again.returncode == 0, again.stderr
    assert "the process that ran it died" in again.stderr
    assert "another version" in again.stderr
    dead, new = Store(history).rounds()
    assert (dead.status, new.status) == ("interrupted", "complete")
    assert 1 <= dead.jobs < 6
    assert dead.spent_usd > 0


def test_asked_to_end_between_rounds_it_ends_at_once_and_keeps_everything(scenario: Path, tmp_path: Path) -> None:
    process = start(scenario, "--every", "1h", "--history", tmp_path / "h")
    wait_for(process.stdout, "complete")
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "the same command goes on" in err
    assert len(Store(tmp_path / "h").rounds()) == 1


def test_a_round_that_fails_is_recorded_and_the_watch_goes_on(scenario: Path, tmp_path: Path, harness: Harness) -> None:
    # The first run meets a folder that it cannot write into; the next one does not.
    history = tmp_path / "h"
    history.mkdir()
    (history / "runs").write_text("in the way")
    process = start(scenario, "--every", "150s", "--rounds", 2, "--history", history)
    wait_for(process.stdout, "failed")
    (history / "runs").unlink()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert [one.status for one in Store(history).rounds()] == ["failed", "complete"], out
    assert "1 failed, 1 complete" in harness("trend", history, "--no-page").stdout


def test_once_says_by_its_exit_code_that_its_round_failed(scenario: Path, tmp_path: Path, harness: Harness) -> None:
    (tmp_path / "h").mkdir()
    (tmp_path / "h" / "runs").write_text("in the way")
    done = harness("watch", scenario, "--once", "--history", tmp_path / "h")
    assert done.returncode == 1, done.stderr
    assert "no round was run: " in done.stderr
    assert [one.status for one in Store(tmp_path / "h").rounds()] == ["failed"]


LINKS = """
name: links
why: How long do links live?
prompts: [A red apple]
routes: {{kie: {{kind: task, base_url: "{base_url}", owner: task_provider, task: {{preset: kie}}}}}}
link_check: [60s]
defaults: {{quality: low, size: 1024x1024, output_format: png}}
repeats: 2
load: {{concurrency: 2}}
budget: {{usd: 1, jobs: 2}}
"""


def test_links_of_earlier_rounds_are_looked_at_between_rounds(tmp_path: Path, harness: Harness) -> None:
    world = {"time_scale": 50, "layers": {"kie": {"speaks": "kie", "link_ttl_s": 30}}}
    command = [sys.executable, "-m", "harness.simulator", "--world", "-", "--until-stdin-closes"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(world) + "\n")
        process.stdin.flush()
        scenario = tmp_path / "links.yaml"
        scenario.write_text(LINKS.format(base_url=json.loads(process.stdout.readline())["entries"]["kie"]))
        done = harness(
            "watch", scenario, "--every", "100s", "--rounds", 2, "--time-scale", 50, "--history", tmp_path / "h"
        )
    assert done.returncode == 0, done.stderr
    links = Store(tmp_path / "h").links()
    assert len(links) >= 2
    assert set(links["route"]) == {"kie"}
    assert not links["alive"].any(), "they lived for half a minute and were looked at after one"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--every", "soon"], "--every"),
        (["--every", "1s"], "less than a second"),
        (["--metrics", "host"], "--metrics"),
        (["--webhook-token-env", "X"], "goes with --webhook"),
        (["--webhook", "127.0.0.1"], "--webhook"),
        (["--otlp", "nowhere"], "--otlp"),
        (["--usd-per-day", "0.001"], "--usd-per-day"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_begun(scenario: Path, tmp_path: Path, args: list[str], said: str) -> None:
    done = CliRunner().invoke(command, [str(scenario), "--history", str(tmp_path / "h"), *args])
    assert isinstance(done.exception, UsageProblem)
    assert said in str(done.exception)
    assert not (tmp_path / "h").exists()


def test_rounds_that_cost_money_want_a_cap_and_somebody_who_says_yes(tmp_path: Path) -> None:
    paid = tmp_path / "paid.yaml"
    text = SCENARIO.replace("simulator://", "http://127.0.0.1:9/v1").replace("owner: simulator", "owner: openai")
    paid.write_text(text.replace("simulator: {seed: 3, time_scale: 100}", ""))
    for args, said in ((["--rounds", "2", "--confirm-above", "0"], "--yes"), ([], "--usd-per-day")):
        done = CliRunner().invoke(command, [str(paid), "--history", str(tmp_path / "h"), *args])
        assert isinstance(done.exception, UsageProblem)
        assert said in str(done.exception)
    assert not list((tmp_path / "h").glob("runs/*"))


def test_trend_of_something_else_says_what_to_give(tmp_path: Path) -> None:
    done = CliRunner().invoke(trend, [str(tmp_path)])
    assert isinstance(done.exception, UsageProblem)
    assert "watch.json" in str(done.exception)
