"""The block `early_stop` of a scenario: what it means, and every mistake on its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.scenario.early_stop import watched

from .build import GOOD, load, only_problem

BASE = (
    GOOD.replace("routes:\n", 'routes:\n  edge: {base_url: "simulator://edge", owner: openai}\n')
    + "simulator: {layers: {edge: {}}}\nrepeats: 20\n"
    + "matrix: {route: [direct, edge], quality: [low, medium], format: [png, jpeg]}\n"
)
RULE = "early_stop: {interval: {within: 10%}}\n"


def test_shares_are_read_as_percentages_and_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    scenario = load(tmp_path, BASE + "early_stop: {interval: {within: 10%}, confidence: 90%}\n")
    assert scenario.early_stop is not None
    rules = scenario.early_stop.conditions(scenario.cells())
    assert (rules.confidence, rules.after_blocks, rules.intervals) == (pytest.approx(0.9), 5, 8)
    assert rules.interval is not None
    assert (rules.interval.metric, rules.interval.statistic, rules.interval.within) == ("final_image_ms", "p50", 0.1)


def test_cells_are_compared_that_agree_on_every_field_that_no_selector_names(tmp_path: Path) -> None:
    text = BASE + "early_stop: {compare: [{a: {route: direct, quality: low}, b: {route: edge, quality: low}}]}\n"
    scenario = load(tmp_path, text)
    assert scenario.early_stop is not None
    found = watched(scenario.early_stop, scenario.cells())
    assert [(one.a, one.b, one.limit) for one in found] == [
        ("direct/low/1024x1024/png", "edge/low/1024x1024/png", 0.05),
        ("direct/low/1024x1024/jpeg", "edge/low/1024x1024/jpeg", 0.05),
    ]


def test_every_cell_and_every_pair_has_its_share_of_what_may_go_wrong(tmp_path: Path) -> None:
    text = (
        BASE
        + "early_stop:\n  interval: {within: 10%, where: {format: png}}\n"
        + "  compare: [{a: {route: direct}, b: {route: edge}}]\n"
    )
    scenario = load(tmp_path, text)
    assert scenario.early_stop is not None
    assert scenario.early_stop.conditions(scenario.cells()).intervals == 4 + 4


@pytest.mark.parametrize(
    ("rest", "what", "fix"),
    [
        ("{confidence: 95%}", "has no rule", "interval"),
        ("{interval: {within: ten}}", "`ten` is no share", "10%"),
        ("{interval: {within: 0%}}", "out of range", "at least 0.001"),
        ("{interval: {within: 10%}, confidence: 100%}", "out of range", "less than 1"),
        ("{interval: {within: 10%, metric: server_ms}}", "`server_ms` is no clock that a run", "service_ms"),
        ("{interval: {within: 10%, statistic: mean}}", "`mean` is no quantile", "p50"),
        ("{interval: {within: 10%, where: {quality: high}}}", "no cell is selected", "matrix"),
        ("{interval: {within: 10%, where: {complexity: simple}}}", "nothing that cells differ in", "route"),
        ("{interval: {within: 10%}, after_blocks: 20}", "nothing to leave out", "raise repeats"),
        ("{interval: {within: 10%}, after: 3}", "no field `after`", "after_blocks"),
        ("{compare: [{a: {route: direct}, b: {quality: high}}]}", "has a partner", "values that the matrix has"),
        ("{compare: [{a: {route: direct}}]}", "`b` is missing", "add `b"),
        ("{compare: [{a: {route: direct}, b: {rote: edge}}]}", "`rote` is no field", "write route"),
    ],
)
def test_a_mistake_is_on_its_line_with_its_fix(tmp_path: Path, rest: str, what: str, fix: str) -> None:
    problem = only_problem(tmp_path, BASE + f"early_stop: {rest}\n")
    assert problem.line == (BASE + RULE).count("\n")
    assert what in problem.what
    assert fix in problem.fix
