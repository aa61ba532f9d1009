"""A whole answer, planned before its first byte: what goes out when. Faults rewrite it; the player plays it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from harness.simulator.pictures import PICTURES, VARIANTS, Key
from harness.simulator.profiles import Timing
from harness.simulator.requests import Refused, Shape
from harness.simulator.rope import Rope

EVENT_STREAM = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
HOLE = "~picture~"  # where a picture goes; nothing that a request decides can hold it

# "event": an event without a picture; "end": what tells that all is over, and needs the pictures to be made.
Kind = Literal["partial", "completed", "body", "filler", "event", "end"]


@dataclass(frozen=True)
class Piece:
    """Bytes that leave at `at_s` world seconds after the request was received."""

    at_s: float
    data: Rope
    kind: Kind = "filler"
    index: int = 0


@dataclass(frozen=True)
class Script:
    """An answer. `cut_s` ends it by closing the connection, whatever pieces are left."""

    status: int
    headers: dict[str, str]
    headers_s: float
    pieces: tuple[Piece, ...]
    made_s: float | None  # when the images were made; None when they never are
    tokens: int = 0
    ends_s: float | None = None  # when the answer is over; None: with its last piece, or when the images are made
    upstream_calls: int = 1  # how often the work was done for it
    cut_after: int | None = None  # close the connection after so many bytes of body; 0 means after the headers
    no_reply: bool = False  # close without a single byte at headers_s
    notes: tuple[str, ...] = field(default=())

    def with_pieces(self, pieces: list[Piece]) -> Script:
        """The same answer with other bytes, in order of time."""
        return replace(self, pieces=tuple(sorted(pieces, key=lambda piece: piece.at_s)))


def refusal(refused: Refused, at_s: float) -> Script:
    """An error answer."""
    data = Rope(json.dumps(refused.body).encode())
    headers = {"content-type": "application/json", **refused.headers}
    return Script(refused.status, headers, at_s, (Piece(at_s, data, "body"),), None)


def usage(shape: Shape, *, details: bool) -> dict[str, Any]:
    """The usage object; a stream's has no details of the output."""
    value: dict[str, Any] = {
        "total_tokens": shape.text_tokens + shape.reference_tokens + shape.output_tokens,
        "input_tokens": shape.text_tokens + shape.reference_tokens,
        "output_tokens": shape.output_tokens,
        "input_tokens_details": {"text_tokens": shape.text_tokens, "image_tokens": shape.reference_tokens},
    }
    if details:
        value["output_tokens_details"] = {"image_tokens": shape.output_tokens, "text_tokens": 0}
    return value


def key(shape: Shape, variant: int) -> Key:
    """Which picture an image of this shape is."""
    return (shape.size, shape.output_format, shape.compression, shape.quality, variant % VARIANTS, shape.lettering)


def encoded(shape: Shape, variant: int) -> bytes:
    """Base64 of one image of this shape."""
    return PICTURES.get(key(shape, variant))


def is_prepared(shape: Shape) -> bool:
    """Whether every picture that an answer of this shape may need is there, so that planning it takes no time."""
    return all(key(shape, variant) in PICTURES for variant in range(VARIANTS))


def with_pictures(text: str, *pictures: bytes) -> Rope:
    """`text` with a picture in each hole."""
    first, *rest = text.encode().split(HOLE.encode())
    parts = [first]
    for data, part in zip(pictures, rest, strict=True):
        parts += (data, part)
    return Rope(*parts)


def plain(shape: Shape, timing: Timing, created: int, variant: int) -> Script:
    """``ImagesResponse``: everything at once when the last image is made."""
    body = {
        "created": created,
        "background": shape.background,
        "data": [{"b64_json": HOLE}] * shape.n,
        "output_format": shape.output_format,
        "quality": shape.quality,
        "size": shape.size,
        "usage": usage(shape, details=True),
    }
    headers = {"content-type": "application/json", "openai-processing-ms": f"{timing.generation_s * 1000:.0f}"}
    pictures = [encoded(shape, variant + index) for index in range(shape.n)]
    piece = Piece(timing.done_s, with_pictures(json.dumps(body), *pictures), "body")
    return Script(200, headers, timing.done_s, (piece,), timing.done_s, shape.output_tokens)


def streamed(shape: Shape, timing: Timing, created: int, variant: int) -> Script:
    """Server-sent events: headers at once, partial images spread until the end, one completed event an image."""
    prefix = "image_edit" if shape.api == "images.edits" else "image_generation"
    shared = {
        "created_at": created,
        "size": shape.size,
        "quality": shape.quality,
        "background": shape.background,
        "output_format": shape.output_format,
    }
    pieces: list[Piece] = []
    gap = (timing.generation_s - timing.first_partial_s) / max(shape.partial_images, 1)
    for index in range(shape.partial_images):
        event = {"b64_json": HOLE, **shared, "partial_image_index": index}
        data = with_pictures(frame(f"{prefix}.partial_image", event), encoded(shape, variant + index + 1))
        pieces.append(Piece(timing.first_partial_s + index * gap, data, "partial", index))
    for index in range(shape.n):
        event = {"b64_json": HOLE, **shared, "usage": usage(shape, details=False)}
        data = with_pictures(frame(f"{prefix}.completed", event), encoded(shape, variant + index))
        pieces.append(Piece(timing.done_s, data, "completed", index))
    headers = {**EVENT_STREAM, "openai-processing-ms": f"{timing.moderation_s * 1000:.0f}"}
    return Script(200, headers, timing.moderation_s, tuple(pieces), timing.done_s, shape.output_tokens)


def frame(event: str, data: dict[str, Any]) -> str:
    """One event: its name stands on the event line and inside the data."""
    return f"event: {event}\ndata: {json.dumps({'type': event, **data})}\n\n"


def later(script: Script, extra_s: float) -> Script:
    """The same answer, all of it so much later."""
    moved = tuple(replace(piece, at_s=piece.at_s + extra_s) for piece in script.pieces)
    made, ends = (None if at is None else at + extra_s for at in (script.made_s, script.ends_s))
    return replace(script, headers_s=script.headers_s + extra_s, made_s=made, ends_s=ends, pieces=moved)


def with_filler(script: Script, gap_s: float, data: bytes, until_s: float, headers_s: float) -> Script:
    """The same answer with `data` at every multiple of `gap_s`; its headers leave early enough for that."""
    count = int(until_s / gap_s)
    filler = [Piece(gap_s * (i + 1), Rope(data)) for i in range(count) if gap_s * (i + 1) < until_s]
    return replace(script, headers_s=min(script.headers_s, headers_s)).with_pieces([*filler, *script.pieces])


def is_stream(script: Script) -> bool:
    """Whether it is made of server-sent events."""
    return script.headers.get("content-type", "").startswith("text/event-stream")
