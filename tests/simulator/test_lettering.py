"""The embedded API writes what a prompt has in double quotes, as a real model would."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from harness.simulator import script
from harness.simulator.pictures import picture
from harness.simulator.process import Running, spawn
from harness.simulator.requests import validate
from tests.simulator.asking import LOW, decoded, post


@pytest.fixture(scope="module")
def sim() -> Iterator[Running]:
    with spawn({"time_scale": 1000}) as running:
        yield running


def image(sim: Running, prompt: str, fault: str = "", **changes: Any) -> Image.Image:
    headers = {"x-sim-fault": fault} if fault else {}
    reply = post(sim, "direct", {**LOW, **changes, "prompt": prompt}, **headers)
    assert reply.status_code == 200
    return decoded(reply.json()["data"][0]["b64_json"])


def drawn(lettering: str) -> list[bytes]:
    """Every variant that the API may send, as pixels."""
    files = [picture("1024x1024", "png", 100, "low", variant, lettering) for variant in range(3)]
    return [Image.open(io.BytesIO(data)).tobytes() for data in files]


@pytest.mark.parametrize(
    ("prompt", "lettering"),
    [
        ('a sign with "OPEN" and "CLOSED"', "OPEN"),
        ("a sign with “Open late”", "Open late"),
        ("a sign with 'OPEN'", ""),
        ("a sign", ""),
        ('a sign with ""', ""),
        (f'a sign with "{"x" * 40}"', "x" * 40),
        (f'a sign with "{"x" * 41}"', ""),
        ('an inch is 1" long', ""),
        ('two "lines\nof it"', ""),
    ],
)
def test_what_is_written_is_the_first_short_quotation(prompt: str, lettering: str) -> None:
    assert validate({"prompt": prompt}).lettering == lettering


def test_pictures_without_lettering_are_shared_whatever_was_prompted() -> None:
    one, other = validate({"prompt": "a lemon"}), validate({"prompt": "an apple"})
    assert script.encoded(one, 0) is script.encoded(other, 0)
    assert script.encoded(validate({"prompt": 'a "lemon"'}), 0) != script.encoded(one, 0)


def test_lettering_is_in_the_picture_and_the_fault_writes_so_many_letters_wrong(sim: Running) -> None:
    prompt = 'a window with "SUMMER SALE"'
    assert image(sim, prompt, output_format="png").tobytes() in drawn("SUMMER SALE")
    assert image(sim, prompt, "misspelled", output_format="png").tobytes() in drawn("WUMMER SALE")
    assert image(sim, prompt, "misspelled;letters=3", output_format="png").tobytes() in drawn("WUMWER WALE")
    assert image(sim, 'a "WOW"', "misspelled;letters=99", output_format="png").tobytes() in drawn("HWH")
    assert image(sim, "a window", "misspelled", output_format="png").tobytes() in drawn("")


@pytest.mark.parametrize("size", ["1024x1024", "1536x1024", "1024x1536", "3072x1024"])
def test_lettering_fits_into_the_picture(size: str) -> None:
    width, height = map(int, size.split("x"))
    for lettering in ("W" * 40, "I"):
        data = picture(size, "png", 100, "low", 0, lettering)
        bare = Image.open(io.BytesIO(data)).convert("L").point(lambda level: 255 * (level < 128))
        band = bare.crop((0, round(height * 0.38), width, round(height * 0.62))).getbbox()
        assert band is not None
        assert 0 < band[0] < band[2] < width
        assert 0 < band[1] < band[3] < round(height * 0.62) - round(height * 0.38)
