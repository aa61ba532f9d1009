"""What gateways do to answers that pass: headers they add and drop, streams they break, calls they repeat."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from harness.simulator.process import Running, spawn
from tests.simulator.asking import HEADERS, LOW, a_picture, decoded, post, truths

PRODUCTS = ("litellm", "portkey", "openrouter", "cloudflare_aig", "kong", "new_api")
TOOL = {"type": "image_generation", "quality": "low", "size": "1024x1024"}
STREAMED = {**LOW, "stream": True, "partial_images": 1}
WORLD: dict[str, Any] = {
    "time_scale": 300,
    "seed": 2,
    "layers": {
        **{name: {"imitates": name} for name in PRODUCTS},
        "cached": {"imitates": "cloudflare_aig", "cache": True},
    },
}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gateways") / "truth.jsonl"


@pytest.fixture(scope="module")
def sim(log: Path) -> Iterator[Running]:
    with spawn(WORLD, log=log) as running:
        yield running


def record_of(log: Path, client_id: str) -> dict[str, Any]:
    """The record of one request; it is written shortly after its answer."""
    for _ in range(100):
        found = [record for record in truths(log) if record["client_request_id"] == client_id]
        if found:
            return found[0]
        time.sleep(0.05)
    raise AssertionError(f"no record of {client_id}")


def edit(sim: Running, entry: str) -> httpx.Response:
    files = {"image": ("a.png", a_picture(), "image/png")}
    return httpx.post(f"{sim.entries[entry]}/images/edits", data=LOW, files=files, headers=HEADERS, timeout=30)


@pytest.mark.parametrize("name", PRODUCTS)
def test_an_image_passes_every_gateway(sim: Running, name: str) -> None:
    with openai.OpenAI(api_key="sk-sim-test", base_url=sim.entries[name], max_retries=0) as client:
        answer = client.images.generate(prompt="x", quality="low")
    assert decoded((answer.data or [])[0].b64_json).format == "PNG"


def test_litellm_drops_every_header_of_a_generation_and_adds_its_own(sim: Running) -> None:
    reply = post(sim, "litellm", LOW)
    theirs = {name for name in reply.headers if not name.startswith("x-litellm-")}
    assert theirs <= {"content-type", "content-length", "date", "server", "x-simulator-time-scale"}
    ours = {"call-id", "model-id", "version", "response-cost", "response-duration-ms"}
    assert {f"x-litellm-{name}" for name in ours} <= set(reply.headers)
    assert "x-litellm-attempted-retries" not in reply.headers
    assert float(reply.headers["x-litellm-response-cost"]) == pytest.approx(196 * 30e-6, rel=0.02)
    assert float(reply.headers["x-litellm-response-duration-ms"]) > 1000
    assert reply.json()["data"][0]["revised_prompt"] is None


def test_litellm_passes_headers_of_an_edit_under_names_of_its_own(sim: Running) -> None:
    headers = edit(sim, "litellm").headers
    assert headers["llm_provider-x-request-id"].startswith("req_")
    assert int(headers["llm_provider-openai-processing-ms"]) > 1000
    assert (headers["x-litellm-attempted-retries"], headers["x-litellm-attempted-fallbacks"]) == ("0", "0")
    assert "x-request-id" not in headers


def test_litellm_makes_a_streamed_generation_three_times_and_hands_on_none(tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    with spawn(WORLD, log=log) as sim:
        reply = post(sim, "litellm", STREAMED)
    error = reply.json()["error"]
    assert (reply.status_code, error["type"], error["code"]) == (500, "internal_server_error", "500")
    assert "'str' object has no attribute 'model_dump'" in error["message"]
    (record,) = truths(log)
    assert record["upstream_calls"] == 3
    assert record["billed_output_tokens"] == 3 * (196 + 100)
    took_s = (record["response_end_ns"] - record["received_ns"]) / 1e9 * 300
    assert took_s >= 3 * record["latency_s"]


def test_litellm_lets_the_image_tool_stream(sim: Running) -> None:
    body = {"model": "gpt-5.6", "input": "x", "stream": True, "tools": [{**TOOL, "partial_images": 1}]}
    reply = httpx.post(f"{sim.entries['litellm']}/responses", json=body, headers=HEADERS, timeout=30)
    assert reply.text.count("event: response.image_generation_call.partial_image") == 1
    assert "x-litellm-overhead-duration-ms" in reply.headers


def test_litellm_takes_codes_and_details_out_of_errors(sim: Running) -> None:
    blocked = post(sim, "litellm", LOW, **{"x-sim-fault": "moderation_input"}).json()["error"]
    assert (blocked["type"], blocked["code"]) == ("image_generation_user_error", "400")
    assert "moderation_details" not in blocked
    limited = post(sim, "litellm", LOW, **{"x-sim-fault": "429"})
    assert (limited.status_code, limited.json()["error"]["type"]) == (429, "throttling_error")
    assert "retry-after" not in limited.headers
    cut = post(sim, "litellm", LOW, **{"x-sim-fault": "cut;after=silence"})
    assert (cut.status_code, "APIConnectionError" in cut.text) == (500, True)


def test_portkey_passes_headers_and_drops_parameters_that_it_does_not_know(sim: Running, log: Path) -> None:
    named = {"x-client-request-id": "portkey-jpeg"}
    reply = post(sim, "portkey", {**LOW, "output_format": "jpeg", "output_compression": 50}, **named)
    assert reply.headers["x-request-id"].startswith("req_")
    assert reply.headers["x-portkey-cache-status"] == "DISABLED"
    assert reply.headers["x-portkey-retry-attempt-count"] == "0"
    assert decoded(reply.json()["data"][0]["b64_json"]).format == "PNG"
    assert record_of(log, "portkey-jpeg")["output_format"] == "png"


def test_portkey_breaks_on_a_stream_once_the_image_is_made(sim: Running, log: Path) -> None:
    reply = post(sim, "portkey", STREAMED, **{"x-client-request-id": "portkey-stream"})
    assert (reply.status_code, reply.json()["message"]) == (500, "Something went wrong")
    assert reply.headers["x-portkey-gateway-exception"] == "true"
    record = record_of(log, "portkey-stream")
    assert (record["finished"], record["billed_output_tokens"], record["stream"]) == (True, 196, False)
    assert record["response_end_ns"] >= record["made_ns"]


def test_portkey_says_whose_error_it_is(sim: Running) -> None:
    value = post(sim, "portkey", LOW, **{"x-sim-fault": "500"}).json()
    assert value["provider"] == "openai"
    assert value["error"]["message"].startswith("openai error: ")
    assert "<h1>524" in post(sim, "portkey", LOW, **{"x-sim-fault": "524html"}).json()["html-message"]


def test_openrouter_tells_the_cost_and_fills_silence_with_comments(sim: Running) -> None:
    plain = post(sim, "openrouter", LOW)
    assert plain.json()["data"][0]["media_type"] == "image/png"
    assert plain.json()["usage"]["cost"] == pytest.approx(196 * 30e-6, rel=0.02)
    assert plain.headers["x-generation-id"].startswith("gen-")
    assert plain.headers["x-provider-name"] == "OpenAI"
    assert "x-request-id" not in plain.headers
    blocks = post(sim, "openrouter", {**STREAMED, "quality": "high"}).text.strip().split("\n\n")
    comments = [block for block in blocks if block.startswith(":")]
    assert set(comments) == {": OPENROUTER PROCESSING"}
    frames = [block for block in blocks if not block.startswith(":")]
    assert all(frame.startswith("data: ") for frame in frames)
    assert frames.pop() == "data: [DONE]"
    events = [json.loads(frame.removeprefix("data: ")) for frame in frames]
    assert [event["type"].rpartition(".")[2] for event in events] == ["partial_image", "completed"]
    assert events[-1]["usage"]["cost"] > 0


def test_cloudflares_gateway_answers_a_repeated_request_from_its_cache(tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    with spawn(WORLD, log=log) as sim:
        first, second = post(sim, "cached", LOW), post(sim, "cached", LOW)
        other = post(sim, "cached", {**LOW, "n": 2})
        plain = post(sim, "cloudflare_aig", LOW)
    assert [reply.headers["cf-aig-cache-status"] for reply in (first, second, other)] == ["MISS", "HIT", "MISS"]
    assert {"cf-aig-log-id", "cf-aig-event-id", "cf-aig-step", "x-request-id"} <= set(plain.headers)
    assert "cf-aig-cache-status" not in plain.headers
    assert second.content == first.content
    made, remembered, *_ = truths(log)
    assert (made["upstream_calls"], made["billed_output_tokens"]) == (1, 196)
    assert (remembered["upstream_calls"], remembered["billed_output_tokens"]) == (0, 0)
    assert remembered["finished"] is False
    assert (remembered["response_end_ns"] - remembered["received_ns"]) < (made["made_ns"] - made["received_ns"]) / 2


def test_kong_tells_how_long_it_waited(sim: Running) -> None:
    headers = post(sim, "kong", LOW).headers
    assert int(headers["x-kong-upstream-latency"]) == pytest.approx(int(headers["openai-processing-ms"]), abs=2)
    assert int(headers["x-kong-proxy-latency"]) < 50
    assert re.fullmatch("[0-9a-f]{32}", headers["x-kong-request-id"])
    assert headers["via"] == "1.1 kong/3.9.1"
    assert headers["x-request-id"].startswith("req_")


def test_new_api_writes_its_id_into_errors_and_ends_streams_with_a_sentinel(sim: Running) -> None:
    refused = post(sim, "new_api", {**LOW, "size": "512x512"})
    name = refused.headers["x-oneapi-request-id"]
    assert refused.json()["error"]["message"].endswith(f" (request id: {name})")
    assert refused.json()["error"]["code"] == "invalid_value"
    blocks = post(sim, "new_api", STREAMED).text.strip().split("\n\n")
    assert all(block.startswith("data: ") for block in blocks)
    assert blocks[-1] == "data: [DONE]"
    with openai.OpenAI(api_key="sk-sim-test", base_url=sim.entries["new_api"], max_retries=0) as client:
        kinds = [event.type for event in client.images.generate(prompt="x", quality="low", stream=True)]
    assert kinds == ["image_generation.completed"]


@pytest.mark.parametrize(
    ("name", "header"), [("litellm", "x-litellm-attempted-retries"), ("portkey", "x-portkey-retry-attempt-count")]
)
def test_calls_that_a_gateway_repeats_take_time_are_billed_and_are_told(tmp_path: Path, name: str, header: str) -> None:
    log = tmp_path / "truth.jsonl"
    layers = {"once": {"imitates": name}, "often": {"imitates": name, "gateway_retries": 2}}
    with spawn({"time_scale": 300, "layers": layers}, log=log) as sim:
        told = [edit(sim, entry).headers[header] for entry in layers]
        refused = post(sim, "often", {})
    assert told == ["0", "2"]
    assert refused.status_code == 400
    once, often, wrong = truths(log)
    assert (once["upstream_calls"], often["upstream_calls"], wrong["upstream_calls"]) == (1, 3, 1)
    assert often["billed_output_tokens"] == 3 * once["billed_output_tokens"] == 3 * 196
    assert (often["made_ns"] - often["received_ns"]) / 1e9 * 300 >= 3 * often["latency_s"]


GIVING_UP = {
    "kong": (504, "The upstream server is timing out"),
    "openrouter": (408, "timed out"),
    "new_api": (500, "(request id: "),
    "cloudflare_aig": (408, "did not answer in time"),
}


def test_each_gateway_gives_up_in_its_own_way() -> None:
    layers = {name: {"imitates": name, "cap_s": 2} for name in GIVING_UP}
    with spawn({"time_scale": 50, "layers": layers}) as sim:
        for name, (status, words) in GIVING_UP.items():
            reply = post(sim, name)
            assert (reply.status_code, words in reply.text) == (status, True), name
