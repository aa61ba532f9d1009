from __future__ import annotations

import pytest

from harness.events import Usage
from harness.prices import estimate, estimate_usd, image_tokens, prices_as_of, usage_usd

# Output tokens as OpenAI's calculator and three measured usages (1104x1424) have them.
PUBLISHED_TOKENS = {
    "1024x1024": (196, 1756, 7024),
    "1024x1536": (158, 1372, 5488),
    "1536x1024": (158, 1372, 5488),
    "2048x2048": (397, 3568, 14272),
    "1280x720": (106, 947, 3787),
    "2048x1152": (157, 1413, 5650),
    "2560x1440": (205, 1843, 7370),
    "3840x2160": (371, 3336, 13342),
    "1920x1088": (148, 1325, 5300),
    "1104x1424": (172, 1587, 6345),
}
PUBLISHED_USD = [
    ("gpt-image-2", "1024x1024", (0.006, 0.053, 0.211)),
    ("gpt-image-2", "1024x1536", (0.005, 0.041, 0.165)),
    ("gpt-image-1.5", "1024x1024", (0.009, 0.034, 0.133)),
    ("gpt-image-1.5", "1024x1536", (0.013, 0.051, 0.2)),
    ("gpt-image-1", "1024x1024", (0.011, 0.042, 0.166)),
    ("gpt-image-1-mini", "1024x1024", (0.005, 0.011, 0.036)),
    ("gpt-image-1-mini", "1024x1536", (0.006, 0.015, 0.052)),
]
QUALITIES = ("low", "medium", "high")


@pytest.mark.parametrize(("size", "tokens"), PUBLISHED_TOKENS.items())
def test_the_formula_reproduces_the_published_tokens(size: str, tokens: tuple[int, int, int]) -> None:
    assert tuple(image_tokens("gpt-image-2", quality, size) for quality in QUALITIES) == tokens


@pytest.mark.parametrize(("model", "size", "usd"), PUBLISHED_USD)
def test_an_image_costs_what_the_published_table_says(model: str, size: str, usd: tuple[float, float, float]) -> None:
    assert [round(estimate_usd(model, quality, size) or 0, 3) for quality in QUALITIES] == list(usd)


def test_a_snapshot_costs_what_its_model_costs() -> None:
    assert estimate_usd("gpt-image-2-2026-04-21", "high", "1024x1024") == estimate_usd(
        "gpt-image-2", "high", "1024x1024"
    )


def test_images_multiply_and_partial_images_add_a_hundred_tokens_each_when_streamed() -> None:
    one = estimate_usd("gpt-image-2", "low", "1024x1024")
    assert one == pytest.approx(196 * 30e-6)
    assert estimate_usd("gpt-image-2", "low", "1024x1024", n=3) == pytest.approx(3 * 196 * 30e-6)
    streamed = estimate_usd("gpt-image-2", "low", "1024x1024", partial_images=2, stream=True)
    assert streamed == pytest.approx((196 + 200) * 30e-6)
    assert estimate_usd("gpt-image-2", "low", "1024x1024", partial_images=2) == one


def test_a_prompt_costs_about_a_token_every_four_characters() -> None:
    without = estimate_usd("gpt-image-2", "low", "1024x1024") or 0
    assert estimate_usd("gpt-image-2", "low", "1024x1024", prompt_chars=4000) == pytest.approx(without + 1000 * 5e-6)


def test_an_unknown_model_has_no_price() -> None:
    assert estimate_usd("some-deployment", "low", "1024x1024") is None
    assert estimate("some-deployment", "low", "1024x1024").upper_usd is None
    assert usage_usd("some-deployment", Usage(output_tokens=100)) is None


def test_an_unknown_shape_of_a_model_with_a_table_has_no_price() -> None:
    assert estimate("gpt-image-1.5", "low", "2048x2048").note == "no price is known for gpt-image-1.5 low 2048x2048"


@pytest.mark.parametrize(
    ("quality", "size", "upper_tokens", "note"),
    [
        ("auto", "1024x1024", 7024, "the API chooses quality"),
        (None, "1024x1024", 7024, "the API chooses quality"),
        ("low", "auto", 659, "the API chooses size"),
        (None, None, 23719, "the API chooses quality and size"),
    ],
)
def test_what_the_api_decides_has_no_price_but_an_upper_bound(
    quality: str | None, size: str | None, upper_tokens: int, note: str
) -> None:
    found = estimate("gpt-image-2", quality, size)
    assert found.usd is None
    assert found.upper_usd == pytest.approx(upper_tokens * 30e-6)
    assert found.note == note


def test_the_bound_holds_for_every_legal_size() -> None:
    from harness.scenario.fields import size_fault

    edges = range(16, 3841, 16)
    dearest = max(
        image_tokens("gpt-image-2", "high", f"{w}x{h}") or 0
        for w in edges
        for h in edges
        if w >= h and size_fault(w, h) is None
    )
    assert dearest == 23719


def test_usage_is_priced_by_kind_of_token() -> None:
    usage = Usage(input_tokens=1550, input_text_tokens=54, input_image_tokens=1496, output_tokens=1756)
    assert usage_usd("gpt-image-2", usage) == pytest.approx((54 * 5 + 1496 * 8 + 1756 * 30) / 1e6)


def test_input_without_details_counts_as_text_and_no_usage_is_no_price() -> None:
    assert usage_usd("gpt-image-2", Usage(input_tokens=50, output_tokens=196)) == pytest.approx((250 + 5880) / 1e6)
    assert usage_usd("gpt-image-2", Usage(input_tokens=50)) is None
    assert usage_usd("gpt-image-2", None) is None
    # One gateway's way of counting nothing: the image was made, and the budget has to know of it.
    assert usage_usd("gpt-image-2", Usage(input_tokens=0, output_tokens=0, total_tokens=0)) is None


def test_prices_carry_their_date() -> None:
    assert prices_as_of() == "2026-11-20"


def test_reference_images_are_paid_for_as_well() -> None:
    bare = estimate_usd("gpt-image-2", "low", "1024x1024")
    with_two = estimate("gpt-image-2", "low", "1024x1024", reference_images=2).usd
    assert bare is not None
    assert with_two is not None
    assert with_two - bare == pytest.approx(2 * 1496 * 8 / 1e6)


def test_what_reference_images_cost_is_not_guessed() -> None:
    found = estimate("gpt-image-1.5", "low", "1024x1024", reference_images=1)
    assert (found.usd, found.upper_usd) == (None, None)
    assert found.note == "what reference images cost is not known for gpt-image-1.5"
