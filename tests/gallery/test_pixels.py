"""Flags by pixels and bytes, and compression levels against the original."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from harness.gallery import recode
from harness.gallery.flags import flags_of, flat_share
from harness.gallery.model import Picture, Thresholds
from harness.simulator.pictures import picture

LIMITS = Thresholds()


def drawn(output_format: str = "png", compression: int = 100, size: str = "256x256") -> Image.Image:
    return Image.open(io.BytesIO(picture(size, output_format, compression, "high", 1)))


def flags(image: Image.Image, image_bytes: int = 500_000, asked: str | None = None) -> tuple[str, ...]:
    return flags_of(image, image_bytes, asked, LIMITS)[0]


def kept(**changes: Any) -> Picture:
    fields: dict[str, Any] = {
        "file": "a-0.png", "job_id": "a", "cell": "c", "block": 1, "index": 0, "image_bytes": 9, "format": "png",
        "width": 256, "height": 256, "asked_format": None, "asked_compression": None, "asked_size": None,
        "final_image_ms": None, "problems": (), "flags": (), "flat_share": 0.1, "lettering_expected": False,
    }  # fmt: skip
    return Picture(**{**fields, **changes})


def test_a_drawn_picture_has_no_flag() -> None:
    assert flags(drawn(), asked="256x256") == ()
    assert flags(drawn(), asked="auto") == ()


@pytest.mark.parametrize("quality", [10, 95])
def test_a_flat_image_is_blank_also_after_compression(quality: int) -> None:
    out = io.BytesIO()
    Image.new("RGB", (300, 200), (120, 33, 90)).save(out, "JPEG", quality=quality)
    assert flags(Image.open(out)) == ("blank",)


def test_a_few_pixels_on_a_flat_image_leave_it_nearly_blank_and_a_word_does_not() -> None:
    image = Image.new("RGB", (500, 500), "white")
    image.putpixel((250, 250), (0, 0, 0))
    assert flags(image) == ("near_blank",)
    ImageDraw.Draw(image).rectangle((100, 100, 140, 140), fill="black")  # 0.7 % of the pixels
    assert flags(image) == ()


def test_what_is_transparent_is_one_colour_whatever_lies_beneath() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (80, 80, 4), dtype=np.uint8)
    noise[:, :, 3] = 0
    assert flat_share(Image.fromarray(noise), LIMITS.flat_level) == 1


def test_small_light_and_wrong_sized_images_are_flagged() -> None:
    assert flags(drawn().resize((63, 200))) == ("small",)
    assert flags(drawn().resize((64, 200))) == ()
    assert flags(drawn(), image_bytes=327) == ("few_bytes",)  # 256 x 256 at 5 kB a megapixel are 327.7 bytes
    assert flags(drawn(), image_bytes=328) == ()
    assert flags(drawn(), asked="1024x1024") == ("wrong_size",)
    assert flags_of(None, 10, None, LIMITS) == (("unreadable",), None)


def test_the_same_image_has_a_similarity_of_one_and_it_falls_with_the_level() -> None:
    original = recode.opaque(drawn())
    assert recode.similarity(original, original) == pytest.approx(1)
    for form in recode.FORMATS:
        again = [Image.open(io.BytesIO(recode.encode(original, form, level))).convert("RGB") for level in (100, 75, 20)]
        found = [recode.similarity(original, image) for image in again]
        assert 1 > found[0] > found[1] > found[2] > 0
        sizes = [len(recode.encode(original, form, level)) for level in (100, 75, 20)]
        assert sizes == sorted(sizes, reverse=True)


def test_similarity_is_the_formula_of_its_paper() -> None:
    one, other = recode.opaque(drawn()), recode.opaque(drawn("jpeg", 30))
    x, y = (np.asarray(image.convert("L"), dtype=float) for image in (one, other))

    def mean(values: np.ndarray) -> np.ndarray:
        return gaussian_filter(values, 1.5, truncate=3.5)

    mx, my = mean(x), mean(y)
    vx, vy, vxy = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    by_hand = ((2 * mx * my + c1) * (2 * vxy + c2)) / ((mx * mx + my * my + c1) * (vx + vy + c2))
    assert recode.similarity(one, other) == pytest.approx(by_hand[5:-5, 5:-5].mean(), abs=1e-6)


def test_levels_are_those_that_cells_ask_for_and_the_usual_ones() -> None:
    found = recode.levels([kept(asked_format="webp", asked_compression=90), kept(asked_format="png")])
    assert found == tuple(("jpeg", level) for level in (100, 85, 75, 60)) + tuple(
        ("webp", level) for level in (100, 90, 85, 75, 60)
    )


def test_originals_are_png_and_without_any_what_was_made_at_level_100() -> None:
    png, jpeg = kept(file="p"), kept(file="j", format="jpeg", asked_format="jpeg")
    squeezed, blank = kept(format="jpeg", asked_compression=85), kept(flags=("blank",))
    assert recode.originals([jpeg, png, squeezed, blank]) == ("png", [png])
    assert recode.originals([jpeg, squeezed, blank]) == ("jpeg", [jpeg])
    assert recode.originals([squeezed, blank]) == (None, [])


def test_the_images_to_encode_again_come_from_every_cell_and_every_part_of_the_run() -> None:
    images = [kept(file=f"{cell}{block}", cell=cell, block=block) for cell in "ab" for block in range(10)]
    assert {one.file for one in recode.spread(images, 4)} == {"a0", "a5", "b0", "b5"}
    assert len(recode.spread(images, 3)) == 3
    assert len(recode.spread(images, 100)) == 20
    assert recode.spread([], 5) == []
