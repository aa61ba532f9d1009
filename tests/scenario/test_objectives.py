from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

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
        (
            "final_image_ms{quality=high,route=azure}: p(95) < 90s",
            Objective(
                text="final_image_ms{quality=high,route=azure}: p(95) < 90s",
                metric="final_image_ms", statistic="p95", comparison="<", value=90_000.0, unit="ms",
                where={"quality": "high", "route": "azure"},
            ),
        ),
        (
            "share(final_image_ms >= 30s){route=x} < 5%",
            Objective(
                text="share(final_image_ms >= 30s){route=x} < 5%",
                metric="final_image_ms", statistic="share", comparison="<", value=0.05, unit="share",
                where={"route": "x"}, inner_comparison=">=", inner_value=30_000.0,
            ),
        ),
        (
            "20 images{route=x} under 5min",
            Objective(
                text="20 images{route=x} under 5min",
                metric="batch_ms", statistic="time", comparison="<", value=300_000.0, unit="ms",
                where={"route": "x"}, images=20,
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
        ("final_image_ms: p(96) < 90s", "write p(9"),
        ("final_img_ms: p(95) < 90s", "write final_image_ms"),
        ("final_image_ms: average < 90s", "write "),
        ("final_image_ms: p(95) < 90", "write 90s"),
        ("error_rate: p(95) < 90s", "without the colon"),
        ("share(final_image_ms > 30){route=x} < 5%", "write 90s"),
        ("share(final_image_ms > 30s) < 5", "write 1%"),
        ("share(final_img_ms > 30s) < 5%", "write final_image_ms"),
        ("share(final_image_ms) < 5%", "write "),
        ("share(final_image_ms > 30s, 40s < 5%", "write share("),
        ("0 images under 5min", "write 1 to"),
        ("20 images under 5", "write 90s"),
        ("20 images over 5min", "write "),
        ("20 images per minute < 5min", "write 20 images under 5min"),
    ],
)
def test_a_bad_objective_says_how_to_write_it(text: str, fix: str) -> None:
    with pytest.raises(Mistake) as caught:
        parse_objective(text)
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    ("ours", "k6"),
    [
        ("p95(final_image_ms) < 90s", "final_image_ms: p(95) < 90s"),
        ("p50(first_byte_ms){n=1} <= 2m", "first_byte_ms{n=1}: med <= 2m"),
        ("mean(total_ms) < 9s", "total_ms: avg < 9s"),
        ("max(total_ms) < 9s", "total_ms:max<9s"),
    ],
)
def test_the_spelling_of_k6_means_the_same(ours: str, k6: str) -> None:
    assert replace(parse_objective(k6), text="") == replace(parse_objective(ours), text="")


@settings(deadline=None)
@given(st.text(alphabet="share:20 images under (> 5min){}", max_size=40))
def test_any_text_like_a_batch_or_a_share_is_an_objective_or_a_mistake(text: str) -> None:
    with contextlib.suppress(Mistake):
        assert parse_objective(text).value >= 0


@settings(deadline=None)
@given(st.text(alphabet="p95(final_image_ms){quality=high},<>=% $.s 0123456789error_rate", max_size=60))
def test_any_text_is_an_objective_or_a_mistake(text: str) -> None:
    with contextlib.suppress(Mistake):
        assert parse_objective(text).value >= 0
