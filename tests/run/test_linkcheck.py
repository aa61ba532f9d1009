"""Links of results, looked at again later: kept outside of the run, checked when due, noted in the same journal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.conditions import read_conditions
from harness.events import JobEvent
from harness.frame import load_frame
from harness.journal_lines import iter_events, read_link_checks
from harness.run.linkbook import Kept, LinkBook
from harness.run.linkcheck import check_links
from tests.conftest import Harness
from tests.report.build_run import job, of_events

SCALE = 50
HOUR_S = 3600.0
WORLD = {"time_scale": SCALE, "layers": {"kie": {"speaks": "kie", "link_ttl_s": 7200}}}
SCENARIO = """
name: links
why: How long do links live?
prompts: [A red apple]
routes:
  kie: {{kind: task, base_url: "{base_url}", owner: task_provider, task: {{preset: kie}}}}
link_check: [1h, 23h]
defaults: {{quality: low, size: 1024x1024, output_format: png}}
repeats: 2
load: {{concurrency: 2}}
"""


@dataclass(frozen=True)
class World:
    base_url: str
    run_dir: Path
    run_id: str

    def advance(self, seconds: float) -> None:
        """Move the simulated world's clock, and with it the age of every link there."""
        httpx.post(f"{self.base_url}/sim/clock", json={"advance_s": seconds}).raise_for_status()

    def age(self, seconds: float) -> None:
        """Make what we remember as old."""
        book = LinkBook(self.run_id)
        import msgspec

        book.replace(
            [msgspec.structs.replace(one, fetched_at_s=one.fetched_at_s - seconds / SCALE) for one in book.read()]
        )


@pytest.fixture
def world(tmp_path: Path, harness: Harness) -> Iterator[World]:
    command = [sys.executable, "-m", "harness.simulator", "--world", "-", "--until-stdin-closes"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(WORLD) + "\n")
        process.stdin.flush()
        base_url = json.loads(process.stdout.readline())["entries"]["kie"]
        scenario = tmp_path / "links.yaml"
        scenario.write_text(SCENARIO.format(base_url=base_url))
        run_dir = tmp_path / "run"
        done = harness("run", scenario, "--out", run_dir, "--quiet", "--time-scale", SCALE)
        assert done.returncode == 0, done.stderr
        yield World(base_url, run_dir, json.loads((run_dir / "run.json").read_text())["run_id"])
        process.stdin.close()
        process.wait(10)


def checks(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_link_lives_for_an_hour_and_is_gone_after_a_day(world: World, harness: Harness) -> None:
    early = checks(harness("links", world.run_dir, "--format", "json"))
    assert (early["done"], early["left"]) == ([], 4)
    assert 0 < early["next_in_s"] <= HOUR_S / SCALE

    world.age(HOUR_S)
    first = checks(harness("links", world.run_dir, "--format", "json"))
    assert [(one["alive"], one["same"], one["http_status"], one["due_s"]) for one in first["done"]] == [
        (True, True, 200, HOUR_S)
    ] * 2
    assert first["left"] == 2

    world.advance(3 * HOUR_S)
    world.age(22 * HOUR_S)
    last = checks(harness("links", world.run_dir, "--format", "json"))
    assert [(one["alive"], one["http_status"], one["due_s"]) for one in last["done"]] == [(False, 403, 23 * HOUR_S)] * 2
    assert (last["left"], last["next_in_s"]) == (0, None)
    assert not LinkBook(world.run_id).path.exists()  # nothing is kept that nobody will look at again

    assert [check.alive for check in read_link_checks(world.run_dir / "events.jsonl")] == [True, True, False, False]
    assert checks(harness("links", world.run_dir, "--format", "json"))["done"] == []


def test_a_cron_that_slept_looks_once_and_not_for_every_age_that_passed(world: World, harness: Harness) -> None:
    world.age(30 * HOUR_S)
    found = checks(harness("links", world.run_dir, "--format", "json"))
    assert [one["due_s"] for one in found["done"]] == [23 * HOUR_S] * 2
    assert found["left"] == 0


def test_the_link_itself_is_in_no_file_of_the_run_and_the_book_is_the_users_alone(world: World) -> None:
    book = LinkBook(world.run_id).path
    assert book.stat().st_mode & 0o777 == 0o600
    assert "/files/" in book.read_text()
    assert os.fspath(book).startswith(os.environ["XDG_STATE_HOME"])
    for path in world.run_dir.rglob("*"):
        if path.is_file() and path.name != "backend.jsonl":
            assert b"/files/" not in path.read_bytes(), path


def test_checks_in_the_journal_are_no_jobs_to_anybody(world: World, harness: Harness) -> None:
    world.age(HOUR_S)
    harness("links", world.run_dir)
    assert len((world.run_dir / "events.jsonl").read_text().splitlines()) == 4
    assert sum(isinstance(one, JobEvent) for _, one in iter_events(world.run_dir / "events.jsonl")) == 2
    frame, bad = load_frame(world.run_dir / "events.jsonl")
    assert (len(frame), bad) == (2, [])
    assert harness("diagnose", world.run_dir).returncode == 0
    report = harness("report", world.run_dir)
    assert report.returncode == 0, report.stderr
    assert "2 of 2 later looks found the link alive" in report.stdout
    again = harness(
        "run", world.run_dir.parent / "links.yaml", "--out", world.run_dir, "--quiet", "--time-scale", SCALE
    )
    assert again.returncode == 0, again.stderr  # a run that is whole goes on with nothing
    assert len((world.run_dir / "events.jsonl").read_text().splitlines()) == 4


def test_without_a_run_there_is_nothing_to_check(tmp_path: Path, harness: Harness) -> None:
    done = harness("links", tmp_path)
    assert done.returncode == 2
    assert "no run.json here" in done.stderr


@pytest.mark.usefixtures("world")
def test_links_that_cannot_be_kept_cost_no_event(harness: Harness, tmp_path: Path) -> None:
    state = tmp_path / "state" / "harness"
    state.mkdir(parents=True)
    (state / "links").write_text("in the way")  # the book's folder cannot be made
    env = {"XDG_STATE_HOME": str(state.parent)}
    done = harness("run", tmp_path / "links.yaml", "--out", tmp_path / "r", "--quiet", "--time-scale", SCALE, env=env)
    assert done.returncode == 0, done.stderr
    events = [one for _, one in iter_events(tmp_path / "r" / "events.jsonl") if isinstance(one, JobEvent)]
    assert [one.outcome for one in events] == ["image", "image"]
    assert all("links_not_kept" in one.notes for one in events)


@pytest.mark.parametrize("url", ["https://", "http://" + "a" * 70 + ".example/x", "http://127.0.0.1:99999/x"])
def test_a_link_that_nobody_can_ask_for_is_dead_and_no_crash(tmp_path: Path, url: str) -> None:
    run = of_events([job(1)]).write(tmp_path / "run")
    run_id = read_conditions(run).run_id
    kept = Kept(
        run_id=run_id, job_id="j", route="direct", link=0, url=url, fetched_at_s=0.0, sha256=None, due_s=(10.0,)
    )
    LinkBook(run_id).add([kept])
    (check,) = check_links(run).done
    assert (check.alive, check.ended, check.http_status) == (False, "connect_failed", None)
