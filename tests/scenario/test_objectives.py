from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.conditions import Objective
from harness.scenario.objectives import parse_objective
from harness.scenario.words import Mistake


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "p95(final_image_ms) < 90s",
            Objective(
                text="p95(final_image_ms) < 90s",
                metric="final_image_ms", statistic="p95", comparison="<", value=90_000.0, unit="ms",
            ),
        ),
        (
            "p50( first_byte_ms ){quality=high, route=direct}<=2m",
            Objective(
                text="p50( first_byte_ms ){quality=high, route=direct}<=2m",
                metric="first_byte_ms", statistic="p50", comparison="<=", value=120_000.0, unit="ms",
                where={"quality": "high", "route": "direct"},
            ),
        ),
        (
            "error_rate{format=jpeg} < 1%",
            Objective(
                text="error_rate{format=jpeg} < 1%",
                metric="error_rate", statistic="share", comparison="<", value=0.01, unit="share",
                where={"output_format": "jpeg"},
            ),
        ),
        (
            "cost_usd per image < $0.06",
            Objective(
                text="cost_usd per image < $0.06",
                metric="cost_usd", statistic="mean", comparison="<", value=0.06, unit="usd",
            ),
        ),
    ],
)  # fmt: skip
def test_an_objective_keeps_its_text_and_is_applied_in_base_units(text: str, expected: Objective) -> None:
    assert parse_objective(text) == expected


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("p95(final_img_ms) < 90s", "write final_image_ms"),
        ("p96(final_image_ms) < 90s", "write p9"),
        ("final_image_ms < 90s", "write p95(final_image_ms)"),
        ("error-rate < 1%", "write error_rate"),
        ("cost_usd < 0.06", "write cost_usd per image"),
        ("p95(final_image_ms) < 90", "write 90s"),
        ("p95(final_image_ms) < ninety", "write p95"),
        ("error_rate < 0.01", "write 1%"),
        ("cost_usd per image < 5%", "write 0.06"),
        ("p95(final_image_ms){qualty=high} < 90s", "write quality"),
        ("p95(final_image_ms){quality} < 90s", "write {quality=high"),
        ("p95(final_image_ms){n=1,n=2} < 90s", "keep one"),
        ("fast please", "write p95"),
    ],
)
def test_a_bad_objective_says_how_to_write_it(text: str, fix: str) -> None:
    with pytest.raises(Mistake) as caught:
        parse_objective(text)
    assert fix in caught.value.fix


@settings(deadline=None)
@given(st.text(alphabet="p95(final_image_ms){quality=high},<>=% $.s 0123456789error_rate", max_size=60))
def test_any_text_is_an_objective_or_a_mistake(text: str) -> None:
    with contextlib.suppress(Mistake):
        assert parse_objective(text).value >= 0
