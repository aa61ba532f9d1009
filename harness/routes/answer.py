"""An answer as plain data: JSON, stream or something else, whatever was asked for.

Pure: stamped bytes in, `Answer` out. What came decides how it is read, not what was requested, for gateways answer
streams with JSON and JSON with streams. Shapes and oddities are those of the published wire description and of
captures of gateways; every one of them has a test.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from harness.events import ApiError, BodyKind, Usage
from harness.routes.base import Answer, Payload
from harness.routes.dialect import IMAGES, Dialect, Said
from harness.routes.payload import Cut, cut_base64
from harness.wire.body import BodyTooLarge, StampedBody
from harness.wire.scrub import Scrubber, fingerprint
from harness.wire.sse import Frame, FrameTooLarge, SseDecoder
from harness.wire.stamp import Stamp
from harness.wire.trace import Trace

KEEPALIVE_TYPES = frozenset({"keepalive", "keep-alive", "ping", "heartbeat"})


def read_images_answer(trace: Trace, scrubber: Scrubber) -> Answer:
    """What `read_answer` makes of it in the Images API's words."""
    return read_answer(trace, scrubber, IMAGES)


def read_answer(trace: Trace, scrubber: Scrubber, dialect: Dialect) -> Answer:
    """Interpret the body that `trace` holds, complete or cut."""
    if trace.over_limit:
        return Answer(body_kind="binary", notes=("answer_too_large",))
    headers = dict(trace.headers)
    try:
        body = trace.body.decoded(headers.get("content-encoding", ""))
        kind = body_kind(headers.get("content-type", ""), body)
        if kind == "sse":
            return _read_stream(body, scrubber, dialect)
    except (BodyTooLarge, FrameTooLarge):
        return Answer(body_kind="binary", notes=("answer_too_large",))
    if kind == "json":
        return _read_json(trace, body, scrubber, dialect)
    head = None
    if kind in {"html", "text"}:
        head = scrubber.head(body.head(4096).decode("utf-8", "replace"))
    return Answer(body_kind=kind, body_head=head)


def body_kind(content_type: str, body: StampedBody) -> BodyKind:
    """What a body is, by its first bytes first (gateways mislabel) and by its label where those do not tell."""
    if not body:
        return "empty"
    start = body.head(512)
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    label = content_type.partition(";")[0].strip().lower()
    if text[:1] in (b"{", b"["):
        return "json"
    if label == "text/event-stream" or text.startswith((b"event:", b"data:", b": ", b":\n")):
        return "sse"
    lowered = text[:64].lower()
    if lowered.startswith((b"<!doctype html", b"<html", b"<head", b"<center", b"<h1")) or label == "text/html":
        return "html"
    if not text:
        return "empty"
    if label == "application/json":
        return "json"
    if label.startswith("text/") or (label == "" and _is_text(start)):
        return "text"
    return "binary"


def _is_text(data: bytes) -> bool:
    return b"\x00" not in data and data.isascii()


