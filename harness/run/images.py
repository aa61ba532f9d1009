"""Is it an image, and the one that was asked for? Decoding happens in a worker thread with its own clock."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pybase64
from PIL import Image

from harness.events import ImageCheck
from harness.kept import image_of

FORMAT_NAMES = {"PNG": "png", "JPEG": "jpeg", "WEBP": "webp", "GIF": "gif"}
DEFAULT_FORMAT = "png"  # what the API makes when output_format is left out


@dataclass(frozen=True)
class Decoded:
    """The check, how long decoding took on this machine, and the bytes (for --keep-images)."""

    check: ImageCheck
    render_ms: float | None
    data: bytes


def prepare_codecs() -> None:
    """Load every image codec now: otherwise the first picture of a run pays for it."""
    Image.init()


def decode_image(encoded: bytes, *, asked_format: str | None, asked_size: str | None, base64: bool = True) -> Decoded:
    """Decode one payload and compare it with the request. Never raises for bad data.

    Args:
        encoded: base64 text as it came, or the file itself where `base64` is false.
        asked_format: png, jpeg or webp; None means the API's default.
        asked_size: "WxH"; None or "auto" leaves the size to the provider.
    """
    try:
        data = _plain(encoded) if base64 else encoded
    except ValueError:
        check = ImageCheck(image_bytes=len(encoded) * 3 // 4, problems=("base64 is invalid or cut short",))
        return Decoded(check, None, b"")
    began = time.perf_counter_ns()
    try:
        picture = image_of(data)
    except OSError as error:
        return _bad(data, str(error) if data else "empty")
    render_ms = round((time.perf_counter_ns() - began) / 1e6, 3)
    try:
        blank = _is_blank(picture)
    except Exception:  # noqa: BLE001  pixels of a kind that Pillow cannot turn into colours
        return _bad(data, "not a decodable image")

    found_format = FORMAT_NAMES.get(picture.format or "", (picture.format or "unknown").lower())
    found_size = f"{picture.width}x{picture.height}"
    problems = []
    wanted = (asked_format or DEFAULT_FORMAT).lower()
    if found_format != wanted:
        problems.append(f"format: asked {wanted}, got {found_format}")
    if asked_size not in (None, "auto", found_size):
        problems.append(f"size: asked {asked_size}, got {found_size}")
    if blank:
        problems.append("blank: one flat colour")
    check = ImageCheck(
        image_bytes=len(data),
        format=found_format,
        width=picture.width,
        height=picture.height,
        problems=tuple(problems),
    )
    return Decoded(check, render_ms, data)


def _plain(encoded: bytes) -> bytes:
    """What base64 text stands for. Lines may be folded, as in a mail: every usual decoder takes that."""
    try:
        return pybase64.b64decode(encoded, validate=True)
    except ValueError:
        return pybase64.b64decode(encoded.translate(None, b" \t\r\n"), validate=True)


def _bad(data: bytes, problem: str) -> Decoded:
    return Decoded(ImageCheck(image_bytes=len(data), problems=(problem,)), None, data)


def _is_blank(picture: Image.Image) -> bool:
    extremes = picture.resize((16, 16)).convert("RGB").getextrema()
    return all(isinstance(pair, tuple) and pair[0] == pair[1] for pair in extremes)
