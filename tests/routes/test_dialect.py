"""What values say, by the API that they come from: the published shapes, gateways' own, and anything at all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.routes.answer import read_answer
from harness.routes.base import Answer
from harness.routes.dialect import IMAGES, RESPONSES, Dialect, Said
from harness.wire.caps import Caps
from harness.wire.scrub import Scrubber
from harness.wire.stamp import at
from harness.wire.trace import Trace

B64 = "QUJD" * 300
MADE = {"size": "1024x1024", "quality": "high", "background": "opaque", "output_format": "png"}
IMAGE_TOKENS = {
    "total_tokens": 110, "input_tokens": 10, "output_tokens": 100,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 0},
}  # fmt: skip
TEXT_TOKENS = {"total_tokens": 9, "input_tokens": 5, "output_tokens": 4}
DONE_CALL = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": B64, **MADE}
MESSAGE = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Here it is."}]}
RESPONSE = {
    "id": "resp_1", "object": "response", "status": "completed", "error": None, "incomplete_details": None,
    "output": [{"type": "reasoning", "summary": []}, DONE_CALL, MESSAGE],
    "usage": TEXT_TOKENS, "tool_usage": {"image_gen": IMAGE_TOKENS},
}  # fmt: skip


def event(kind: str, **data: Any) -> tuple[str, dict[str, Any]]:
    return kind, {"type": kind, "sequence_number": 1, **data}


STREAM = [
    event("response.created", response={**RESPONSE, "status": "in_progress", "output": []}),
    event("response.in_progress", response={**RESPONSE, "status": "in_progress", "output": []}),
    event("response.output_item.added", item={"type": "image_generation_call", "status": "in_progress"}),
    event("response.image_generation_call.in_progress", item_id="ig_1"),
    event("response.image_generation_call.generating", item_id="ig_1"),
    event("keepalive"),
    event("response.image_generation_call.partial_image", partial_image_b64=B64, partial_image_index=0, **MADE),
    event("response.image_generation_call.completed", item_id="ig_1"),
    event("response.output_item.done", item=DONE_CALL),
    event("response.output_item.done", item=MESSAGE),
    event("response.completed", response=RESPONSE),
]


def read(dialect: Dialect, *events: tuple[str, Any], body: Any = None) -> Answer:
    trace = Trace(Caps())
    trace.headers = [("content-type", "application/json" if body is not None else "text/event-stream")]
    pieces = [f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode() for kind, data in events]
    for number, piece in enumerate(pieces if body is None else [json.dumps(body).encode()], start=1):
        trace.body.add(piece, at(number * 1000))
    trace.body_end_ns = 99_000
    return read_answer(trace, Scrubber(prompt="a heron in the morning fog"), dialect)


def test_a_response_gives_the_images_of_its_tool_calls_and_the_tools_own_tokens() -> None:
    answer = read(RESPONSES, body=RESPONSE)
    assert [payload.encoded for payload in answer.finals] == [B64.encode()]
    assert (answer.resolved_size, answer.resolved_quality, answer.resolved_format) == ("1024x1024", "high", "png")
    assert answer.usage is not None
    assert (answer.usage.total_tokens, answer.usage.output_tokens, answer.usage.input_text_tokens) == (110, 100, 10)
    assert (answer.error, answer.links) == (None, ())


def test_tokens_of_the_text_model_are_not_taken_for_the_images() -> None:
    assert read(RESPONSES, body={**RESPONSE, "tool_usage": None}).usage is None


def test_a_stream_of_the_responses_api_has_one_image_where_it_came_and_counts_no_heartbeat() -> None:
    answer = read(RESPONSES, *STREAM)
    assert [(payload.encoded, payload.whole) for payload in answer.finals] == [(B64.encode(), at(9000))]
    assert answer.partials == ((at(7000), at(7000)),)
    assert answer.sse_events == len(STREAM) - 1
    assert answer.notes == ("keepalive_events",)
    assert answer.usage is not None
    assert answer.usage.output_tokens == 100
    assert answer.resolved_size == "1024x1024"


@pytest.mark.parametrize(
    ("events", "code", "message"),
    [
        ([event("error", code="server_is_overloaded", message="Overloaded.", param=None)], "server_is_overloaded",
         "Overloaded."),
        ([event("error", error={"code": "x", "message": "m"})], "x", "m"),
        ([event("keepalive"), event("error", code="a", message="first"),
          event("response.failed", response={**RESPONSE, "error": {"code": "b", "message": "second"}})], "a", "first"),
        ([event("response.failed", response={"error": {"code": "server_error", "message": "Sorry."}})], "server_error",
         "Sorry."),
        ([event("response.failed", response={"status": "failed", "error": None, "output": []})], "failed",
         "the response is failed"),
        ([event("response.incomplete", response={"status": "incomplete", "error": None,
          "incomplete_details": {"reason": "content_filter"}})], "content_filter", "the response is incomplete"),
        ([event("response.output_item.done", item={"type": "image_generation_call", "status": "failed",
          "error": {"code": "moderation_blocked", "type": "t", "message": "No.",
                    "moderation_details": {"moderation_stage": "output"}}})], "moderation_blocked", "No."),
    ],
)  # fmt: skip
def test_failures_of_a_stream_are_errors_in_every_place_where_they_stand(
    events: list[tuple[str, Any]], code: str, message: str
) -> None:
    answer = read(RESPONSES, STREAM[0], *events)
    assert answer.error is not None
    assert (answer.error.code, answer.error.message, answer.error.in_stream) == (code, message, True)
    assert answer.finals == ()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"error": {"code": "rate_limit_exceeded", "message": "Later."}}, "rate_limit_exceeded"),
        (
            {"output": [{"type": "image_generation_call", "error": {"code": "moderation_blocked"}}]},
            "moderation_blocked",
        ),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "max_output_tokens"),
        ({"status": "failed", "output": []}, "failed"),
        ({"status": "cancelled", "output": []}, "cancelled"),
    ],
)
def test_failures_of_a_whole_response_are_errors(change: dict[str, Any], code: str) -> None:
    answer = read(RESPONSES, body={**RESPONSE, **change})
    assert answer.error is not None
    assert (answer.error.code, answer.error.in_stream) == (code, False)


def test_a_response_whose_model_only_talked_has_no_image_and_no_error() -> None:
    answer = read(RESPONSES, body={**RESPONSE, "output": [MESSAGE]})
    assert (answer.finals, answer.error) == ((), None)


@pytest.mark.parametrize("family", ["image_generation", "image_edit"])
def test_events_of_generations_and_edits_are_read_alike(family: str) -> None:
    answer = read(
        IMAGES,
        event(f"{family}.partial_image", b64_json=B64, partial_image_index=0, **MADE),
        event(f"{family}.completed", b64_json=B64, usage=IMAGE_TOKENS, **MADE),
    )
    assert (len(answer.partials), [payload.whole for payload in answer.finals]) == (1, [at(2000)])
    assert answer.usage is not None
    assert answer.resolved_quality == "high"


def test_links_stand_in_for_images_only_where_there_are_none() -> None:
    link = "https://cdn.example/a.png"
    assert IMAGES.said(None, {"data": [{"url": link}, {"url": ""}, {"url": 5}, None]}).links == (link,)
    both = IMAGES.said(None, {"data": [{"url": link, "b64_json": B64}]})
    assert (both.images, both.links) == ((B64,), ())
    assert IMAGES.said("image_generation.completed", {"url": link}).links == (link,)


def test_events_that_nobody_knows_are_marked_and_harmless() -> None:
    assert IMAGES.said("image_generation.progress", {"percent": 5}) == Said(known=False)
    assert RESPONSES.said("codex.heartbeat", {"a": 1}) == Said(known=False)
    assert RESPONSES.said("response.brand_new", {"a": 1}) == Said(known=True)


def test_an_answer_of_the_other_api_has_no_image_and_does_not_raise() -> None:
    assert read(IMAGES, *STREAM).finals == ()
    assert read(IMAGES, body=RESPONSE).finals == ()
    assert read(RESPONSES, body={"created": 1, "data": [{"b64_json": B64}]}).finals == ()


KINDS = st.sampled_from(
    [None, "", "error", "x.completed", "x.partial_image", *(kind for kind, _ in STREAM), "response.failed",
     "response.incomplete"]
)  # fmt: skip
NAMES = st.sampled_from(
    ["data", "b64_json", "url", "type", "error", "response", "output", "item", "result", "status", "incomplete_details",
     "reason", "tool_usage", "image_gen", "usage", "size", "quality", "code", "message", "moderation_details"]
)  # fmt: skip
WORDS = st.sampled_from(["error", "image_generation_call", "incomplete", "failed", B64, "https://h/x"]) | st.text(
    max_size=5
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=20,
)


@pytest.mark.parametrize("dialect", [IMAGES, RESPONSES], ids=["images", "responses"])
@settings(max_examples=250, deadline=None)
@given(kind=KINDS, value=st.dictionaries(NAMES, JSON, max_size=8), body=JSON)
def test_any_value_says_something(dialect: Dialect, kind: str | None, value: dict[str, Any], body: Any) -> None:
    said = dialect.said(kind, value)
    assert all(isinstance(link, str) and link for link in said.links)
    assert not (said.images and said.links)
    assert said.error is None or isinstance(said.error, dict)
    read(dialect, (kind or "x", value), (kind or "x", body))
    read(dialect, body=body)
