"""What the tests of the embedded API share: one request, and the server's own record of it."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from harness.simulator.process import Running

BODY = {"model": "gpt-image-2", "prompt": "A red apple", "quality": "high", "size": "1024x1024"}
LOW = {**BODY, "quality": "low"}
HEADERS = {"authorization": "Bearer sk-sim-test"}


def post(sim: Running, entry: str, body: dict[str, Any] = BODY, **headers: str) -> httpx.Response:
    return httpx.post(f"{sim.entries[entry]}/images/generations", json=body, headers={**HEADERS, **headers}, timeout=30)


def truths(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def a_picture(size: tuple[int, int] = (64, 48), kind: str = "PNG", mode: str = "RGB") -> bytes:
    """A file as a caller has it."""
    out = io.BytesIO()
    Image.new(mode, size, 128 if mode == "L" else "red").save(out, kind)
    return out.getvalue()


def decoded(text: str | None) -> Image.Image:
    """Base64 of an answer as an image, all of it."""
    image = Image.open(io.BytesIO(base64.b64decode(text or "", validate=True)))
    image.load()
    return image
