"""A bridge that looks like the API: links, one size whatever was asked for, and nothing that could be traced."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from PIL import Image

from harness.simulator.process import Running, spawn
from tests.simulator.asking import LOW, a_picture, decoded, post, truths

KEY = "sk-sim-test"
LAYERS: dict[str, Any] = {
    "reverse": {"speaks": "reverse"},
    "inline": {"speaks": "reverse", "result": "b64"},
    "brief": {"speaks": "reverse", "link_ttl_s": 300},
}


@pytest.fixture(scope="module")
def sim() -> Iterator[Running]:
    with spawn({"time_scale": 200, "seed": 2, "layers": LAYERS}) as running:
        yield running


def test_the_official_client_gets_a_link_to_an_image_of_another_size(sim: Running) -> None:
    with openai.OpenAI(api_key=KEY, base_url=sim.entries["reverse"], max_retries=0) as client:
        answer = client.images.generate(model="gpt-image-2", prompt="A red apple", n=2, output_format="jpeg")
    assert (answer.usage, answer.size, answer.output_format) == (None, None, None)
    for item in answer.data or []:
        assert item.b64_json is None
        assert item.revised_prompt
        assert (item.url or "").startswith(sim.entries["reverse"].removesuffix("v1") + "files/")
        file = httpx.get(item.url or "")
        assert (file.status_code, file.headers["content-type"]) == (200, "image/png")
        image = Image.open(io.BytesIO(file.content))
        image.load()
        assert (image.format, image.size) == ("PNG", (1254, 1254))


def test_images_may_come_inside_of_the_answer_as_well(sim: Running) -> None:
    item = post(sim, "inline", LOW).json()["data"][0]
    assert "url" not in item
    assert decoded(item["b64_json"]).size == (1254, 1254)


def test_nothing_in_an_answer_can_be_traced_or_counted(sim: Running) -> None:
    for body in (LOW, {}):
        reply = post(sim, "reverse", body)
        assert set(reply.headers) <= {"content-type", "content-length", "date", "x-simulator-time-scale"}
    assert set(post(sim, "reverse", LOW).json()) == {"created", "model", "data"}
    assert post(sim, "reverse", LOW).json()["model"] == "gpt-image-2-codex"


def test_a_stream_is_answered_whole(sim: Running) -> None:
    reply = post(sim, "reverse", {**LOW, "stream": True, "partial_images": 2})
    assert reply.headers["content-type"] == "application/json"
    assert len(reply.json()["data"]) == 1


def test_edits_are_taken_too(sim: Running) -> None:
    with openai.OpenAI(api_key=KEY, base_url=sim.entries["reverse"], max_retries=0) as client:
        answer = client.images.edit(model="gpt-image-2", prompt="Blue", image=("a.png", a_picture(), "image/png"))
    assert (answer.data or [])[0].url


def test_its_own_stages_come_before_the_image_and_no_token_is_billed(tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    with spawn({"time_scale": 400, "layers": {"a": {"speaks": "reverse"}, "b": {"speaks": "reverse"}}}, log=log) as sim:
        links = [post(sim, entry, LOW, **{"x-client-request-id": "job"}).json()["data"][0]["url"] for entry in "ab"]
    first, second = truths(log)
    assert first["latency_s"] == second["latency_s"] > 2
    assert (first["billed_output_tokens"], first["size"], first["finished"]) == (0, "1254x1254", True)
    assert links[0] != links[1]


def test_a_link_works_until_its_time_is_over(sim: Running) -> None:
    url = post(sim, "brief", LOW).json()["data"][0]["url"]
    assert httpx.get(url).status_code == 200
    time.sleep(310 / 200)
    assert httpx.get(url).status_code == 403
    assert httpx.get(url.rpartition("/")[0] + "/never-was.png").status_code == 404


def test_an_answer_with_a_link_can_be_cut_as_well(sim: Running) -> None:
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        post(sim, "reverse", LOW, **{"x-sim-fault": "cut"})


@pytest.mark.parametrize("fault", ["truncated_b64", "not_an_image"])
def test_a_spoiled_image_lies_behind_a_link_that_works(sim: Running, fault: str) -> None:
    url = post(sim, "reverse", LOW, **{"x-sim-fault": fault}).json()["data"][0]["url"]
    with pytest.raises((OSError, SyntaxError)):
        Image.open(io.BytesIO(httpx.get(url).content)).load()
