"""Runs through the real command line, a real scheduler and real workers;
what was sent is judged by the API's own log."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli import cli
from harness.cluster.session import survey
from harness.errors import UsageProblem
from harness.frame import load_frame
from harness.plan import make_plan
from harness.salt import load_salt, prompt_hash
from harness.scenario import load_scenario
from harness.simulator.process import spawn
from tests.cluster.clusters import Cluster, cluster, lines, wait_until
from tests.conftest import ROOT

SCALE = 40
KEY = "sk-sim-" + "w" * 12  # of the workers alone: the process that begins a run has none
PROMPT = "A red apple on a white table"

SCENARIO = """
name: shared
why: The same jobs from several machines.
prompts: [{prompt}]
routes: {{api: {{base_url: "{base_url}", owner: openai, api_key_env: CLUSTER_TEST_KEY, direct: true}}}}
defaults: {{size: 1024x1024, output_format: jpeg}}
matrix: {{quality: [low, medium]}}
repeats: {repeats}
load: {{concurrency: {concurrency}}}
budget: {{jobs: {jobs}, usd: 100}}
"""


class World:
    """A scheduler, and one embedded API for all workers, with its log."""

    def __init__(self, found: Cluster, base_url: str, log: Path) -> None:
        self.cluster, self.base_url, self.log = found, base_url, log

    def scenario(self, folder: Path, repeats: int = 5, concurrency: int = 4, jobs: int = 1000) -> Path:
        path = folder / "shared.yaml"
        path.write_text(
            SCENARIO.format(prompt=PROMPT, base_url=self.base_url, repeats=repeats, concurrency=concurrency, jobs=jobs)
        )
        return path

    def add(self, name: str, region: str, *, wait: bool = True) -> None:
        self.cluster.add(name, region, env={"CLUSTER_TEST_KEY": KEY}, wait=wait)

    def command(self, *args: object) -> list[str]:
        return ["run", *map(str, args), "--dask", self.cluster.address, "--time-scale", str(SCALE), "--yes"]

    def run(self, *args: object) -> str:
        """Run to the end in this process, which has loaded all libraries already; what it said on stderr."""
        said = CliRunner().invoke(cli, self.command(*args))
        if said.exception is not None:
            raise said.exception
        return said.stderr

    def start(self, *args: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "harness", *self.command(*args)]
        return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def sent(self, run: Path) -> Counter[str]:
        """How often each request of a run came to the API."""
        ours = {attempt["client_request_id"] for event in lines(run / "events.jsonl") for attempt in event["attempts"]}
        return Counter(one["client_request_id"] for one in lines(self.log) if one["client_request_id"] in ours)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    assert "CLUSTER_TEST_KEY" not in os.environ
    folder = tmp_path_factory.mktemp("world")
    with (
        spawn({"seed": 4, "time_scale": SCALE}, log=folder / "api.jsonl") as api,
        cluster(folder / "cluster") as found,
    ):
        world = World(found, api.entries["direct"], folder / "api.jsonl")
        there = {"steady": "eu", "doomed": "eu", "leaving": "us"}
        for name, region in there.items():
            world.add(name, region, wait=False)
        for name in there:
            found.wait_for(name)
        yield world


def wait_for(path: Path, count: int, process: subprocess.Popen[str]) -> None:
    def there() -> bool:
        assert process.poll() is None, process.communicate()
        return len(lines(path)) >= count

    wait_until(there, lambda: path)


def test_every_region_measures_the_whole_scenario_into_one_journal(world: World, tmp_path: Path) -> None:
    scenario, run = world.scenario(tmp_path), tmp_path / "run"
    told = world.run(scenario, "--out", run)
    assert "20 jobs" in told
    assert "regions: eu, us; each measures the whole scenario" in told

    events = lines(run / "events.jsonl")
    assert Counter(one["region"] for one in events) == {"eu": 10, "us": 10}
    assert {(one["region"], one["worker"]) for one in events} == {("eu", "steady"), ("eu", "doomed"), ("us", "leaving")}
    assert {one["outcome"] for one in events} == {"image"}
    assert len({one["job_id"] for one in events}) == len(lines(run / "sends.jsonl")) == 20
    # One machine, one clock: the true offset is 0, and has to lie inside of what is promised.
    assert all(abs(one["clock_offset_ms"]) <= one["clock_offset_error_ms"] < 1000 for one in events)
    # The hash is made here, by this user's salt: other runs of his can be paired with this one.
    assert {one["prompt_hash"] for one in events} == {prompt_hash(PROMPT, load_salt())}
    # Limits are shared: never more under way than the scenario allows, over both workers.
    assert max(one["in_flight"] for one in events) <= 4
    assert set(world.sent(run).values()) == {1}
    assert len(world.sent(run)) == 20

    conditions = json.loads((run / "run.json").read_text())
    assert (conditions["status"], conditions["planned_jobs"], conditions["regions"]) == ("complete", 20, ["eu", "us"])
    workers = [(one["name"], one["region"]) for one in conditions["workers"]]
    assert workers == [("doomed", "eu"), ("leaving", "us"), ("steady", "eu")]
    kept = b"".join(path.read_bytes() for path in run.rglob("*") if path.is_file())
    assert KEY.encode() not in kept
    assert world.cluster.address.encode() not in kept

    # Without the cluster it cannot go on by mistake: those would be other jobs.
    with pytest.raises(UsageProblem, match="was begun with the regions eu, us"):
        world.run(scenario, "--out", run, "--region", "eu")
    alone = CliRunner().invoke(cli, ["run", str(scenario), "--out", str(run)], env={"CLUSTER_TEST_KEY": KEY})
    assert "holds a run measured by the regions eu, us, and this one would be by one place" in str(alone.exception)


RETRIES = """
name: retries
why: Every job is refused, and every retry costs.
prompts: [apple]
routes: {{one: {{base_url: "simulator://", owner: simulator}}}}
simulator: {{time_scale: {scale}, faults: [{{fault: '500'}}]}}
defaults: {{quality: low, size: 1024x1024}}
repeats: 2
load: {{concurrency: 2}}
retry: {{max_retries: 2, base_s: 0.1}}
budget: {{usd: {usd:.4f}}}
"""


def test_retries_of_all_workers_share_one_budget_and_their_apis_records_come_home(world: World, tmp_path: Path) -> None:
    scenario = tmp_path / "retries.yaml"
    scenario.write_text(RETRIES.format(scale=SCALE, usd=100))
    each = make_plan(load_scenario(scenario)).jobs[0].estimate_usd
    assert each is not None
    # Six attempts are wanted, by two workers; the money of all of them together is enough for three.
    for name, usd, attempts in (("rich", 100.0, 6), ("poor", 3.5 * each, 3)):
        scenario.write_text(RETRIES.format(scale=SCALE, usd=usd))
        world.run(scenario, "--out", tmp_path / name, "--region", "eu")
        events = lines(tmp_path / name / "events.jsonl")
        assert {one["worker"] for one in events} == {"steady", "doomed"}
        assert sum(len(one["attempts"]) for one in events) == attempts
        assert {one["outcome"] for one in events} == {"error"}
        # Each worker asked an embedded API of its own.
        assert len(lines(tmp_path / name / "backend.jsonl")) == attempts


def test_a_killed_worker_loses_no_finished_job_and_nothing_is_sent_twice(world: World, tmp_path: Path) -> None:
    scenario, run = world.scenario(tmp_path, repeats=14, jobs=29), tmp_path / "run"
    process = world.start(scenario, "--out", run, "--region", "eu")
    wait_for(run / "events.jsonl", 8, process)
    world.add("second", "eu", wait=False)
    world.cluster.kill("doomed")
    before = {one["job_id"]: one for one in lines(run / "events.jsonl")}
    _, told = process.communicate(timeout=90)
    assert process.returncode == 0, told
    assert "worker doomed (region eu) is lost" in told

    events = lines(run / "events.jsonl")
    assert json.loads((run / "run.json").read_text())["status"] == "complete"
    assert len({one["job_id"] for one in events}) == len(events) == 28
    assert all(one in events for one in before.values())  # what was finished stays as it was
    unknown = [one for one in events if one["outcome"] == "unknown"]
    assert {one["worker"] for one in unknown} <= {"doomed"}
    assert 1 <= len(unknown) <= 4  # what was on its way, no more than can be in flight
    assert f"{len(unknown)} jobs were on their way when their worker was lost" in told
    assert {one["outcome"] for one in events if one not in unknown} == {"image"}
    assert {one["worker"] for one in events} <= {"steady", "doomed", "second"}
    assert max(world.sent(run).values()) == 1

    # Asked for, what nobody saw is sent again, as far as the budget goes, which all share.
    again = world.run(scenario, "--out", run, "--resend-unknown", "--region", "eu")
    sent = sum(world.sent(run).values())
    assert len(lines(run / "sends.jsonl")) == 29 == sent
    assert ("budget of 29 jobs reached" in again) == (len(unknown) > 1)

    # Asked for from the start, the run itself ends with an answer for every job.
    world.cluster.wait_for("second")
    run = tmp_path / "resending"
    process = world.start(scenario, "--out", run, "--region", "eu", "--resend-unknown")
    wait_for(run / "events.jsonl", 8, process)
    world.cluster.kill("second")
    process.communicate(timeout=90)
    jobs, _ = load_frame(run / "events.jsonl")  # of a job that was sent again the later event counts
    unseen = [one["job_id"] for one in lines(run / "events.jsonl") if one["outcome"] == "unknown"]
    assert len(unseen) >= 1
    assert len(jobs) == 28
    assert list(jobs["outcome"]).count("image") >= 28 - len(unseen) + 1  # as far as the budget goes
    assert sum(world.sent(run).values()) <= 29


def test_a_region_without_workers_is_left_and_the_others_go_on(world: World, tmp_path: Path) -> None:
    scenario, run = world.scenario(tmp_path), tmp_path / "run"
    process = world.start(scenario, "--out", run, "--worker-wait", "0.5")
    wait_for(run / "events.jsonl", 2, process)
    world.cluster.kill("leaving")
    _, told = process.communicate(timeout=90)
    assert process.returncode == 0, told
    assert "no worker in region us for 0.5 s" in told
    conditions = json.loads((run / "run.json").read_text())
    assert (conditions["status"], conditions["stopped_by"]) == ("partial", "workers")
    there = lines(run / "events.jsonl")
    assert Counter(one["region"] for one in there)["eu"] == 10
    assert {one["worker"] for one in there if one["outcome"] == "unknown"} <= {"leaving"}

    # A worker of that region comes, and the run goes on: with the regions that began it.
    world.add("replacement", "us")
    world.run(scenario, "--out", run)
    events = lines(run / "events.jsonl")
    assert Counter(one["region"] for one in events) == {"eu": 10, "us": 10}
    assert len({one["job_id"] for one in events}) == 20
    assert max(world.sent(run).values()) == 1


def test_ctrl_c_waits_for_jobs_at_workers_and_twice_drops_them(world: World, tmp_path: Path) -> None:
    scenario, run = world.scenario(tmp_path, repeats=40), tmp_path / "run"
    scenario.write_text(scenario.read_text().replace("[low, medium]", "[high]"))
    process = world.start(scenario, "--out", run, "--region", "eu")
    wait_for(run / "sends.jsonl", 4, process)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    said = process.stderr
    wait_until(lambda: "4 jobs in flight are waited for" in said.readline(), lambda: "no word of stopping")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    events = lines(run / "events.jsonl")
    assert {one["job_id"] for one in events} == {one["job_id"] for one in lines(run / "sends.jsonl")}
    assert len(events) == 4
    assert {one["outcome"] for one in events} == {"cancelled"}


def test_what_cannot_begin_is_said_and_nothing_is_written(world: World, tmp_path: Path) -> None:
    scenario, run = world.scenario(tmp_path), tmp_path / "run"
    with pytest.raises(UsageProblem, match="--region mars: no worker is there; the workers name"):
        world.run(scenario, "--out", run, "--region", "mars")
    with pytest.raises(UsageProblem, match="write the scheduler's address like tcp://scheduler:8786"):
        survey("scheduler:8786", (), None)
    scenario.write_text(
        scenario.read_text() + "early_stop: {after_blocks: 2, interval: {metric: final_image_ms, within: 10%}}\n"
    )
    with pytest.raises(UsageProblem, match="early_stop decides for one place"):
        world.run(scenario, "--out", run)
    assert not run.exists()


def test_a_missing_library_is_said(tmp_path: Path) -> None:
    code = "import sys; sys.modules['distributed'] = None; from harness.__main__ import main; main()"
    args = ["run", "scenarios/demo.yaml", "--out", str(tmp_path / "run"), "--dask", "tcp://127.0.0.1:9"]
    missing = subprocess.run([sys.executable, "-c", code, *args], cwd=ROOT, capture_output=True, text=True, check=False)
    assert missing.returncode == 2, missing.stderr
    assert "pip install -e '.[cluster]'" in missing.stderr
    assert not (tmp_path / "run").exists()
