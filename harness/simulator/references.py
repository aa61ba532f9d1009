"""Images that come with a request: looked at as the API looks at them, before anything is made of them."""

from __future__ import annotations

import base64
import binascii
import io
from dataclasses import dataclass

from PIL import Image

from harness.simulator.requests import Refused

MOST_IMAGES = 16
MOST_BYTES = 50 * 1024 * 1024
MOST_URL_CHARS = 20_971_520
FORMATS = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}


@dataclass(frozen=True)
class Reference:
    """One image. One that is only named (a file id, somebody else's address) has no bytes here and no dimensions."""

    size: tuple[int, int] | None = None
    size_bytes: int = 0


def looked_at(data: bytes | memoryview, param: str, number: int, content_type: str | None = None) -> Reference:
    """A file that was sent. Its first bytes decide what it is.

    Raises:
        Refused: too large, no image, or of a kind that is not taken.
    """
    _check_type(content_type, param)
    _check_size(len(data), param)
    image = _open(data)
    if image is None or image.format not in FORMATS:
        raise Refused(
            400,
            f"Invalid image file or mode for image {number}, please check your image file.",
            type="image_generation_user_error",
            param=param,
            code="invalid_image_file",
        )
    return Reference(image.size, len(data))


def check_mask(data: bytes | memoryview, first: Reference, param: str = "mask") -> int:
    """A mask is a PNG with an alpha channel and the dimensions of the first image. Returns its bytes."""
    _check_size(len(data), param)
    image = _open(data)
    if image is None or image.format != "PNG":
        raise _bad_mask("the mask must be a PNG", param)
    if "A" not in image.getbands() and "transparency" not in image.info:
        raise _bad_mask("mask image missing alpha channel", param)
    if first.size is not None and image.size != first.size:
        raise _bad_mask("mask size does not match image size", param)
    return len(data)


def decoded(url: str, param: str) -> bytes | None:
    """The bytes of a ``data:`` URL; None when it names an image that lies elsewhere, which nobody fetches here."""
    if len(url) > MOST_URL_CHARS:
        message = f"Invalid '{param}': string too long. Expected a string with maximum length {MOST_URL_CHARS}."
        raise Refused(400, message, param=param, code="string_above_max_length")
    if url.startswith(("https://", "http://")):
        return None
    head, comma, text = url.partition(",")
    if not (head.startswith("data:") and head.endswith(";base64") and comma):
        message = f"Invalid '{param}'. Expected a base64-encoded data URL with an image MIME type, or an https URL."
        raise Refused(400, message, param=param, code="invalid_value")
    _check_type(head.removeprefix("data:").split(";")[0], param)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(400, f"Invalid '{param}': it is not base64.", param=param, code="invalid_base64_image") from None


def check_count(count: int, param: str) -> None:
    """At least one image and at most 16."""
    if count == 0:
        message = f"Missing required parameter: '{param}'."
        raise Refused(400, message, param=param, code="missing_required_parameter")
    if count > MOST_IMAGES:
        message = (
            f"Invalid '{param}': array too long. Expected an array with maximum length {MOST_IMAGES}, but got an array "
            f"with length {count} instead."
        )
        raise Refused(400, message, param=param, code="array_above_max_length")


def _check_type(content_type: str | None, param: str) -> None:
    if content_type is not None and content_type not in {*FORMATS.values(), "image/jpg"}:
        message = (
            f"Invalid file '{param}': unsupported mimetype ('{content_type[:60]}'). Supported file formats are "
            "'image/jpeg', 'image/png', and 'image/webp'."
        )
        raise Refused(400, message, param=param, code="unsupported_file_mimetype")


def _check_size(size_bytes: int, param: str) -> None:
    if size_bytes >= MOST_BYTES:
        message = f"Invalid file '{param}': its {size_bytes} bytes are too many, the limit is 50MB."
        raise Refused(400, message, param=param, code="image_file_too_large")


def _open(data: bytes | memoryview) -> Image.Image | None:
    try:
        image = Image.open(io.BytesIO(data))
        image.verify()  # sums, not pixels: looking must stay cheap
    except Exception:  # noqa: BLE001  each of Pillow's readers raises its own, and the caller waits for an answer
        return None
    return image


def _bad_mask(why: str, param: str) -> Refused:
    message = f"Invalid mask image format - {why}"
    return Refused(400, message, type="image_generation_user_error", param=param, code="invalid_mask_image_format")
