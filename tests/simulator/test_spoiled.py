"""Faults that come with status 200."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from harness.simulator.process import Running, spawn
from tests.simulator.asking import HEADERS, LOW, decoded, post, truths

TOOL = {"type": "image_generation", "quality": "low", "size": "1024x1024"}


@pytest.fixture(scope="module")
def sim() -> Iterator[Running]:
    with spawn({"time_scale": 500}) as running:
        yield running


def images(sim: Running, fault: str, **changes: Any) -> list[str]:
    reply = post(sim, "direct", {**LOW, **changes}, **{"x-sim-fault": fault})
    assert reply.status_code == 200
    return [item["b64_json"] for item in reply.json()["data"]]


@pytest.mark.parametrize("output_format", ["png", "jpeg", "webp"])
def test_a_blank_image_decodes_and_has_one_colour(sim: Running, output_format: str) -> None:
    for text in images(sim, "blank_image", output_format=output_format, n=2):
        image = decoded(text)
        assert ((image.format or "").lower(), image.size) == (output_format, (1024, 1024))
        assert len(image.convert("RGB").getcolors() or []) == 1


def test_what_is_not_an_image_is_base64_all_the_same(sim: Running) -> None:
    (text,) = images(sim, "not_an_image")
    assert base64.b64decode(text, validate=True) == b"This is not an image."


def test_a_wrong_count_is_one_image_too_few(sim: Running) -> None:
    assert len(images(sim, "wrong_count", n=3)) == 2
    assert images(sim, "wrong_count") == []
    streamed = post(sim, "direct", {**LOW, "stream": True, "n": 3}, **{"x-sim-fault": "wrong_count"})
    assert streamed.text.count("event: image_generation.completed") == 2


def test_every_image_of_an_answer_is_spoiled(sim: Running) -> None:
    assert {decoded(text).size for text in images(sim, "wrong_size", n=2)} == {(1264, 1264)}
    for text in images(sim, "truncated_b64", n=2):
        assert len(text) % 4


def test_the_image_tool_can_be_spoiled_as_well(sim: Running) -> None:
    body = {"model": "gpt-5.6", "input": "x", "stream": True, "tools": [{**TOOL, "partial_images": 1}]}
    headers = {**HEADERS, "x-sim-fault": "not_an_image"}
    reply = httpx.post(f"{sim.entries['direct']}/responses", json=body, headers=headers, timeout=30)
    assert reply.text.count(base64.b64encode(b"This is not an image.").decode()) == 3  # partial, item, Response


def test_an_error_may_stand_under_the_status_of_success(tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    with (
        spawn({"time_scale": 500}, log=log) as sim,
        openai.OpenAI(api_key="sk-sim-test", base_url=sim.entries["direct"], max_retries=0) as client,
    ):
        answer = client.images.generate(prompt="x", extra_headers={"x-sim-fault": "error_in_200"})
        assert answer.data is None  # which is why the body is looked at
        assert "error" in answer.to_dict()
    (record,) = truths(log)
    assert (record["status"], record["finished"], record["billed_output_tokens"]) == (200, False, 0)
