"""Answers that look like success: pictures, bodies and counts that are not what was asked for."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from PIL import Image

from harness.simulator import script as s
from harness.simulator.context import Context, Fault
from harness.simulator.rope import Rope
from harness.simulator.script import Piece, Script

PICTURE = re.compile(rb'("(?:b64_json|result|partial_image_b64)": ")([^"]*)"')


def body(data: bytes, content_type: str, *, made: bool = True) -> Fault:
    """A fault that sends something else with status 200 when the images are due."""

    def fault(script: Script, at: Context) -> Script:
        headers = {**script.headers, "content-type": content_type}
        piece = Piece(at.timing.done_s, Rope(data), "body")
        made_s = script.made_s if made else None
        return replace(script, headers=headers, headers_s=at.timing.done_s, pieces=(piece,), made_s=made_s)

    return fault


def error_in_200(script: Script, at: Context) -> Script:
    """An error under the status of success, as aggregators send it."""
    error = {"message": "The generation failed.", "type": "server_error", "param": None, "code": "generation_failed"}
    return body(json.dumps({"error": error}).encode(), "application/json", made=False)(script, at)


def mapped(change: Callable[[bytes], bytes]) -> Fault:
    """A fault that changes the bytes of every piece."""

    def fault(script: Script, at: Context) -> Script:  # noqa: ARG001
        return script.with_pieces([replace(piece, data=Rope(change(bytes(piece.data)))) for piece in script.pieces])

    return fault


def repainted(change: Callable[[bytes, Context], bytes]) -> Fault:
    """A fault that puts something else in the place of every picture's base64 text."""

    def fault(script: Script, at: Context) -> Script:
        def swap(data: bytes) -> bytes:
            return PICTURE.sub(lambda found: found[1] + change(found[2], at) + b'"', data)

        return mapped(swap)(script, at)

    return fault


def other(**changes: str) -> Fault:
    """A picture of another shape."""
    return repainted(lambda _, at: s.encoded(replace(at.shape, **changes), 0))  # type: ignore[arg-type]


def other_format(script: Script, at: Context) -> Script:
    """A picture in another format than was asked for."""
    return other(output_format="png" if at.shape.output_format == "jpeg" else "jpeg")(script, at)


@lru_cache(maxsize=8)
def _blank(size: str, output_format: str) -> bytes:
    """One colour and nothing else: it decodes, and there is no picture."""
    width, height = (int(edge) for edge in size.split("x"))
    out = io.BytesIO()
    Image.new("RGB", (width, height), (0, 0, 0)).save(out, output_format.upper())
    return base64.b64encode(out.getvalue())


def misspelled(script: Script, at: Context) -> Script:
    """The lettering with some letters wrong (option `letters`, 1), spread over it; nothing where there is none."""
    right = at.shape.lettering
    spots = [index for index, letter in enumerate(right) if letter.isalnum()]
    wrong = min(int(at.number("letters", 1)), len(spots))
    if wrong < 1:
        return script
    written = list(right)
    for index in range(wrong):
        spot = spots[index * len(spots) // wrong]
        written[spot] = "H" if written[spot].upper() == "W" else "W"
    return other(lettering="".join(written))(script, at)


truncated = repainted(lambda picture, _: picture[: len(picture) // 2 - 1])
not_an_image = repainted(lambda _picture, _: base64.b64encode(b"This is not an image."))
blank = repainted(lambda _, at: _blank(at.shape.size, at.shape.output_format))


def wrong_count(script: Script, at: Context) -> Script:
    """One image fewer than was asked for, and billed."""
    if s.is_stream(script):
        last = max((piece.index for piece in script.pieces if piece.kind == "completed"), default=0)
        gone = [piece for piece in script.pieces if piece.kind == "completed" and piece.index == last]
        return script.with_pieces([piece for piece in script.pieces if piece not in gone])

    def fewer(data: bytes) -> bytes:
        value = json.loads(data)
        listed = "data" if "data" in value else "output"
        value[listed] = value[listed][:-1]
        return json.dumps(value).encode()

    return mapped(fewer)(script, at)
