"""A bridge to somebody's chat account that looks like the images API: links instead of images, and nothing to trace."""

from __future__ import annotations

import base64
import binascii
import json
import random
from dataclasses import replace
from functools import lru_cache

from harness.simulator.links import Links
from harness.simulator.profiles import Timing
from harness.simulator.requests import Shape
from harness.simulator.rope import Rope
from harness.simulator.script import Piece, Script
from harness.simulator.wires import Ask, Wire, later
from harness.simulator.world import Layer

STAGES_S = (2.0, 5.0)  # it opens a conversation and passes its guard before the image is begun
SIZE = "1254x1254"
MODEL = "gpt-image-2-codex"
LINK_TTL_S = 86_400.0


class Reverse(Wire):
    """OpenAI's paths. Size and format are whatever comes out; a stream is answered whole."""

    rewrites = True

    def __init__(self, layer: Layer, links: Links) -> None:
        super().__init__(layer)
        self._links = links

    def validate(self, ask: Ask) -> Shape:
        """What is asked for is read as strictly as OpenAI does, and then mostly forgotten."""
        shape = super().validate(ask)
        if shape.api == "responses":
            return shape
        return replace(shape, size=SIZE, output_format="png", compression=100, background="opaque", stream=False)

    def stretch(self, timing: Timing, shape: Shape, dice: random.Random) -> Timing:
        """Stages of its own come first."""
        return later(super().stretch(timing, shape, dice), dice.uniform(*STAGES_S))

    def finish(self, planned: Script, ask: Ask, shape: Shape | None, request_id: str) -> Script:  # noqa: ARG002
        """No ids, no limits, no usage; no tokens are billed."""
        bare = replace(planned, headers={"content-type": planned.headers["content-type"]}, tokens=0)
        if shape is None or shape.api == "responses" or planned.made_s is None:
            return bare
        until_s = planned.made_s + (LINK_TTL_S if self._layer.link_ttl_s is None else self._layer.link_ttl_s)
        host = ask.headers.get("host", "localhost")
        told = bare.with_pieces([self._relabelled(piece, host, until_s) for piece in bare.pieces])
        size = sum(len(piece.data) for piece in told.pieces)
        # A link is short: what was to be cut in the middle of an image is cut in the middle of it.
        return replace(told, cut_after=bare.cut_after and min(bare.cut_after, size // 2))

    def _relabelled(self, piece: Piece, host: str, until_s: float) -> Piece:
        try:
            body = json.loads(bytes(piece.data))
        except ValueError:
            return piece
        if not isinstance(body, dict) or "data" not in body:
            return piece
        images = [self._image(item["b64_json"], host, until_s) for item in body["data"]]
        told = {"created": body["created"], "model": MODEL, "data": images}
        return replace(piece, data=Rope(json.dumps(told).encode()))

    def _image(self, text: str, host: str, until_s: float) -> dict[str, str]:
        revised = "A simulated picture, as the account's own model put it."
        if self._layer.result == "b64":
            return {"b64_json": text, "revised_prompt": revised}
        token = self._links.put(_file(text), "image/png", until_s)
        return {"url": f"http://{host}/files/{token}.png", "revised_prompt": revised}


@lru_cache(maxsize=16)
def _file(text: str) -> bytes:
    """The file of one base64 text: made once, so that a thousand links to a picture hold one copy of it."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:  # a fault has cut it off
        return base64.b64decode(text[: len(text) // 4 * 4])
