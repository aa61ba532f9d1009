"""Azure's wire, through the official client for it, unmodified."""

from __future__ import annotations

import asyncio
import base64
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from harness.simulator.process import Running, spawn
from tests.simulator.asking import a_picture, decoded, truths

KEY = "sk-sim-test"
VERSION = "2025-04-01-preview"
SHAPE: dict[str, Any] = {"model": "my-deployment", "prompt": "A red apple", "quality": "low", "size": "1024x1024"}
WORLD = {"time_scale": 400, "seed": 2, "layers": {"azure": {"speaks": "azure"}}}
DEPLOYED = f"/openai/deployments/my-deployment/images/generations?api-version={VERSION}"


@pytest.fixture(scope="module")
def sim() -> Iterator[Running]:
    with spawn(WORLD) as running:
        yield running


@pytest.fixture(scope="module")
def client(sim: Running) -> Iterator[openai.AzureOpenAI]:
    with openai.AzureOpenAI(
        api_key=KEY, api_version=VERSION, azure_endpoint=sim.entries["azure"], max_retries=0
    ) as asked:
        yield asked


def post(sim: Running, path: str, body: dict[str, Any], **headers: str) -> httpx.Response:
    headers = {"api-key": KEY, **headers}
    return httpx.post(f"{sim.entries['azure']}{path}", json=body, headers=headers, timeout=30)


def test_the_address_of_an_azure_entry_has_no_path(sim: Running) -> None:
    assert sim.entries["azure"].count("/") == 2


def test_the_azure_client_brings_an_image_and_azures_headers_only(client: openai.AzureOpenAI) -> None:
    raw = client.images.with_raw_response.generate(**SHAPE, extra_headers={"x-ms-client-request-id": "mine"})
    assert decoded((raw.parse().data or [])[0].b64_json).size == (1024, 1024)
    headers = raw.headers
    for name in ("apim-request-id", "x-request-id"):
        assert str(uuid.UUID(headers[name])) == headers[name]
    assert (headers["x-ms-region"], headers["x-ms-rai-invoked"]) == ("East US", "true")
    assert headers["x-ms-client-request-id"] == "mine"
    assert {"azureml-model-session", "x-ratelimit-limit-requests", "x-ratelimit-remaining-tokens"} <= set(headers)
    assert not [name for name in headers if name.startswith(("openai-", "cf-")) or name == "server"]


def test_quality_is_high_unless_it_is_said(client: openai.AzureOpenAI) -> None:
    answer = client.images.generate(**{name: value for name, value in SHAPE.items() if name != "quality"})
    assert answer.quality == "high"
    assert answer.usage is not None
    assert answer.usage.output_tokens == 7024


def test_the_azure_client_streams_and_edits(client: openai.AzureOpenAI) -> None:
    kinds = [event.type for event in client.images.generate(**SHAPE, stream=True, partial_images=1)]
    assert kinds == ["image_generation.partial_image", "image_generation.completed"]
    edited = client.images.edit(image=("cat.png", a_picture(), "image/png"), **SHAPE)
    assert edited.usage is not None
    assert edited.usage.input_tokens_details.image_tokens == 1496


def test_the_asynchronous_azure_client_with_a_token_of_entra_works_as_well(sim: Running) -> None:
    async def once() -> int:
        async with openai.AsyncAzureOpenAI(
            azure_ad_token=KEY, api_version=VERSION, azure_endpoint=sim.entries["azure"], max_retries=0
        ) as asked:
            return len((await asked.images.generate(**SHAPE)).data or [])

    assert asyncio.run(once()) == 1


def test_the_new_paths_take_the_deployment_as_the_model(sim: Running) -> None:
    with openai.OpenAI(api_key=KEY, base_url=f"{sim.entries['azure']}/openai/v1", max_retries=0) as client:
        assert client.images.generate(**SHAPE).data
        assert client.images.edit(image=("cat.png", a_picture(), "image/png"), **SHAPE).data


def test_the_image_tool_needs_to_be_told_its_deployment(sim: Running, client: openai.AzureOpenAI) -> None:
    asked: dict[str, Any] = {
        "model": "a-text-deployment",
        "input": "A red apple",
        "tools": [{"type": "image_generation", "quality": "low"}],
    }
    with pytest.raises(openai.BadRequestError, match="The request is invalid"):
        client.responses.create(**asked)
    named = {"x-ms-oai-image-generation-deployment": "my-deployment"}
    assert client.responses.create(**asked, extra_headers=named).output[0].type == "image_generation_call"
    assert post(sim, "/openai/v1/responses", asked, **named).json()["tools"][0]["model"] == "my-deployment"


