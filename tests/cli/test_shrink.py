"""`harness shrink` end to end on the embedded API, whose own log of requests is the judge."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.cli import cli
from harness.errors import UsageProblem
from harness.packet import extract, verify_packet
from harness.packet.schema import Size
from harness.prices import estimate
from harness.run.lanes import SIMULATOR_KEY
from harness.shrinking.model import Rule, ShrinkRecord, read_record
from harness.shrinking.search import next_step
from harness.simulator.process import spawn

PROMPT = "A cutaway drawing of a lighthouse with seven floors, a keeper on every floor, and three ships"
WORLD: dict[str, Any] = {
    "name": "shrinking",
    "why": "What of these requests makes them fail?",
    "prompts": [{"text": PROMPT, "complexity": "complex"}],
    "routes": {
        # high quality takes about 150 s and is cut; nothing else takes a minute
        "edge": {
            "base_url": "simulator://edge",
            "owner": "client_infrastructure",
            "chain": [{"layer": "edge", "product": "nginx", "kind": "first_byte", "cap_s": 60}],
        },
        # edits know no moderation: the two together are refused, either alone is not
        "straight": {"base_url": "simulator://", "owner": "openai"},
        "flaky": {"base_url": "simulator://flaky", "owner": "gateway"},
    },
    "simulator": {
        "seed": 7,
        "time_scale": 300,
        "profile": "tuning-article",
        "layers": {"edge": {"imitates": "nginx", "cap_s": 60, "cap_kind": ["first_byte", "idle"]}, "flaky": {}},
        "faults": [
            {"fault": "500", "share": 0.9, "quality": "high", "entry": "flaky"},
            {"fault": "500", "share": 0.1, "entry": "flaky"},
        ],
    },
    "defaults": {"size": "1024x1024", "quality": "high"},
    "matrix": {
        "include": [
            {"route": "edge", "reference_images": 1, "output_format": "webp", "output_compression": 70},
            {"route": "straight", "reference_images": 1, "moderation": "low"},
            {"route": "flaky", "moderation": "low"},
        ]
    },
    "retry": {"max_retries": 2, "statuses": ["5xx"], "base_s": 0.1},  # of a run; each would count in no budget
    "timeouts": {"total": 600},
}  # fmt: skip


def call(*words: object) -> None:
    cli.main([str(word) for word in words], standalone_mode=False)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Scenario and diagnosed run."""
    folder = tmp_path_factory.mktemp("shrink")
    file, run = folder / "world.yaml", folder / "run"
    file.write_text(yaml.safe_dump(WORLD))
    call("run", file, "--out", run, "--quiet")
    call("diagnose", run)
    return file, run


@pytest.fixture
def fresh(world: tuple[Path, Path]) -> tuple[Path, Path]:
    """The same without what an earlier search left."""
    for path in world[1].glob("shrink*"):
        path.unlink()
    return world


def job_on(run: Path, route: str) -> str:
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    return next(event["job_id"] for event in events if event["route"] == route)


def received(run: Path) -> list[dict[str, Any]]:
    """Every request that the embedded API had, by its own record. It writes one when the work behind it is over."""
    path = run / "shrink-backend.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def found(run: Path) -> ShrinkRecord:
    record = read_record(run)
    assert record is not None
    return record


def shrink(world: tuple[Path, Path], route: str, *more: object) -> ShrinkRecord:
    file, run = world
    call("shrink", run, "--job", job_on(run, route), "--scenario", file, "--quiet", *more)
    return found(run)


def test_a_false_timeout_that_only_quality_makes_shrinks_to_it(fresh: tuple[Path, Path], tmp_path: Path) -> None:
    record = shrink(fresh, "edge", "--tries", 80)
    assert (record.status, record.confirmed, record.needed) == ("smallest", True, ("quality",))
    assert record.smallest is not None
    assert record.smallest.quality == "high"
    assert set(record.dropped) == {"references", "format", "prompt"}
    assert len(received(fresh[1])) == record.sends == len(record.trials) <= 80
    assert {row["quality"] for row in received(fresh[1])} >= {"high", "medium", "low"}

    call("packet", fresh[1], "--out", tmp_path / "p.zip")
    assert verify_packet(tmp_path / "p.zip").rendered_again
    packet = extract(fresh[1])
    assert packet.verdict == "false_timeout"
    assert packet.reproduction is not None
    assert packet.reproduction.state == "smallest"
    asked = packet.repro_request
    assert (asked.quality, asked.size) == ("high", Size(width=1024, height=1024))
    assert (asked.endpoint, asked.output_format, asked.reference_images) == ("images/generations", None, 0)
    with zipfile.ZipFile(tmp_path / "p.zip") as archive:
        shell, python = archive.read("repro.sh").decode(), archive.read("repro.py").decode()
    for script in (shell, python):
        assert "webp" not in script
        assert "reference" not in script
        assert "lighthouse" not in script
    assert '"prompt": "$prompt", "size": "1024x1024", "quality": "high"}' in shell
    for name, script in (("repro.sh", shell), ("repro.py", python)):
        (tmp_path / name).write_text(script)
    with spawn(WORLD["simulator"]) as api:
        env = {"PATH": os.environ["PATH"], "OPENAI_API_KEY": SIMULATOR_KEY, "OPENAI_BASE_URL": api.entries["edge"]}
        for command in (["bash", "repro.sh"], [sys.executable, "repro.py"]):
            done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
            assert "http_status=504" in done.stdout, done.stderr
    assert shell.count("%{time_") == 6


