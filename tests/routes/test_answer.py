"""Answers of every shape that is documented or has been seen, read as plain data; bad data never raises."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.routes.answer import read_images_answer
from harness.routes.base import Answer
from harness.wire.caps import Caps
from harness.wire.scrub import Scrubber
from harness.wire.stamp import at
from harness.wire.trace import Trace

TYPES = st.sampled_from(["application/json", "text/event-stream", "text/html", "", "image/png"])
B64 = "QUJD" * 40
SHARED = {"size": "1024x1024", "quality": "high", "background": "opaque", "output_format": "png"}
USAGE = {"total_tokens": 110, "input_tokens": 10, "output_tokens": 100, "input_tokens_details": {"text_tokens": 10}}


def frame(kind: str, named: bool = True, **data: Any) -> bytes:
    line = f"event: {kind}\n" if named else ""
    return f"{line}data: {json.dumps({'type': kind, **data})}\n\n".encode()


PARTIAL = frame("image_generation.partial_image", b64_json=B64, partial_image_index=0, **SHARED)
COMPLETED = frame("image_generation.completed", b64_json=B64, usage=USAGE, **SHARED)


def read(
    *chunks: bytes, content_type: str = "text/event-stream", whole: bool = True, status: int | None = None
) -> Answer:
    trace = Trace(Caps())
    trace.http_status = status
    trace.headers = [("content-type", content_type)]
    for number, chunk in enumerate(chunks, start=1):
        trace.body.add(chunk, at(number * 1000))
    trace.body_end_ns = len(chunks) * 1000 if whole else None
    return read_images_answer(trace, Scrubber(prompt="a prompt that nobody repeats"))


def test_a_stream_gives_partials_final_usage_and_resolved_fields() -> None:
    answer = read(PARTIAL, COMPLETED)
    assert answer.partials == ((at(1000), at(1000)),)
    assert [(p.encoded, p.first.ns, p.whole.ns) for p in answer.finals] == [(B64.encode(), 2000, 2000)]
    assert answer.first_event == at(1000)
    assert (answer.resolved_size, answer.resolved_quality, answer.resolved_format) == ("1024x1024", "high", "png")
    assert answer.usage is not None
    assert answer.usage.output_tokens == 100


def test_comments_and_keepalive_events_are_counted_and_are_no_first_event() -> None:
    keepalive = b'event: keepalive\ndata: {"type":"keepalive","sequence_number":1}\n\n'
    answer = read(b": hello\n\n", keepalive, b"event: ping\ndata:\n\n", PARTIAL, COMPLETED)
    assert answer.sse_comments == 1
    assert answer.first_event == at(4000)
    assert answer.sse_events == 2
    assert "keepalive_events" in answer.notes


def test_a_done_sentinel_is_no_event() -> None:
    answer = read(COMPLETED, b"data: [DONE]\n\n")
    assert len(answer.finals) == 1
    assert answer.notes == ("done_sentinel",)


def test_frames_without_their_event_line_are_told_by_their_type() -> None:
    answer = read(COMPLETED.split(b"\n", 1)[1])
    assert len(answer.finals) == 1


def test_a_last_frame_without_its_blank_line_still_counts() -> None:
    answer = read(COMPLETED[:-1])
    assert len(answer.finals) == 1
    assert "last_frame_unterminated" in answer.notes


def test_a_frame_cut_in_the_middle_is_no_image() -> None:
    answer = read(PARTIAL, COMPLETED[:100], whole=False)
    assert (len(answer.partials), answer.finals) == (1, ())
    assert "frame_cut" in answer.notes


def test_a_stream_without_a_completed_frame_has_no_final() -> None:
    assert read(PARTIAL).finals == ()


def test_n_images_are_n_finals_with_their_own_stamps() -> None:
    answer = read(COMPLETED, COMPLETED, COMPLETED)
    assert [payload.whole.ns for payload in answer.finals] == [1000, 2000, 3000]


@pytest.mark.parametrize(
    "data",
    [
        {"type": "error", "error": {"type": "server_error", "code": "broke", "message": "It broke.", "param": None}},
        {"type": "error", "code": "broke", "message": "It broke.", "param": None, "sequence_number": 2},
        {"error": {"code": "broke", "message": "It broke."}},
    ],
)
def test_errors_inside_a_stream_are_found_in_every_shape(data: dict[str, Any]) -> None:
    answer = read(PARTIAL, f"data: {json.dumps(data)}\n\n".encode())
    assert answer.error is not None
    assert (answer.error.code, answer.error.message, answer.error.in_stream) == ("broke", "It broke.", True)


def test_an_error_of_null_is_no_error() -> None:
    answer = read(frame("image_generation.completed", b64_json=B64, error=None, **SHARED))
    assert answer.error is None
    assert len(answer.finals) == 1


def test_json_where_a_stream_was_expected_is_read_as_json_and_the_other_way_round() -> None:
    body = json.dumps({"created": 1, "data": [{"b64_json": B64}], "usage": USAGE, **SHARED}).encode()
    assert len(read(body).finals) == 1
    assert len(read(COMPLETED, content_type="application/json").finals) == 1


def test_white_space_before_json_is_a_keepalive_and_no_harm() -> None:
    body = json.dumps({"data": [{"b64_json": B64}]}).encode()
    answer = read(b" \n", b" \n", body[:50], body[50:], content_type="application/json")
    assert [(payload.first.ns, payload.whole.ns) for payload in answer.finals] == [(3000, 4000)]


@pytest.mark.parametrize("error", ["", {}, False, []])
def test_an_error_that_is_empty_is_no_error(error: object) -> None:
    answer = read(json.dumps({"data": [{"b64_json": B64}], "error": error}).encode(), content_type="application/json")
    assert (answer.error, len(answer.finals)) == (None, 1)


def test_an_error_inside_a_200_is_an_error() -> None:
    answer = read(b'{"error":{"message":"Your task failed","code":"contentFilter"}}', content_type="application/json")
    assert answer.error is not None
    assert answer.error.code == "contentFilter"
    assert answer.finals == ()


def test_an_error_that_is_a_text_or_a_number_code_is_read() -> None:
    assert read(b'{"error":"nope"}', content_type="application/json").error is not None
    numbered = read(b'{"error":{"code":429,"message":"x"}}', content_type="application/json").error
    assert numbered is not None
    assert numbered.code == "429"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"message": "Endpoint request timed out"}, (None, None, "Endpoint request timed out")),
        ({"code": "IDLE_TIMEOUT", "message": "150s reached"}, (None, "IDLE_TIMEOUT", "150s reached")),
        ({"errorType": "Sandbox.Timedout", "errorMessage": "timed out"}, ("Sandbox.Timedout", None, "timed out")),
        ({"error_code": 524, "error_name": "origin_response_timeout"}, ("origin_response_timeout", "524", None)),
        (
            {"statusCode": 504, "code": "FST_X", "error": "Gateway Timeout", "message": "It took long"},
            (None, "FST_X", "It took long"),
        ),
    ],
)
def test_a_layers_own_error_without_an_envelope_is_read_on_a_failure(
    body: dict[str, Any], said: tuple[str | None, ...]
) -> None:
    error = read(json.dumps(body).encode(), content_type="application/json", status=504).error
    assert error is not None
    assert (error.type, error.code, error.message) == said


def test_a_message_in_a_success_is_no_error() -> None:
    assert read(b'{"message": "hello"}', content_type="application/json", status=200).error is None


def test_a_moderation_stage_is_kept_and_a_prompt_in_the_message_is_not() -> None:
    trace = Trace(Caps())
    error = {"message": "Rejected: paint my cat Mimi in blue", "code": "moderation_blocked", "type": "t",
             "moderation_details": {"moderation_stage": "input"}}  # fmt: skip
    trace.body.add(json.dumps({"error": error}).encode(), at(1))
    answer = read_images_answer(trace, Scrubber(prompt="Please paint my cat Mimi in blue"))
    assert answer.error is not None
    assert answer.error.moderation_stage == "input"
    assert answer.error.message is None
    assert answer.error.message_chars == 35
    assert answer.error.fingerprint


def test_a_page_is_a_page_and_its_head_is_kept() -> None:
    answer = read(b"<html><head><title>504 Gateway Time-out</title></head></html>", content_type="text/html")
    assert (answer.body_kind, answer.finals) == ("html", ())
    assert "504 Gateway Time-out" in (answer.body_head or "")


def test_a_result_by_url_is_said_and_not_called_empty_in_silence() -> None:
    answer = read(b'{"data":[{"url":"https://cdn.example/x.png"}]}', content_type="application/json")
    assert answer.links == ("https://cdn.example/x.png",)
    assert answer.linked == ((at(1000), at(1000)),)
    assert answer.finals == ()


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"[" * 5000, b'{"data":null}', b'{"data":[null,1,{"b64_json":5}]}', b"\xff\xfe{", b'{"a":', b"{}x"],
)
def test_odd_json_is_an_answer_without_an_image(body: bytes) -> None:
    assert read(body, content_type="application/json").finals == ()


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=300), st.sampled_from(["application/json", "text/event-stream", "text/html", "", "image/png"])
)
def test_arbitrary_bytes_never_raise(body: bytes, content_type: str) -> None:
    read(body, content_type=content_type)


WORDS = st.sampled_from(["data", "error", "usage", "size", "type", "b64_json", "code", "message", "errorType"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_arbitrary_json_never_raises(value: Any) -> None:
    text = json.dumps(value).encode()
    read(text, content_type="application/json")
    read(text, content_type="application/json", status=502)
    read(b"event: image_generation.completed\ndata: " + text + b"\n\n")
