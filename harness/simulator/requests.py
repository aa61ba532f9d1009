"""Validation of an images request, with the API's own words for every mistake."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from harness.simulator.tokens import OLDER_MODELS, OLDER_SIZES, image_tokens

Api = Literal["images.generations", "images.edits", "responses", "task"]

MODELS = ("gpt-image-2", "gpt-image-2-2026-04-21", "gpt-image-1.5", "gpt-image-1-mini")
KNOWN = frozenset({
    "prompt", "model", "n", "size", "quality", "background", "output_format", "output_compression", "moderation",
    "stream", "partial_images", "user", "safety_identifier",
})  # fmt: skip
ENUMS: dict[str, tuple[str, ...]] = {
    "quality": ("low", "medium", "high", "auto"),
    "background": ("transparent", "opaque", "auto"),
    "moderation": ("low", "auto"),
    "input_fidelity": ("high", "low"),
}
NULLABLE = frozenset({
    "model", "n", "size", "quality", "background", "output_format", "output_compression", "moderation", "stream",
    "partial_images", "input_fidelity", "safety_identifier",
})  # fmt: skip
FIDELITY_MODELS = ("gpt-image-1.5",)  # gpt-image-2 is always faithful, and the small model never
MIN_PIXELS, MAX_PIXELS, MAX_EDGE = 655_360, 8_294_400, 3840
PARTIAL_TOKENS = 100
REFERENCE_TOKENS = 1_496  # measured for one reference image
CHARS_PER_TOKEN = 4
QUOTED = re.compile(r'"([^"“”\n]{1,40})"|“([^"“”\n]{1,40})”')  # what a prompt asks to be written in the picture


class Refused(Exception):
    """The API refuses: HTTP status and error object."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(code or message)
        self.status = status
        self.headers = headers or {}
        self.body: dict[str, Any] = {"error": {"message": message, "type": type, "param": param, "code": code, **extra}}

    @classmethod
    def saying(cls, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> Refused:
        """A refusal whose body is not in the API's own form."""
        refused = cls(status, "", headers=headers)
        refused.body = body
        return refused


@dataclass(frozen=True)
class Rules:
    """What differs between those who offer this API."""

    known: frozenset[str] = KNOWN
    nullable: frozenset[str] = NULLABLE  # where null is the same as nothing
    any_model: bool = False
    formats: tuple[str, ...] = ("png", "jpeg", "webp")
    default_quality: str = "auto"


OPENAI = Rules()


@dataclass(frozen=True)
class Shape:
    """A valid request, everything that was left to the API decided."""

    model: str
    prompt_chars: int
    quality: str
    size: str
    output_format: str
    compression: int
    background: str
    n: int
    stream: bool
    partial_images: int
    api: Api = "images.generations"
    reference_images: int = 0
    reference_bytes: int = 0
    text_model: str = ""  # whoever calls the image tool, in the Responses API
    lettering: str = ""  # what the prompt has in double quotes; stands in the picture

    @property
    def output_tokens(self) -> int:
        """Image tokens of every image, plus 100 for each partial image."""
        one = image_tokens(self.model, self.quality, self.size)
        return one * self.n + PARTIAL_TOKENS * (self.partial_images if self.stream else 0)

    @property
    def text_tokens(self) -> int:
        """A rough count; real tokenisation does not matter here."""
        return max(1, self.prompt_chars // CHARS_PER_TOKEN)

    @property
    def reference_tokens(self) -> int:
        """Input image tokens."""
        return REFERENCE_TOKENS * self.reference_images


def validate(body: object, rules: Rules = OPENAI, **more: Any) -> Shape:
    """The shape of a request. `more` are fields of the shape that its JSON does not hold.

    Raises:
        Refused: with the status and the body that the API would answer.
    """
    if not isinstance(body, dict):
        raise Refused(400, "We could not parse the JSON body of your request.", code="invalid_json")
    body = {name: value for name, value in body.items() if value is not None or name not in rules.nullable}
    for name in body:
        if name == "input_fidelity" and body.get("model") not in FIDELITY_MODELS:
            raise Refused(
                400,
                f"The model '{body.get('model', 'gpt-image-2')}' does not support the 'input_fidelity' parameter.",
                type="image_generation_user_error",
                param="input_fidelity",
                code="invalid_input_fidelity_model",
            )
        if name not in rules.known:
            raise Refused(400, f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")
    model = body.get("model", "gpt-image-2")
    if not isinstance(model, str) or (model not in MODELS and not rules.any_model):
        raise Refused(
            404,
            f"The model `{str(model)[:100]}` does not exist or you do not have access to it.",
            code="model_not_found",
        )
    prompt = body.get("prompt")
    if not isinstance(prompt, str) or not prompt:
        raise Refused(400, "Missing required parameter: 'prompt'.", param="prompt", code="missing_required_parameter")
    if len(prompt) > 32_000:
        raise Refused(400, "Invalid 'prompt': string too long.", param="prompt", code="string_above_max_length")
    for name, allowed in {**ENUMS, "output_format": rules.formats}.items():
        if name in body and body[name] not in allowed:
            raise _enum(name, body[name], allowed)
    stream = body.get("stream") or False
    if not isinstance(stream, bool):
        raise Refused(400, "Invalid type for 'stream': expected a boolean.", param="stream", code="invalid_type")
    output_format = body.get("output_format", "png")
    compression = _whole(body, "output_compression", 0, 100, 100)
    if "output_compression" in body and output_format == "png" and compression != 100:
        raise Refused(
            400,
            "Compression less than 100 is not supported for PNG output format.",
            param="output_compression",
            code="invalid_png_output_compression",
        )
    background = body.get("background", "auto")
    if background == "transparent" and output_format == "jpeg":
        raise Refused(
            400,
            "Transparent background is not supported for JPEG output format.",
            param="background",
            code="invalid_value",
        )
    quality = body.get("quality", rules.default_quality)
    return Shape(
        model=model,
        prompt_chars=len(prompt),
        quality="medium" if quality == "auto" else quality,
        size=_size(body.get("size", "auto"), model),
        output_format=output_format,
        compression=compression,
        background="opaque" if background == "auto" else background,
        n=_whole(body, "n", 1, 10, 1),
        stream=stream,
        partial_images=_whole(body, "partial_images", 0, 3, 0),
        lettering=_lettering(prompt),
        **more,
    )


def _lettering(prompt: str) -> str:
    found = QUOTED.search(prompt)
    return "" if found is None else (found[1] or found[2]).strip()


def _enum(name: str, value: object, allowed: tuple[str, ...]) -> Refused:
    words = [f"'{word}'" for word in allowed]
    listed = " and ".join(words) if len(words) < 3 else ", ".join(words[:-1]) + f", and {words[-1]}"
    message = f"Invalid value: '{str(value)[:100]}'. Supported values are: {listed}."
    return Refused(400, message, param=name, code="invalid_value")


def _whole(body: dict[str, Any], name: str, low: int, high: int, default: int) -> int:
    value = body.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Refused(400, f"Invalid type for '{name}': expected an integer.", param=name, code="invalid_type")
    if not low <= value <= high:
        way = "below_min" if value < low else "above_max"
        bound = f">= {low}" if value < low else f"<= {high}"
        raise Refused(
            400,
            f"Invalid '{name}': integer {way.replace('_', ' ')} value. Expected a value {bound}, but got {value}.",
            param=name,
            code=f"integer_{way}_value",
        )
    return value


def _size(size: object, model: str) -> str:
    if size == "auto":
        return "1024x1024"
    if model in OLDER_MODELS:
        if size not in OLDER_SIZES:
            raise _enum("size", size, (*OLDER_SIZES, "auto"))
        return str(size)
    width, cross, height = str(size).partition("x")
    if not (cross and width.isdecimal() and height.isdecimal() and len(str(size)) < 12 and str(size).isascii()):
        raise _bad_size(size, "Expected WIDTHxHEIGHT or 'auto'.")
    w, h = int(width), int(height)
    if w % 16 or h % 16:
        raise _bad_size(size, "Width and height must both be divisible by 16.")
    if max(w, h) > MAX_EDGE:
        raise _bad_size(size, f"The longest edge must be less than or equal to {MAX_EDGE}.")
    if w * h < MIN_PIXELS:
        raise _bad_size(size, "Requested resolution is below the current minimum pixel budget.")
    if w * h > MAX_PIXELS:
        raise _bad_size(size, "Requested resolution exceeds the current maximum pixel budget.")
    if max(w, h) > 3 * min(w, h):
        raise _bad_size(size, "The aspect ratio must be at most 3:1.")
    return f"{w}x{h}"


def _bad_size(size: object, why: str) -> Refused:
    return Refused(400, f"Invalid size '{str(size)[:20]}'. {why}", param="size", code="invalid_value")