def _object(cut: Cut) -> dict[str, Any] | None:
    try:
        value = cut.value()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _count(value: object) -> int | None:
    """A number of tokens; what no answer can hold, and no column, is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**12 else None


def _read_json(trace: Trace, body: StampedBody, scrubber: Scrubber, dialect: Dialect) -> Answer:
    cut = cut_base64(body.whole(), dialect.names)
    value = _object(cut)
    if value is None:
        # Cut in the middle, or not JSON at all. Nothing of it is copied: it may be half an image.
        return Answer(body_kind="json", notes=("json_incomplete" if trace.body_end_ns is None else "json_invalid",))
    said = dialect.said(None, value)
    # Gateways send blank lines to keep a connection alive; the payload begins behind them.
    first, whole = body.arrived(_blank_bytes(body)), body.arrived(body.size - 1)
    answer = Answer(
        body_kind="json",
        finals=tuple(_payloads(said, cut, body, first, whole)),
        links=said.links,
        linked=((first, whole),) * len(said.links),
    )
    if said.error is not None:
        return replace(answer, error=read_error(said.error, scrubber, in_stream=False))
    if trace.http_status is not None and trace.http_status >= 400:
        return replace(answer, error=_read_bare_error(value, scrubber))
    return replace(answer, **_resolved(said.resolved))


def _payloads(said: Said, cut: Cut, body: StampedBody, first: Stamp, whole: Stamp) -> Iterator[Payload]:
    """The images of a JSON answer. The last one is not to be had before the whole body is."""
    found = [payload for value in said.images if (payload := cut.payload(value)) is not None]
    for number, (encoded, span) in enumerate(found):
        last = number == len(found) - 1
        began = first if number == 0 or span is None else body.arrived(span[0])
        yield Payload(encoded, began, whole if last or span is None else body.arrived(span[1]))


def _blank_bytes(body: StampedBody) -> int:
    """How many bytes of white space stand before the first other one."""
    blank = 0
    for data, _, _ in body:
        rest = data.lstrip(b" \t\r\n")
        blank += len(data) - len(rest)
        if rest:
            break
    return blank


def _frames(body: StampedBody, decoder: SseDecoder) -> Iterator[Frame]:
    """One at a time: a frame that has been looked at is not held any longer."""
    for data, began, arrived in body:
        yield from decoder.feed(data, began, arrived)
    yield from decoder.close()


def _read_stream(body: StampedBody, scrubber: Scrubber, dialect: Dialect) -> Answer:
    decoder = SseDecoder()
    events = 0
    first_event: Stamp | None = None
    partials: list[tuple[Stamp, Stamp]] = []
    finals: list[Payload] = []
    links: list[str] = []
    linked: list[tuple[Stamp, Stamp]] = []
    error: ApiError | None = None
    resolved: dict[str, Any] = {}
    notes: dict[str, None] = {}
    for frame in _frames(body, decoder):
        if frame.data.strip() == b"[DONE]":
            notes["done_sentinel"] = None
            continue
        cut = cut_base64(frame.data, dialect.names)
        value = _object(cut) if frame.data.strip() else {}
        if value is None:
            notes["frame_cut" if not frame.terminated else "frame_not_json"] = None
            continue
        # Gateways drop the event line; the type inside the data then says the same.
        kind = frame.event or _text(value.get("type")) or ""
        if kind in KEEPALIVE_TYPES or (not value and kind != "error"):
            notes["keepalive_events"] = None
            continue
        events += 1
        if first_event is None:
            first_event = frame.first
        if not frame.terminated:
            notes["last_frame_unterminated"] = None
        said = dialect.said(kind, value)
        if said.error is not None:
            error = error or read_error(said.error, scrubber, in_stream=True)
        if said.partial:
            partials.append((frame.first, frame.whole))
        found = [payload for one in said.images if (payload := cut.payload(one)) is not None]
        finals += [Payload(encoded, frame.first, frame.whole) for encoded, _ in found]
        links += said.links
        linked += [(frame.first, frame.whole)] * len(said.links)
        resolved |= said.resolved
        if not said.known:
            notes["other_events"] = None
    return Answer(
        body_kind="sse",
        error=error,
        finals=tuple(finals),
        links=tuple(links),
        linked=tuple(linked),
        partials=tuple(partials),
        first_event=first_event,
        sse_events=events,
        sse_comments=decoder.comments,
        notes=tuple(notes),
        **_resolved(resolved),
    )


def _resolved(value: Mapping[str, Any]) -> dict[str, Any]:
    """What the answer says it made; absent on many gateways."""
    return {
        "resolved_size": _bounded(value.get("size")),
        "resolved_quality": _bounded(value.get("quality")),
        "resolved_format": _bounded(value.get("output_format")),
        "usage": _usage(value.get("usage")),
    }


def _bounded(value: object) -> str | None:
    return value[:32] if isinstance(value, str) else None


def _usage(value: object) -> Usage | None:
    if not isinstance(value, dict):
        return None
    details = value.get("input_tokens_details")
    details = details if isinstance(details, dict) else {}
    return Usage(
        total_tokens=_count(value.get("total_tokens")),
        input_tokens=_count(value.get("input_tokens")),
        output_tokens=_count(value.get("output_tokens")),
        input_text_tokens=_count(details.get("text_tokens")),
        input_image_tokens=_count(details.get("image_tokens")),
    )


def read_error(value: Mapping[str, Any], scrubber: Scrubber, *, in_stream: bool) -> ApiError | None:
    """The error of an answer: the usual envelope, a bare top level (`type: error`), or a plain text."""
    inner = value.get("error")
    if inner is None and value.get("type") != "error":
        return None
    if isinstance(inner, str):  # fastify and others: the words of the status, the rest beside it
        inner = {"message": _text(value.get("message")) or inner, "code": value.get("code")}
    if not isinstance(inner, dict):
        inner = {key: value.get(key) for key in ("code", "message", "param")}
    message = _text(inner.get("message")) or ""
    details = inner.get("moderation_details")
    stage = _bounded(details.get("moderation_stage")) if isinstance(details, dict) else None
    code = inner.get("code")
    return ApiError(
        type=_word(inner.get("type"), scrubber),
        code=str(code) if isinstance(code, int) else _word(code, scrubber),
        param=_word(inner.get("param"), scrubber),
        message=scrubber.head(message) if message else None,
        message_chars=len(message),
        fingerprint=fingerprint(message) if message else None,
        moderation_stage=stage,
        in_stream=in_stream,
    )


# What layers between call the parts of an error that stands at the top level: Lambda, Cloudflare, API gateways.
_BARE = {
    "type": ("type", "errorType", "error_name"),
    "code": ("code", "error_code"),
    "message": ("message", "errorMessage"),
}


def _read_bare_error(value: Mapping[str, Any], scrubber: Scrubber) -> ApiError | None:
    """The error of a failure's JSON body that has no envelope; None where none of the known words stands there."""
    found = {part: next((value[n] for n in names if value.get(n) is not None), None) for part, names in _BARE.items()}
    return read_error({"error": found}, scrubber, in_stream=False) if any(found.values()) else None


def _word(value: object, scrubber: Scrubber) -> str | None:
    return scrubber.head(value, 80) if isinstance(value, str) and value else None
