from __future__ import annotations

from pathlib import Path

import pytest

from harness.conditions import HypothesisTest

from .build import GOOD, load, only_problem

BASE = GOOD + "matrix: {format: [png, jpeg]}\nhypotheses:\n"
HEAD = "  - {name: a-claim, claim: It is so, source: somebody, "


def claim(rest: str) -> str:
    return BASE + HEAD + rest + "}\n"


def read(folder: Path, rest: str) -> HypothesisTest:
    (found,) = load(folder, claim(rest)).hypothesis_conditions()
    assert found.test is not None
    return found.test


def measured(metric: str, statistic: str, threshold: str) -> str:
    return f'measure: {{where: {{}}, metric: {metric}, statistic: {statistic}}}, threshold: "{threshold}"'


def compared(threshold: str, statistic: str = "p50") -> str:
    return (
        f"compare: {{a: {{format: png}}, b: {{format: jpeg}}, metric: final_image_ms, statistic: {statistic}}}, "
        f'threshold: "{threshold}"'
    )


@pytest.mark.parametrize(
    ("rest", "limits", "unit"),
    [
        (measured("final_image_ms", "p50", "< 40s"), (None, 40_000, True), "ms"),
        (measured("final_image_ms", "p95", ">= 2min"), (120_000, None, False), "ms"),
        (measured("final_image_ms", "p50", "3s to 8s"), (3000, 8000, False), "ms"),
        (measured("final_image_ms", "mean", "about 25s"), (20_000, 30_000, False), "ms"),
        (measured("error_rate", "share", "<= 2%"), (None, 0.02, False), "share"),
        (measured("cost_usd", "mean", "0.0055 to 0.0065"), (0.0055, 0.0065, False), "usd"),
        (measured("image_bytes", "p50", "< 2MB"), (None, 2_000_000, True), "bytes"),
        (measured("usage_output_tokens", "mean", "about 100"), (80, 120, False), "tokens"),
        (compared("ratio <= 0.95"), (None, 0.95, False), "ratio"),
        (compared("ratio 2.8x to 3.6x"), (2.8, 3.6, False), "ratio"),
        (compared("difference -1s to 5s", "p90"), (-1000, 5000, False), "ms"),
    ],
)
def test_a_threshold_is_applied_in_base_units(
    tmp_path: Path, rest: str, limits: tuple[float | None, float | None, bool], unit: str
) -> None:
    test = read(tmp_path, rest)
    assert (test.at_least, test.at_most, test.strict) == (*map(pytest.approx, limits[:2]), limits[2])
    assert test.unit == unit


def test_a_selector_names_fields_by_either_name_and_takes_several_values(tmp_path: Path) -> None:
    test = read(
        tmp_path,
        "measure: {where: {format: [png, jpeg], n: 1, stream: false, partial_images: null, concurrency: 5}, "
        "metric: final_image_ms, statistic: p50}, threshold: < 40s",
    )
    assert test.b == {
        "output_format": ("png", "jpeg"),
        "n": ("1",),
        "stream": ("false",),
        "partial_images": ("null",),
        "concurrency": ("5",),
    }
    assert test.a is None


def test_a_claim_that_no_run_can_show_says_what_can(tmp_path: Path) -> None:
    (found,) = load(tmp_path, claim("elsewhere: look at the clock")).hypothesis_conditions()
    assert (found.test, found.elsewhere) == (None, "look at the clock")


@pytest.mark.parametrize(
    ("rest", "what", "fix"),
    [
        (measured("final_img_ms", "p50", "< 4s"), "no metric `final_img_ms`", "write final_image_ms"),
        (measured("final_image_ms", "median", "< 4s"), "no statistic `median`", "p50"),
        (measured("final_image_ms", "p50", "fast"), "`fast` is not a threshold", "3s to 8s"),
        (measured("final_image_ms", "p50", "< 4"), "`4` is not in ms", "40s"),
        (measured("final_image_ms", "p50", "8s to 3s"), "holds nothing", "smaller figure first"),
        (measured("final_image_ms", "share", "< 4s"), "no share of final_image_ms", "p50"),
        (measured("error_rate", "p50", "< 4%"), "no p50 of error_rate", "share"),
        (measured("final_image_ms", "p50", "ratio < 1"), "ratio needs two sets", "compare"),
        (compared("< 4s"), "threshold says of what", "ratio <= 0.95"),
        (compared("ratio < 1", "mean"), "mean is not compared", "p50"),
        (measured("final_image_ms", "p50", "< 4s").replace("{}", "{colour: red}"), "`colour` is no field", "route"),
        (measured("final_image_ms", "p50", "< 4s").replace("{}", "{quality: high}"), "no cell is selected", "matrix"),
        ("threshold: < 4s", "neither measure nor compare", "give one of"),
        ("elsewhere: there, threshold: < 4s", "nothing is held against", "threshold"),
        ("elsewhere: there, contradicts: [an-other]", "no other claim `an-other`", "write one of a-claim"),
    ],
)
def test_a_mistake_in_a_claim_is_on_its_line_with_its_fix(tmp_path: Path, rest: str, what: str, fix: str) -> None:
    problem = only_problem(tmp_path, claim(rest))
    assert problem.line == 9
    assert what in problem.what
    assert fix in problem.fix


def test_two_claims_of_one_name_are_refused(tmp_path: Path) -> None:
    text = claim("elsewhere: there") + HEAD + "elsewhere: here}\n"
    assert "`a-claim` already" in only_problem(tmp_path, text).what
