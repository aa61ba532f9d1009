"""At which hop does it go wrong? Walks with a known answer, made of plain events and of the embedded API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.diagnosis.hops import Walk, walk
from harness.diagnosis.hops_text import lines
from tests.conftest import Harness

ORDER = ("edge", "gateway", "direct")


def row(route: str, block: int, took_ms: float | None, **changes: Any) -> dict[str, Any]:
    return {
        "route": route,
        "cell": f"{route}/high/1024x1024",
        "block": block,
        "outcome": "image" if took_ms is not None else "error",
        "http_status": 200.0 if took_ms is not None else 504.0,
        "delivered_ms": took_ms,
        "final_image_ms": took_ms,
        "total_ms": took_ms,
        **changes,
    }


def walked(*rows: dict[str, Any]) -> Walk:
    return walk(pd.DataFrame(rows).astype({"delivered_ms": float, "final_image_ms": float, "total_ms": float}), ORDER)


def blocks(edge_ms: float, gateway_ms: float, direct_ms: float, count: int = 12) -> list[dict[str, Any]]:
    """Every block has its own speed, which all hops share, and a little noise of their own."""
    dice = np.random.default_rng(1)
    made = []
    for block in range(count):
        shared = dice.normal(0, 20_000)
        for route, took in zip(ORDER, (edge_ms, gateway_ms, direct_ms), strict=True):
            made.append(row(route, block, took + shared + dice.normal(0, 300)))
    return made


def test_a_delay_is_found_where_it_is_though_blocks_differ_by_far_more() -> None:
    found = walked(*blocks(205_000, 204_900, 180_000))
    assert [(step.outer, step.delays) for step in found.steps] == [("edge", False), ("gateway", True)]
    assert found.steps[1].adds_ms == pytest.approx(24_900, abs=500)
    assert found.verdict == (f"delay appears between gateway and direct: {found.steps[1].adds_ms / 1000:.1f} s",)


def test_without_a_delay_the_time_is_the_innermost_hops() -> None:
    found = walked(*blocks(180_000, 180_000, 180_000))
    assert not any(step.delays or step.fails for step in found.steps)
    assert found.verdict == ("no hop is shown to add delay or failure: the time is that of the innermost one",)


def test_a_hop_that_cuts_is_where_failure_appears() -> None:
    made = [one for one in blocks(0, 181_000, 180_000) if one["route"] != "edge"]
    cut = [row("edge", block, None, total_ms=60_000.0) for block in range(12)]
    found = walked(*made, *cut)
    assert found.steps[0].fails
    assert (found.steps[0].failed_only_outside, found.steps[0].failed_only_inside) == (12, 0)
    assert found.steps[0].p_value == pytest.approx(0.5**12)  # McNemar's exact test by hand
    assert "failure appears between edge and gateway" in found.verdict[0]
    # A cut before the inner hop was done says nothing of who is slower.
    assert found.steps[0].pairs == 0
    assert found.steps[0].adds_ms is None


def test_a_cut_after_the_inner_hop_was_done_is_a_delay_without_an_end() -> None:
    made = [one for one in blocks(0, 20_000, 20_000, 12) if one["route"] != "edge"]
    made = [{**one, **dict.fromkeys(("delivered_ms", "final_image_ms", "total_ms"), 20000.0)} for one in made]
    cut = [row("edge", block, None, outcome="cut", total_ms=60_000.0) for block in range(12)]
    step = walked(*made, *cut).steps[0]
    assert (step.pairs, step.adds_ms) == (12, None)


def test_a_refusal_is_a_failure_and_no_time() -> None:
    refused = [row("edge", block, None, http_status=400.0, total_ms=200.0) for block in range(12)]
    found = walked(*[one for one in blocks(0, 180_000, 180_000) if one["route"] != "edge"], *refused)
    assert found.hops[0].median_ms is None
    assert found.steps[0].pairs == 0
    assert found.steps[0].fails


def test_too_few_blocks_say_so() -> None:
    found = walked(*blocks(300_000, 200_000, 180_000, count=3))
    assert not any(step.delays for step in found.steps)
    assert found.verdict == ("not enough blocks to say at which hop delay or failure appears: give more --blocks",)


def test_when_everything_fails_inside_the_outer_hops_are_not_to_blame() -> None:
    failed = [row(route, block, None, http_status=500.0, total_ms=1000.0) for block in range(8) for route in ORDER]
    assert walked(*failed).verdict == (
        "everything fails at the innermost hop, direct: what lies outside of it is not to blame",
    )


def test_the_text_has_a_line_for_each_hop_and_each_step() -> None:
    text = list(lines(walked(*blocks(205_000, 204_900, 180_000))))
    assert [line.split()[0] for line in text] == ["hop", "edge", "adds", "gateway", "adds", "direct", "delay"]


SCENARIO = """
name: walk
why: At which hop does it go wrong?
prompts: [A red apple]
routes:
  edge: {base_url: "simulator://edge", owner: client_infrastructure, hops: [gateway, direct]}
  gateway: {kind: compatible, base_url: "simulator://gateway", owner: gateway}
  direct: {base_url: "simulator://", owner: openai, direct: true}
simulator:
  time_scale: 100
  layers: {edge: {imitates: nginx, cap_s: 60}, gateway: {adds_s: 90}}
defaults: {route: edge, quality: high, size: 1024x1024, output_format: png}
"""


def test_the_verb_sends_interleaved_blocks_and_finds_both_faults(tmp_path: Path, harness: Harness) -> None:
    scenario = tmp_path / "walk.yaml"
    scenario.write_text(SCENARIO)
    done = harness(
        "hops", scenario, "edge", "--blocks", 10, "--concurrency", 3, "--out", tmp_path / "run", "--format", "json"
    )
    assert done.returncode == 0, done.stderr
    assert "edge: 10 blocks at 3 hops" in done.stderr
    assert "cost: about" in done.stderr
    found = json.loads(done.stdout)
    assert found == json.loads((tmp_path / "run" / "hops.json").read_text())
    assert [step["fails"] for step in found["steps"]] == [True, False]
    assert [step["delays"] for step in found["steps"]] == [False, True]
    events = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    assert len(events) == 30
    for block in range(1, 11):
        assert {event["route"] for event in events if event["block"] == block} == set(ORDER)


@pytest.mark.parametrize(
    ("route", "options", "message"),
    [
        ("edg", [], "there is no route edg; write edge"),
        ("direct", [], "route direct lists no hops; edge has; add `hops: [edge, gateway, direct]`"),
        ("edge", ["--cell", "edge/low"], "route edge has no cell edge/low; its cells: edge/high/1024x1024/png"),
    ],
)
def test_what_cannot_be_walked_is_a_usage_error(
    tmp_path: Path, harness: Harness, route: str, options: list[str], message: str
) -> None:
    scenario = tmp_path / "walk.yaml"
    scenario.write_text(SCENARIO)
    done = harness("hops", scenario, route, *options)
    assert done.returncode == 2
    assert message in done.stderr