def test_a_refusal_of_two_parameters_together_shrinks_to_these_two(fresh: tuple[Path, Path]) -> None:
    record = shrink(fresh, "straight", "--tries", 80)
    assert (record.status, record.needed) == ("smallest", ("references", "moderation"))
    assert record.smallest is not None
    assert (record.smallest.quality, record.smallest.size, record.smallest.prompt) == ("low", "1024x1024", "low")
    assert record.target.error_param == "moderation"


def test_a_verdict_that_comes_and_goes_keeps_what_makes_it_come(fresh: tuple[Path, Path]) -> None:
    record = shrink(fresh, "flaky", "--tries", 120, "--repeats", 5)
    assert record.status == "smallest"
    assert record.needed == ("quality",)
    assert sum(trial.shows is True for trial in record.trials if trial.shape.quality != "high") < 8
    assert max(row["upstream_calls"] for row in received(fresh[1])) == 1
    assert len(received(fresh[1])) == record.sends  # our own retries were off


def test_without_a_budget_nothing_is_sent_and_the_next_experiment_is_named(
    fresh: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    file, run = fresh
    call("shrink", run, "--job", job_on(run, "edge"), "--scenario", file)
    said = capsys.readouterr().out
    assert "next: the job's own shape" in said
    assert "nothing was sent" in said
    assert "USD" in said
    assert not list(run.glob("shrink*"))


def test_the_budget_of_tries_is_kept_and_what_was_sent_before_counts(fresh: tuple[Path, Path]) -> None:
    tries = 3
    record = shrink(fresh, "straight", "--tries", tries)
    assert (record.status, record.sends) == ("out_of_budget", tries)
    assert len(received(fresh[1])) == tries
    record = shrink(fresh, "straight", "--tries", tries)
    assert (record.sends, len(received(fresh[1]))) == (tries, tries)
    record = shrink(fresh, "straight", "--tries", tries + 2)
    assert (record.sends, len(received(fresh[1]))) == (tries + 2, tries + 2)


def test_the_budget_of_money_is_kept_by_the_other_sides_count(fresh: tuple[Path, Path]) -> None:
    record = shrink(fresh, "edge", "--usd", 0.9)
    rows = received(fresh[1])
    assert record.status == "out_of_budget"
    assert len(rows) == record.sends >= 3
    most = [estimate("gpt-image-2", row["quality"], row["size"], 1, None, 600, False, row["reference_images"]).upper_usd
            for row in rows]  # fmt: skip
    assert sum(usd or 0.0 for usd in most) <= 0.9 + 0.001 * len(rows)
    assert record.spent_usd <= 0.9
    assert record.smallest is not None


def test_a_budget_too_small_for_one_send_is_refused(fresh: tuple[Path, Path]) -> None:
    with pytest.raises(UsageProblem, match="nothing was sent"):
        shrink(fresh, "edge", "--usd", 0.01)
    assert not list(fresh[1].glob("shrink*"))


def test_another_job_does_not_go_on_with_this_ones_search(fresh: tuple[Path, Path]) -> None:
    shrink(fresh, "straight", "--tries", 1)
    with pytest.raises(UsageProblem, match="another search"):
        shrink(fresh, "edge", "--tries", 9)
    assert found(fresh[1]).sends == 1


def test_killed_in_the_middle_it_goes_on_and_counts_what_was_under_way(fresh: tuple[Path, Path]) -> None:
    file, run = fresh
    job = job_on(run, "straight")
    command = [sys.executable, "-m", "harness", "shrink", run, "--job", job, "--scenario", file, "--tries", "80"]
    process = subprocess.Popen([*map(str, command)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        record = read_record(run)
        if record is not None and record.sends >= 4:
            break
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    left = found(run)
    assert left.status == "running"
    assert left.sends >= 4
    assert next_step(left.original, left.trials, Rule(repeats=3)).best == left.smallest
    assert extract(run).reproduction is not None
    record = shrink(fresh, "straight", "--tries", 80)
    assert (record.status, record.needed) == ("smallest", ("references", "moderation"))
    assert record.trials[: left.sends - 1] == left.trials[:-1]
    assert len(received(run)) <= record.sends <= 80
    assert not list(run.glob("*.tmp"))


def test_no_prompt_and_no_key_stand_in_what_is_written(fresh: tuple[Path, Path]) -> None:
    shrink(fresh, "straight", "--tries", 3)
    for path in fresh[1].glob("shrink*"):
        assert b"lighthouse" not in path.read_bytes()
        assert b"sk-sim" not in path.read_bytes()
