"""Edits: the official client's forms, the JSON variant, and what the API refuses before it works on anything."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.simulator.multipart import BadForm, parts
from harness.simulator.process import Running, spawn
from tests.simulator.asking import HEADERS, a_picture, decoded, truths
from tests.simulator.test_official_client import KEY, SPEC, check

SHAPE: dict[str, Any] = {"model": "gpt-image-2", "prompt": "Make it blue", "quality": "low", "size": "1024x1024"}
PNG = a_picture()
DATA_URL = "data:image/png;base64," + base64.b64encode(PNG).decode()
FILE = ("cat.png", PNG, "image/png")


@pytest.fixture(scope="module")
def sim() -> Iterator[Running]:
    layers = {"tier": {"images_per_minute": 3}}
    with spawn({"time_scale": 400, "seed": 4, "layers": layers}) as running:
        yield running


@pytest.fixture(scope="module")
def client(sim: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=KEY, base_url=sim.entries["direct"], max_retries=0) as asked:
        yield asked


def as_json(sim: Running, body: dict[str, Any], entry: str = "direct") -> httpx.Response:
    return httpx.post(f"{sim.entries[entry]}/images/edits", json={**SHAPE, **body}, headers=HEADERS, timeout=30)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_the_official_client_edits_one_image_and_its_tokens_are_counted(client: openai.OpenAI, kind: Any) -> None:
    file = (f"cat.{kind.lower()}", a_picture(kind=kind), f"image/{kind.lower()}")
    answer = client.images.edit(image=file, output_format="jpeg", n=2, **SHAPE)
    assert [decoded(item.b64_json).format for item in answer.data or []] == ["JPEG", "JPEG"]
    assert answer.usage is not None
    assert answer.usage.input_tokens_details.image_tokens == 1496
    assert answer.usage.output_tokens == 2 * 196
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens
    if SPEC.exists():
        import yaml

        check(yaml.safe_load(SPEC.read_text(encoding="utf-8")), "ImagesResponse", answer.to_dict())


def test_several_images_and_a_mask_are_in_the_log_with_their_bytes(tmp_path: Path) -> None:
    log, mask = tmp_path / "truth.jsonl", a_picture(mode="RGBA")
    with (
        spawn({"time_scale": 400}, log=log) as sim,
        openai.OpenAI(api_key=KEY, base_url=sim.entries["direct"], max_retries=0) as client,
    ):
        files = [(f"{index}.png", PNG, "image/png") for index in range(16)]
        answer = client.images.edit(image=files, mask=("m.png", mask, "image/png"), **SHAPE)
    assert answer.usage is not None
    assert answer.usage.input_tokens_details.image_tokens == 16 * 1496
    (record,) = truths(log)
    assert (record["api"], record["reference_images"]) == ("images.edits", 16)
    assert record["reference_bytes"] == 16 * len(PNG) + len(mask)
    assert record["request_bytes"] > record["reference_bytes"]
    assert record["received_ns"] <= record["request_body_ns"] <= record["made_ns"]


def test_a_streamed_edit_has_events_of_its_own_name(client: openai.OpenAI) -> None:
    events = list(client.images.edit(image=FILE, stream=True, partial_images=2, **SHAPE))
    assert [event.type for event in events] == ["image_edit.partial_image"] * 2 + ["image_edit.completed"]
    final = events[-1]
    assert final.type == "image_edit.completed"
    assert final.usage.input_tokens_details.image_tokens == 1496
    assert final.usage.output_tokens == 196 + 200
    for event in events:
        assert decoded(event.b64_json).size == (1024, 1024)


def test_the_json_variant_takes_data_urls_addresses_and_file_ids(sim: Running) -> None:
    images = [{"image_url": DATA_URL}, {"image_url": "https://example.org/cat.png"}, {"file_id": "file-abc"}]
    reply = as_json(sim, {"images": images, "mask": {"file_id": "file-mask"}, "moderation": "low"})
    assert reply.status_code == 200
    assert reply.json()["usage"]["input_tokens_details"]["image_tokens"] == 3 * 1496


def test_a_minute_of_images_counts_the_images_that_come_with_a_request(sim: Running) -> None:
    assert as_json(sim, {"images": [{"image_url": DATA_URL}] * 2}, "tier").status_code == 200
    full = as_json(sim, {"images": [{"image_url": DATA_URL}]}, "tier")
    assert full.status_code == 429
    assert "Limit 3, Used 3, Requested 2." in full.json()["error"]["message"]
    assert (
        as_json(sim, {"images": [{"image_url": DATA_URL}] * 3}, "tier")
        .json()["error"]["message"]
        .startswith("Request too large")
    )


_DDS = a_picture(kind="DDS")
ODD = _DDS[:80] + (0x2000000).to_bytes(4, "little") + _DDS[84:]  # flags that nobody knows: NotImplementedError
SMALL_MASK = a_picture((8, 8), mode="RGBA")
REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    ("no picture", {"image": ("a.png", b"no picture", "image/png")}, "invalid_image_file", "for image 1, please check"),
    ("a gif", {"image": ("a.png", a_picture(kind="GIF"), "image/png")}, "invalid_image_file", "for image 1"),
    ("half a png", {"image": ("a.png", PNG[:60], "image/png")}, "invalid_image_file", "for image 1"),
    ("odd dds", {"image": ("a.png", ODD, "image/png")}, "invalid_image_file", "for image 1"),
    ("no kind", {"image": b"bytes"}, "unsupported_file_mimetype", "('application/octet-stream')"),
    ("17 images", {"image": [FILE] * 17}, "array_above_max_length", "with length 17 instead"),
    ("opaque mask", {"image": FILE, "mask": FILE}, "invalid_mask_image_format", "missing alpha channel"),
    ("small mask", {"image": FILE, "mask": ("m.png", SMALL_MASK, "image/png")}, "invalid_mask_image_format",
     "mask size does not match image size"),
    ("a jpeg mask", {"image": FILE, "mask": ("m.jpg", a_picture(kind="JPEG"), "image/jpeg")},
     "invalid_mask_image_format", "must be a PNG"),
    ("fidelity", {"image": FILE, "input_fidelity": "high"}, "invalid_input_fidelity_model",
     "The model 'gpt-image-2' does not support the 'input_fidelity' parameter."),
    ("too many", {"image": FILE, "n": 11}, "integer_above_max_value", "Expected a value <= 10, but got 11."),
    ("moderation", {"image": FILE, "extra_body": {"moderation": "low"}}, "unknown_parameter", "'moderation'"),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "code", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_no_reference_image_is_refused(
    client: openai.OpenAI, asked: dict[str, Any], code: str, words: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.edit(**{**SHAPE, **asked})
    assert caught.value.code == code
    assert words in str(caught.value)


def test_a_name_that_stands_twice_in_a_form_is_refused_unless_it_is_an_array(sim: Running) -> None:
    def asked(name: str) -> httpx.Response:
        files = [(name, ("cat.png", PNG, "image/png"))] * 2
        return httpx.post(f"{sim.entries['direct']}/images/edits", data=SHAPE, files=files, headers=HEADERS, timeout=30)

    refused = asked("image")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "duplicate_parameter")
    assert "use the array syntax instead e.g. 'image[]=<value>'" in refused.json()["error"]["message"]
    assert asked("image[]").status_code == 200


def test_an_image_of_50_megabytes_is_too_large(sim: Running) -> None:
    files = {"image": ("big.png", PNG + bytes(50 * 1024 * 1024), "image/png")}
    reply = httpx.post(f"{sim.entries['direct']}/images/edits", data=SHAPE, files=files, headers=HEADERS, timeout=30)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "image_file_too_large")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "missing_required_parameter"),
        ({"images": []}, "missing_required_parameter"),
        ({"images": [{}]}, "invalid_value"),
        ({"images": [{"image_url": DATA_URL, "file_id": "file-abc"}]}, "invalid_value"),
        ({"images": [{"image_url": "cat.png"}]}, "invalid_value"),
        ({"images": [{"image_url": "data:image/png;base64,?"}]}, "invalid_base64_image"),
        ({"images": [{"image_url": "data:image/gif;base64,AAAA"}]}, "unsupported_file_mimetype"),
        ({"images": [{"image_url": DATA_URL}], "image": "x"}, "unknown_parameter"),
    ],
)
def test_the_json_variant_refuses_what_it_cannot_use(sim: Running, body: dict[str, Any], code: str) -> None:
    reply = as_json(sim, body)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, code)


@pytest.mark.parametrize(
    ("content_type", "code"),
    [
        ("text/plain", "unsupported_content_type"),
        ("multipart/form-data", "invalid_multipart_form_data"),
        ("multipart/form-data; boundary=x", "invalid_multipart_form_data"),
    ],
)
def test_a_body_that_is_no_form_is_the_callers_mistake(sim: Running, content_type: str, code: str) -> None:
    reply = httpx.post(
        f"{sim.entries['direct']}/images/edits", content=b"abc", headers={**HEADERS, "content-type": content_type}
    )
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, code)


NAMES = st.text("abc[]", min_size=1, max_size=5)


@given(st.lists(st.tuples(NAMES, st.binary(max_size=40)), min_size=1, max_size=4))
def test_a_form_is_read_as_another_library_wrote_it(fields: list[tuple[str, bytes]]) -> None:
    files = [(name, ("a file.png", data, "image/png")) for name, data in fields]
    request = httpx.Request("POST", "http://localhost", files=files)
    found = parts(request.read(), request.headers["content-type"])
    assert [(part.name, bytes(part.data)) for part in found] == fields
    assert {(part.filename, part.content_type) for part in found} == {("a file.png", "image/png")}


@given(st.binary(max_size=80))
def test_bytes_that_are_no_form_are_told_so(data: bytes) -> None:
    for body in (data, b"--x" + data, b"--x\r\n" + data + b"\r\n--x"):
        try:
            for part in parts(body, "multipart/form-data; boundary=x"):
                assert len(part.data) <= len(body)
        except BadForm:
            continue
