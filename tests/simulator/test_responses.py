"""The image tool of the Responses API, through the official client and against its own types."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from harness.simulator.process import Running, spawn
from tests.simulator.asking import HEADERS, a_picture, decoded, truths
from tests.simulator.test_official_client import KEY

TOOL: dict[str, Any] = {"type": "image_generation", "quality": "low", "size": "1024x1024"}
ASKED: dict[str, Any] = {"model": "gpt-5.6", "input": "Draw a red apple", "tools": [TOOL]}
EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
IMAGE = "response.image_generation_call"
WHOLE = [
    "response.created", "response.in_progress", "response.output_item.added", f"{IMAGE}.in_progress",
    f"{IMAGE}.generating", f"{IMAGE}.partial_image", f"{IMAGE}.partial_image", f"{IMAGE}.completed",
    "response.output_item.done", "response.completed",
]  # fmt: skip


@pytest.fixture(scope="module")
def sim() -> Iterator[Running]:
    with spawn({"time_scale": 400, "seed": 6, "layers": {"beats": {"keepalive_s": 3}}}) as running:
        yield running


@pytest.fixture(scope="module")
def client(sim: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=KEY, base_url=sim.entries["direct"], max_retries=0) as asked:
        yield asked


def asked_for(partial_images: int = 0, **changes: Any) -> dict[str, Any]:
    return {**ASKED, "stream": True, "tools": [{**TOOL, "partial_images": partial_images, **changes}]}


def frames(sim: Running, body: dict[str, Any], entry: str = "direct", **headers: str) -> list[tuple[str, Any]]:
    """Events as they stand on the wire: name and data."""
    reply = httpx.post(f"{sim.entries[entry]}/responses", json=body, headers={**HEADERS, **headers}, timeout=30)
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in reply.text.removesuffix("\n\n").split("\n\n"):
        event, data = block.split("\n")
        found.append((event.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def test_a_plain_call_brings_a_response_with_the_image_and_two_usages(client: openai.OpenAI) -> None:
    answer = client.responses.create(**ASKED)
    assert (answer.status, answer.model, answer.error) == ("completed", "gpt-5.6", None)
    (item,) = answer.output
    assert item.type == "image_generation_call"
    assert decoded(item.result).size == (1024, 1024)
    assert (item.revised_prompt, item.status) == (None, "completed")
    assert answer.usage is not None
    assert answer.tool_usage is not None
    assert answer.tool_usage.image_gen.output_tokens == 196
    assert answer.usage.output_tokens < 100  # the text model's own
    type(answer).model_validate(answer.to_dict())


def test_events_come_in_the_apis_order_and_each_is_what_the_client_library_says(sim: Running) -> None:
    found = frames(sim, asked_for(2))
    assert [name for name, _ in found] == WHOLE
    assert [data["sequence_number"] for _, data in found] == list(range(len(WHOLE)))
    for name, data in found:
        assert data["type"] == name
        assert EVENTS.validate_python(data).type == name
    events = dict(found)
    partials = [data for name, data in found if name.endswith("partial_image")]
    assert [data["partial_image_index"] for data in partials] == [0, 1]
    assert all(decoded(data["partial_image_b64"]).format == "PNG" for data in partials)
    assert not {"b64_json", "result", "partial_image_b64"} & set(events[f"{IMAGE}.completed"])
    done = events["response.output_item.done"]["item"]
    assert decoded(done["result"]).size == (1024, 1024)
    assert done["revised_prompt"] is None
    final = events["response.completed"]["response"]
    assert final["tool_usage"]["image_gen"]["output_tokens"] == 196 + 200
    assert final["output"] == [done]
    ids = {data["item_id"] for name, data in found if name.startswith(IMAGE)} | {done["id"]}
    assert len(ids) == 1


def test_the_official_client_reads_a_stream_to_its_end(client: openai.OpenAI) -> None:
    events = list(client.responses.create(**asked_for(2)))
    assert [event.type for event in events] == WHOLE
    done = next(event for event in events if event.type == "response.output_item.done")
    assert done.item.type == "image_generation_call"
    assert decoded(done.item.result).format == "PNG"


def test_a_stream_may_have_no_partial_images(client: openai.OpenAI) -> None:
    kinds = [event.type for event in client.responses.create(**asked_for(0))]
    assert kinds == [name for name in WHOLE if not name.endswith("partial_image")]


def test_keepalives_are_events_that_take_a_sequence_number(sim: Running) -> None:
    found = frames(sim, asked_for(1), "beats")
    names = [name for name, _ in found]
    assert names.count("keepalive") >= 2
    assert [data["sequence_number"] for _, data in found] == list(range(len(found)))
    assert [name for name in names if name != "keepalive"] == [*WHOLE[:6], *WHOLE[7:]]
    assert all(set(data) == {"type", "sequence_number"} for name, data in found if name == "keepalive")


def test_a_text_model_stands_before_the_image_and_takes_its_two_to_six_seconds(tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    with spawn({"time_scale": 100, "seed": 3}, log=log) as sim:
        for path, body in (("images/generations", {"prompt": "x", "quality": "low"}), ("responses", asked_for(1))):
            httpx.post(
                f"{sim.entries['direct']}/{path}",
                json=body,
                headers={**HEADERS, "x-client-request-id": "a"},
                timeout=30,
            )
    image, response = truths(log)
    assert (image["api"], response["api"]) == ("images.generations", "responses")
    assert 2 <= response["latency_s"] - image["latency_s"] <= 6
    moments = [(event["planned_ns"] - response["received_ns"]) / 1e9 * 100 for event in response["events"]]
    assert moments[:2] == pytest.approx([0.3, 0.3], abs=0.01)
    assert 2 <= moments[2] <= 6
    done = next(event for event in response["events"] if event["kind"] == "completed")
    assert (done["planned_ns"] - response["received_ns"]) / 1e9 * 100 == pytest.approx(response["latency_s"], abs=0.01)


def test_images_in_the_input_are_counted_as_references(tmp_path: Path) -> None:
    log, data = tmp_path / "truth.jsonl", a_picture()
    url = "data:image/png;base64," + base64.b64encode(data).decode()
    content = [{"type": "input_text", "text": "Make it blue"}, {"type": "input_image", "image_url": url}]
    with (
        spawn({"time_scale": 400}, log=log) as sim,
        openai.OpenAI(api_key=KEY, base_url=sim.entries["direct"], max_retries=0) as client,
    ):
        answer = client.responses.create(**{**ASKED, "input": [{"role": "user", "content": content}]})
    (item,) = answer.output
    assert item.type == "image_generation_call"
    assert item.action == "edit"
    assert answer.tool_usage is not None
    assert answer.tool_usage.image_gen.input_tokens_details.image_tokens == 1496
    (record,) = truths(log)
    assert (record["reference_images"], record["reference_bytes"]) == (1, len(data))


REFUSED: list[tuple[dict[str, Any], str, str | None]] = [
    ({"model": "gpt-image-2"}, "unsupported_model", "model"),
    ({"tools": []}, "missing_required_parameter", "tools"),
    ({"input": ""}, "missing_required_parameter", "input"),
    ({"extra_body": {"colour": "red"}}, "unknown_parameter", "colour"),
    ({"tools": [{**TOOL, "size": "512x512"}]}, "invalid_value", "tools[0].size"),
    ({"tools": [{"type": "web_search"}, {**TOOL, "quality": "hd"}]}, "invalid_value", "tools[1].quality"),
    ({"tools": [{**TOOL, "n": 2}]}, "unknown_parameter", "tools[0].n"),
    ({"tools": [{**TOOL, "partial_images": 4}]}, "integer_above_max_value", "tools[0].partial_images"),
    ({"tools": [{**TOOL, "input_fidelity": "high"}]}, "invalid_input_fidelity_model", "tools[0].input_fidelity"),
]


@pytest.mark.parametrize(("changes", "code", "param"), REFUSED, ids=[str(row[2]) for row in REFUSED])
def test_a_mistake_is_refused_and_named_where_it_stands(
    client: openai.OpenAI, changes: dict[str, Any], code: str, param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(**{**ASKED, **changes})
    assert (caught.value.code, caught.value.param) == (code, param)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_response_that_fails_says_so_in_itself(sim: Running, client: openai.OpenAI, streamed: bool) -> None:
    headers = {"x-sim-fault": "response_failed"}
    if streamed:
        events = list(client.responses.create(**asked_for(1), extra_headers=headers))
        assert events[-1].type == "response.failed"
        answer = events[-1].response
        numbers = [data["sequence_number"] for _, data in frames(sim, asked_for(1), **headers)]
        assert numbers == list(range(len(numbers)))
    else:
        answer = client.responses.create(**ASKED, extra_headers=headers)
    assert (answer.status, answer.output) == ("failed", [])
    assert answer.error is not None
    assert answer.error.code == "server_error"


def test_a_shed_comes_as_keepalive_error_and_failure(sim: Running) -> None:
    found = frames(sim, asked_for(0), **{"x-sim-fault": "keepalive_then_failed"})
    assert [name for name, _ in found][-3:] == ["keepalive", "error", "response.failed"]
    assert found[-2][1]["message"].startswith("Our servers are currently overloaded")
    assert found[-1][1]["response"]["error"]["code"] == "server_is_overloaded"
    assert [data["sequence_number"] for _, data in found] == list(range(len(found)))


def test_an_item_may_fail_by_itself(client: openai.OpenAI) -> None:
    events = list(client.responses.create(**asked_for(0), extra_headers={"x-sim-fault": "item_failed"}))
    done = next(event for event in events if event.type == "response.output_item.done")
    assert done.item.type == "image_generation_call"
    assert (done.item.status, done.item.result) == ("failed", None)
    assert done.item.error is not None
    assert (done.item.error.code, done.item.error.moderation_details is not None) == ("moderation_blocked", True)


def test_faults_of_streams_keep_what_was_under_way(sim: Running) -> None:
    names = [name for name, _ in frames(sim, asked_for(2), **{"x-sim-fault": "stream_error_b"})]
    assert names == [*WHOLE[:7], "error"]
    names = [name for name, _ in frames(sim, asked_for(2), **{"x-sim-fault": "silent_end"})]
    assert names == WHOLE[:8]


def test_faults_of_responses_are_refused_elsewhere(sim: Running) -> None:
    reply = httpx.post(
        f"{sim.entries['direct']}/images/generations",
        json={"prompt": "x"},
        headers={**HEADERS, "x-sim-fault": "response_failed"},
        timeout=30,
    )
    assert reply.status_code == 400
    assert "response_failed" in reply.json()["error"]["message"]
