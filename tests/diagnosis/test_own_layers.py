"""A layer that nobody else knows: named in a file of the user's own, in the scenario or on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Harness

LAYERS = """
- id: falcon_edge
  product: falcon
  class: reverse_proxy
  title: our own edge
  setting: falcon.patience
  kinds: [first_byte]
  default_s: 60
  signature: {status: [504], body: '^gateway timeout'}
  names_the_layer: true
  first_move: ask the platform team for more patience
  grade: measured
  source: [our own log]
"""
SCENARIO = """
name: own
why: Is our own edge recognised?
prompts: [A red apple]
routes:
  edge: {base_url: "simulator://edge", owner: client_infrastructure}
simulator: {time_scale: 60, layers: {edge: {cap_s: 60}}}
defaults: {quality: high, size: 1024x1024, output_format: png}
repeats: 2
load: {concurrency: 2}
"""


def verdicts(run: Path) -> list[tuple[str, str | None, str | None]]:
    found = [json.loads(line) for line in (run / "verdicts.jsonl").read_text().splitlines()]
    return [(one["grade"], one["product"], one["setting"]) for one in found]


@pytest.mark.parametrize("where", ["scenario", "option"])
def test_an_own_layer_is_recognised(tmp_path: Path, harness: Harness, where: str) -> None:
    (tmp_path / "ours.yaml").write_text(LAYERS)
    scenario = tmp_path / "own.yaml"
    scenario.write_text(SCENARIO + ("layers: [ours.yaml]\n" if where == "scenario" else ""))
    run = tmp_path / "run"
    done = harness("run", scenario, "--out", run, "--quiet")
    assert done.returncode == 0, done.stderr
    (run / "backend.jsonl").unlink()
    options = [] if where == "scenario" else ["--layers", tmp_path / "ours.yaml"]
    done = harness("diagnose", run, *options)
    assert done.returncode == 0, done.stderr
    assert verdicts(run) == [("attributed", "falcon", "falcon.patience")] * 2
    assert harness("packet", run).returncode == 0


def test_a_broken_file_of_layers_is_answered_with_its_line(tmp_path: Path, harness: Harness) -> None:
    bad = tmp_path / "ours.yaml"
    bad.write_text(LAYERS.replace("kinds: [first_byte]", "kinds: [sometimes]"))
    (tmp_path / "events.jsonl").write_text("")
    done = harness("diagnose", "-", "--layers", bad)
    assert done.returncode == 2
    assert "ours.yaml:7:" in done.stderr


def test_a_missing_file_of_layers_is_a_mistake_of_the_scenario(tmp_path: Path, harness: Harness) -> None:
    scenario = tmp_path / "own.yaml"
    scenario.write_text(SCENARIO + "layers: [nowhere.yaml]\n")
    done = harness("plan", scenario)
    assert done.returncode == 2
    assert "`nowhere.yaml` cannot be read" in done.stderr