@pytest.mark.parametrize("query", ["", "?api-version="])
def test_without_a_version_nothing_is_there(sim: Running, query: str) -> None:
    reply = post(sim, DEPLOYED.partition("?")[0] + query, SHAPE)
    assert (reply.status_code, reply.json()) == (404, {"error": {"code": "404", "message": "Resource not found"}})


def test_a_path_of_openai_is_not_found_in_azures_words(sim: Running) -> None:
    reply = post(sim, "/v1/images/generations", SHAPE)
    assert (reply.status_code, reply.json()["error"]["message"]) == (404, "Resource not found")


def test_a_bad_key_gets_azures_words(sim: Running) -> None:
    for headers in ({"api-key": "wrong"}, {"api-key": ""}, {"api-key": "wrong", "authorization": f"Bearer {KEY}"}):
        reply = post(sim, DEPLOYED, SHAPE, **headers)
        assert (reply.status_code, reply.json()["error"]["code"]) == (401, "401")
        assert "Access denied due to invalid subscription key" in reply.json()["error"]["message"]


def test_webp_and_json_edits_are_refused(sim: Running) -> None:
    reply = post(sim, DEPLOYED, {**SHAPE, "output_format": "webp"})
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, "output_format")
    assert reply.json()["error"]["message"].endswith("Supported values are: 'png' and 'jpeg'.")
    url = "data:image/png;base64," + base64.b64encode(a_picture()).decode()
    edit = post(sim, DEPLOYED.replace("generations", "edits"), {**SHAPE, "images": [{"image_url": url}]})
    assert (edit.status_code, edit.json()["error"]["code"]) == (400, "unsupported_content_type")


def test_a_minute_of_silence_is_a_408_while_the_image_is_made_and_billed(tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    high, fault = {**SHAPE, "quality": "high", "size": "2048x2048"}, {"x-sim-fault": "azure_408"}
    with spawn({**WORLD, "time_scale": 200}, log=log) as sim:
        post(sim, DEPLOYED, high)  # the picture is drawn once, which takes its time
        for body in (high, {**high, "stream": True}):
            reply = post(sim, DEPLOYED, body, **fault)
            assert (reply.status_code, reply.json()["error"]["code"]) == (408, "Timeout")
            assert reply.json()["error"]["message"] == "The operation was timeout."
            assert reply.headers["apim-request-id"]
        saved = post(sim, DEPLOYED, {**high, "stream": True, "partial_images": 2}, **fault)
        assert (saved.status_code, saved.text.count("event: image_generation.completed")) == (200, 1)
        assert post(sim, DEPLOYED, SHAPE, **fault).status_code == 200  # fast enough
    for record in truths(log)[1:3]:
        waited_s = (record["response_end_ns"] - record["received_ns"]) / 1e9 * 200
        assert waited_s >= 60
        assert record["finished"]
        assert record["made_ns"] > record["response_end_ns"]
        assert record["billed_output_tokens"] == 14272


def test_a_cap_in_front_of_azure_shows_azures_page() -> None:
    layers = {"azure": {"speaks": "azure", "cap_s": 1}}
    with spawn({"time_scale": 100, "layers": layers}) as sim:
        assert post(sim, DEPLOYED, SHAPE).json()["error"]["code"] == "Timeout"


def test_the_content_filter_has_two_shapes(sim: Running) -> None:
    documented = post(sim, DEPLOYED, SHAPE, **{"x-sim-fault": "content_filter;shape=a"})
    assert documented.status_code == 400
    assert documented.json()["error"] == {
        "code": "contentFilter",
        "message": "Your task failed as a result of our safety system.",
    }
    assert "created" in documented.json()
    after = post(sim, DEPLOYED, SHAPE, **{"x-sim-fault": "content_filter;shape=a;stage=output"})
    assert after.json()["error"]["message"].startswith("Generated image was filtered")
    seen = post(sim, DEPLOYED, SHAPE, **{"x-sim-fault": "content_filter;shape=b"})
    error = seen.json()["error"]
    assert (error["type"], error["code"]) == ("image_generation_user_error", "moderation_blocked")
    assert f"Azure support ticket and include the request ID {seen.headers['x-request-id']}" in error["message"]


def test_a_limit_per_minute_may_call_itself_a_quota(client: openai.AzureOpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        client.images.generate(**SHAPE, extra_headers={"x-sim-fault": "azure_quota;retry_after=0.5"})
    assert caught.value.code == "insufficient_quota"
    assert caught.value.response.headers["retry-after-ms"] == "500"
