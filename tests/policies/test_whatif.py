"""`harness whatif`: the retry storm as it is published, and what is printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.whatif import command
from harness.policies import read_policies
from harness.policies.build import build_world
from harness.policies.text import printed
from harness.policies.whatif import what_if
from tests.conftest import ROOT
from tests.report.build_run import job, of_events

STORM = ROOT / "scenarios" / "policies" / "retry-storm.yaml"
PROFILE = "tuning-article"


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(command, list(arguments))
    return done.exit_code, done.output


def test_the_retry_storm_and_its_ways_out() -> None:
    file = read_policies(STORM)
    world = build_world(file, profile=PROFILE)
    found = {one.policy: one for one in what_if(file, world, replications=8).policies}
    storm, bounded = found["storm"], found["bounded"]
    # High quality takes 145 s at the least, so that nothing comes within 60 s, and every retry is one more order.
    assert storm.success_share.value == bounded.success_share.value == 0.0
    assert storm.sent.value is not None
    assert storm.sent.value > 3.5
    assert storm.refused.value is not None
    assert storm.refused.value > 1.5
    assert storm.usd_per_image.value is None
    assert bounded.sent.value == pytest.approx(1.0, abs=0.11)
    assert bounded.duplicates.value == 0.0
    # A longer timeout alone moves the cut to the proxy; the proxy's cap moved as well, everything arrives.
    assert found["patient client"].end_shares["cut"] > 0.95
    for way_out in ("wider proxy", "streaming kept alive", "async"):
        assert found[way_out].success_share.value == pytest.approx(1.0, abs=0.02)
        assert found[way_out].final_p50_s.value == pytest.approx(195, rel=0.03)
        assert found[way_out].duplicates.value == 0.0
    alive = found["streaming kept alive"]
    assert alive.seen_p50_s.value == pytest.approx(9, rel=0.1)
    assert alive.usd_per_image.value == pytest.approx(0.211 + 2 * 0.003, rel=0.01)  # two previews of 100 tokens


def test_without_a_limit_every_job_of_the_storm_is_billed_four_times() -> None:
    file = read_policies(STORM)
    file = file.model_copy(update={"limits": type(file.limits)(), "policies": file.policies[:1]})
    (storm,) = what_if(file, build_world(file, profile=PROFILE), replications=4).policies
    assert storm.usd_per_job.value == pytest.approx(4 * 0.2107, rel=0.001)
    assert (storm.duplicates.value, storm.orphans.value) == (3.0, 4.0)


def test_the_table_in_the_docs_is_what_the_command_prints_today() -> None:
    file = read_policies(STORM)
    few = [one for one in file.policies if one.name in ("storm", "streaming kept alive")]  # each is drawn by itself
    some = file.model_copy(update={"policies": few})
    output = printed(what_if(some, build_world(file, profile=PROFILE)), markdown=True)
    page = (ROOT / "docs" / "whatif.md").read_text(encoding="utf-8")
    rows = [line for line in output.splitlines() if line.startswith("| ")]
    assert len(rows) == 4
    for row in rows:
        assert row in page


def test_text_says_what_it_rests_on_and_json_has_every_figure(tmp_path: Path) -> None:
    run_dir = of_events([job(n, seconds=20 + n, block=n) for n in range(20)]).write(tmp_path / "run")
    policies = tmp_path / "p.yaml"
    policies.write_text(
        "load: {concurrency: 2, jobs: 50}\npolicies:\n  - {name: plain}\n  - {name: cut, timeout: 30s}\n"
    )
    code, text = run(str(run_dir), str(policies), "--replications", "8")
    assert code == 0
    assert "times: run run-0302" in text
    assert "load: 2 at a time, 50 jobs a replication; limits of each route: none; seed 0" in text
    assert "cut: without an image" in text
    assert "jobs a second" in text
    code, raw = run(str(run_dir), str(policies), "--replications", "8", "--format", "json", "--jobs", "20")
    found = json.loads(raw)
    assert code == 0
    assert [one["policy"] for one in found["policies"]] == ["plain", "cut"]
    assert found["policies"][0]["success_share"]["value"] == 1.0
    assert found["policies"][0]["jobs"] == 16 * 20


def test_a_row_that_rests_on_the_tail_rule_is_marked(tmp_path: Path) -> None:
    from tests.policies.test_measured import local_cut

    half = [job(n, seconds=20 + n, block=n) for n in range(12)] + [local_cut(50 + n, 40, block=n) for n in range(12)]
    run_dir = of_events(half).write(tmp_path / "run")
    policies = tmp_path / "p.yaml"
    policies.write_text("load: {concurrency: 2, jobs: 50}\npolicies: [{name: plain}]\n")
    _, text = run(str(run_dir), str(policies), "--replications", "8")
    assert "\nplain ~ " in text
    assert "of generations lie beyond what was measured: rests on a rule, not on measurement" in text


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((str(STORM),), 2, "give a RUN, or --profile"),
        ((str(STORM), "--profile", "tuning"), 2, "there is no latency profile tuning; write tuning-article"),
        (("none", str(STORM)), 2, "no run.json here"),
        ((str(STORM), str(STORM)), 2, "no run.json here"),
        (("a", "b", "c"), 2, "give a RUN and one file of policies"),
    ],
)
def test_what_cannot_be_simulated_is_said(arguments: tuple[str, ...], code: int, said: str) -> None:
    done = CliRunner().invoke(command, list(arguments))
    error = done.exception
    assert getattr(error, "exit_code", done.exit_code) == code
    assert said in (done.output if isinstance(error, SystemExit) else str(error))
