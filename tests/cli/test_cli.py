"""The command line as a user meets it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from harness.cli import VERBS
from harness.errors import EXIT_CODES
from harness.metrics import METRICS
from tests.conftest import ROOT, DemoRun


def test_help_lists_the_verbs_and_the_exit_codes(harness: Any) -> None:
    shown = harness("--help").stdout
    for verb in VERBS:
        assert f"  {verb}" in shown
    for code, meaning in EXIT_CODES.items():
        assert f"{code}  {meaning}" in shown


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str, harness: Any) -> None:
    done = harness(verb, "--help")
    assert done.returncode == 0
    assert "Usage:" in done.stdout


def test_the_reports_help_defines_every_clock(harness: Any) -> None:
    shown = harness("report", "--help").stdout
    for metric in METRICS:
        assert metric.name in shown


def test_a_mistyped_verb_is_answered_with_the_nearest_one(harness: Any) -> None:
    done = harness("diagnoze")
    assert done.returncode == 2
    assert "diagnose" in done.stderr


def test_plan_gives_json_and_opens_no_connection(harness: Any, tmp_path: Path) -> None:
    # A sitecustomize that forbids sockets: the plan has to come about without one.
    (tmp_path / "sitecustomize.py").write_text(
        "import socket\n"
        "def refuse(*a, **k):\n    raise AssertionError('a connection was opened')\n"
        "socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse\n"
    )
    done = harness("plan", "scenarios/tier-selection.yaml", "--format", "json", env={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["planned_jobs"] == 300
    assert plan["over_budget"] is None
    assert plan["cost_usd"] == pytest.approx(100 * (0.006 + 0.053 + 0.211), rel=0.02)


def test_plan_reads_standard_input(harness: Any) -> None:
    text = (ROOT / "scenarios" / "demo.yaml").read_text()
    done = harness("plan", "-", stdin=text)
    assert done.returncode == 0, done.stderr
    assert "jobs in 12 blocks" in done.stdout


def test_a_scenario_with_mistakes_sends_nothing_and_names_every_line(harness: Any, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(
        "name: bad\nwhy: wrong\nmodel: gpt-image2\nprompts: [a]\nrepeat: 3\n"
        "routes:\n  one: {base_url: 'https://api.openai.com/v1', owner: openai, api_key_env: NO_SUCH_VARIABLE_HERE}\n"
        "matrix:\n  size: [1920x1080]\n"
    )
    done = harness("run", bad, "--out", tmp_path / "run")
    assert done.returncode == 2
    for line in (3, 5, 7, 9):
        assert f"bad.yaml:{line}:" in done.stderr
    assert "fix:" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_ping_draws_a_waterfall_and_says_the_price_first(harness: Any) -> None:
    done = harness("ping", "--simulated", "--stream")
    assert done.returncode == 0, done.stderr
    assert "costs nothing" in done.stderr
    assert "DNS" not in done.stdout  # a literal address is not looked up
    for leg in ("TCP", "upload", "wait to first byte", "partial image 0", "download final image", "render"):
        assert leg in done.stdout
    assert " ms" in done.stdout


def test_ping_gives_the_event_as_json(harness: Any) -> None:
    event = json.loads(harness("ping", "--simulated", "--format", "json").stdout)
    assert event["event"] == "image_job"
    assert event["outcome"] == "image"
    assert event["final_image_ms"] == event["attempts"][0]["marks"]["final_image_at_ms"]


def test_ping_without_a_key_says_which_variable_is_missing(harness: Any) -> None:
    done = harness("ping", "--api-key-env", "NO_SUCH_VARIABLE_HERE")
    assert done.returncode == 2
    assert "NO_SUCH_VARIABLE_HERE" in done.stderr


def test_diagnose_reads_events_from_standard_input(harness: Any, demo: DemoRun) -> None:
    text = (demo.path / "events.jsonl").read_text()
    done = harness("diagnose", "-", "--format", "json", stdin=text)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["headline"] == "false_timeout"


def test_a_log_on_standard_input_is_asked_for_its_form_and_nothing_at_all_is_no_job(harness: Any) -> None:
    line = '192.0.2.1 - - [21/Nov/2026:10:00:00 +0000] "POST /v1/images/generations HTTP/1.1" 504 167 "-" "x"\n'
    log = harness("diagnose", "-", stdin=line)
    assert (log.returncode, log.stdout) == (2, "")
    assert "--log-format" in log.stderr
    named = harness("diagnose", "-", "--log-format", "nginx", stdin=line)
    assert "1 records of the proxy" in named.stdout
    empty = harness("diagnose", "-", stdin="")
    assert (empty.returncode, empty.stderr) == (4, "harness: inconclusive: there is no job\n")


def test_a_reader_that_went_away_leaves_a_short_answer_its_exit_code_and_no_complaint(demo: DemoRun) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-m", "harness", "links", str(demo.path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read().decode()
    assert (process.returncode, said) == (0, "")


@pytest.mark.parametrize(("verb", "written"), [("diagnose", "verdicts.jsonl"), ("report", "summary.json.tmp")])
def test_a_run_beside_which_nothing_can_be_written_is_told_and_no_traceback(
    harness: Any, demo: DemoRun, tmp_path: Path, verb: str, written: str
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for name in ("run.json", "events.jsonl"):
        (run / name).write_bytes((demo.path / name).read_bytes())
    (run / written).mkdir()  # root may write everywhere, but not into this
    done = harness(verb, run)
    assert done.returncode == 2
    assert done.stderr.startswith(f"harness: {run / written}: ")
    assert "Traceback" not in done.stderr


def test_a_missed_objective_is_exit_code_3_and_the_report_is_written(harness: Any, demo: DemoRun) -> None:
    done = harness("report", demo.path, "--format", "json")
    states = {objective["text"]: objective["state"] for objective in json.loads(done.stdout)["objectives"]}
    assert done.returncode == 3
    assert states == {
        "p50(final_image_ms){route=direct,quality=low} < 10s": "pass",
        "p50(final_image_ms){route=direct,quality=high} < 250s": "pass",
        "p95(final_image_ms){route=direct,quality=high} < 300s": "inconclusive",
        "error_rate{route=edge} < 10%": "fail",
    }
    assert "objective missed: error_rate{route=edge} < 10%" in done.stderr


def test_an_empty_run_is_inconclusive(harness: Any, demo: DemoRun, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes((demo.path / "run.json").read_bytes())
    (tmp_path / "events.jsonl").write_bytes(b"")
    assert harness("diagnose", tmp_path).returncode == 4


def test_a_folder_that_is_no_run_is_a_usage_error(harness: Any, tmp_path: Path) -> None:
    for verb in ("diagnose", "report", "packet"):
        done = harness(verb, tmp_path)
        assert done.returncode == 2, (verb, done.stderr)
        assert "Traceback" not in done.stderr


def test_simulate_refuses_a_world_that_it_does_not_understand(harness: Any) -> None:
    done = harness("simulate", "-", stdin="layers: {edge: {imitates: nothing}}\n")
    assert done.returncode == 2
    assert "layers" in done.stderr


def test_simulate_refuses_a_profile_that_there_is_not_and_a_log_that_cannot_be_written(
    harness: Any, tmp_path: Path
) -> None:
    done = harness("simulate", "--profile", "nope", "--until-stdin-closes")
    assert (done.returncode, "--profile: no profile 'nope'" in done.stderr) == (2, True), done.stderr
    done = harness("simulate", "--log", tmp_path / "nowhere" / "log", "--port", "0", "--until-stdin-closes")
    assert (done.returncode, "cannot be written" in done.stderr) == (2, True), done.stderr


def test_a_selftest_of_nothing_proves_nothing(harness: Any) -> None:
    done = harness("selftest", "--no-plain", "--no-tls", "--no-keep")
    assert (done.returncode, "nothing to test" in done.stderr) == (2, True), done.stderr


def test_progress_is_plain_lines_when_nobody_watches(harness: Any, tmp_path: Path) -> None:
    done = harness("run", "scenarios/ping.yaml", "--out", tmp_path / "r", env={"OPENAI_API_KEY": ""})
    assert "\x1b[" not in done.stderr
    assert done.returncode == 2


def test_an_interrupt_ends_with_130() -> None:
    command = [sys.executable, "-m", "harness", "ping", "--simulated", "--quality", "high"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(2.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "Traceback" not in err
