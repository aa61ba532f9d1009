"""What the bodies of an image request and of its answer say, in numbers and fixed words; never their text.

Of a request: shape, the prompt's length and its salted hash. Of an answer: how many images and how large, tokens, type
and code of an error. Of an error page, which is neither JSON nor a stream, the beginning: by it the layer catalog
recognises who wrote it. What looks like an id, an address or a key is taken out of that, and so is the prompt.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from harness.ingest.hashes import hashed

MOST_FORM_CHARS = 4_000_000  # of a multipart form that is looked at: fields stand before large files as a rule
PAGE_CHARS = 300
_FORM_FIELD = re.compile(r'name="(model|prompt|quality|size|output_format|n|stream)"\r?\n\r?\n([^\r\n]{0,40000})\r?\n')
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:/-]{0,79}")
_LONG = re.compile(r"[^\s<>\"'=]*(?:[A-Za-z0-9+/=_-]{20,}|@|://)[^\s<>\"']*")


class _Tool(msgspec.Struct):
    type: str | None = None
    model: str | None = None
    quality: str | None = None
    size: str | None = None
    output_format: str | None = None


class _Asked(msgspec.Struct):
    model: str | None = None
    prompt: str | None = None
    input: str | list[msgspec.Raw] | None = None
    quality: str | None = None
    size: str | None = None
    output_format: str | None = None
    n: int | None = None
    stream: bool | None = None
    tools: list[_Tool] | None = None


class _Image(msgspec.Struct):
    b64_json: str | None = None
    url: str | None = None


class _Output(msgspec.Struct):
    type: str | None = None
    result: str | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None


class _Error(msgspec.Struct):
    type: str | int | None = None
    code: str | int | None = None


class _Answer(msgspec.Struct):
    type: str | None = None
    data: list[_Image] | None = None
    output: list[_Output] | None = None
    b64_json: str | None = None
    usage: _Usage | None = None
    error: _Error | str | None = None
    response: _Answer | None = None  # of an event of /responses


_asked = msgspec.json.Decoder(_Asked, strict=False)
_answer = msgspec.json.Decoder(_Answer, strict=False)


@dataclass(frozen=True)
class Request:
    """What was asked for. `prompt_hash` is salted."""

    model: str | None = None
    quality: str | None = None
    size: str | None = None
    output_format: str | None = None
    n: int | None = None
    stream: bool | None = None
    prompt_chars: int | None = None
    prompt_hash: str | None = None


@dataclass(frozen=True)
class Answer:
    """What came. `images` null: the body was not kept, or does not say."""

    kind: str | None = None
    images: int | None = None
    image_bytes: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    error_type: str | None = None
    error_code: str | None = None
    page: str | None = None


def read_request(text: str | None, mime: str | None, params: Iterable[tuple[str, str]] = ()) -> Request:
    """The shape in a request's body: JSON, or a form as text or as its fields. Anything else says nothing."""
    asked = _fields_of(dict(params)) if text is None else _decoded(text, mime)
    if asked is None:
        return Request()
    tool = next((one for one in asked.tools or () if one.type == "image_generation"), _Tool())
    prompt = asked.prompt if asked.prompt is not None else asked.input if isinstance(asked.input, str) else None
    return Request(
        model=word(tool.model or asked.model),
        quality=word(asked.quality or tool.quality),
        size=word(asked.size or tool.size),
        output_format=word(asked.output_format or tool.output_format),
        n=asked.n,
        stream=asked.stream,
        prompt_chars=None if prompt is None else len(prompt),
        prompt_hash=hashed(prompt),
    )


def _decoded(text: str, mime: str | None) -> _Asked | None:
    if "multipart" in (mime or ""):
        return _fields_of(dict(_FORM_FIELD.findall(text[:MOST_FORM_CHARS])))
    try:
        return _asked.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None


def _fields_of(fields: dict[str, str]) -> _Asked | None:
    try:
        return msgspec.convert({name: value for name, value in fields.items() if value}, _Asked, strict=False)
    except msgspec.MsgspecError:
        return None


def read_answer(text: str | None, mime: str | None, *, failed: bool, encoded: bool = False) -> Answer:
    """What an answer's body holds. `encoded`: `text` is base64. `failed`: it came with an error status."""
    kind = _kind(mime)
    if text is None:
        return Answer(kind)
    if encoded:
        if kind == "binary":
            return Answer(kind)
        try:
            text = base64.b64decode(text, validate=False).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            return Answer(kind)
    if not text.strip():
        return Answer("empty" if kind is None or failed else kind)
    if kind == "sse":
        return _of_stream(text)
    if kind == "json" or (kind is None and text.lstrip().startswith("{")):
        try:
            return _of_document(_answer.decode(text))
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            return Answer("json")
    return Answer(kind, page=page_head(text) if failed and kind in ("html", "text") else None)


def _of_document(said: _Answer) -> Answer:
    if said.error is not None:
        type_, code = (said.error.type, said.error.code) if isinstance(said.error, _Error) else (None, None)
        return Answer("json", images=0, error_type=word(type_) or "error", error_code=word(code))
    sizes = _sizes(said)
    return Answer(
        "json", None if sizes is None else len(sizes), _sum(sizes),
        said.usage.input_tokens if said.usage else None, said.usage.output_tokens if said.usage else None,
    )  # fmt: skip


def _of_stream(text: str) -> Answer:
    """Of an event stream: final images, and the tokens or the error that its last words name. Partial ones are none."""
    sizes: list[int | None] = []
    usage, error = _Usage(), None
    for line in text.splitlines():
        if not line.startswith("data:") or line[5:].strip() in ("", "[DONE]"):
            continue
        try:
            event = _answer.decode(line[5:].strip())
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            continue
        name = event.type or ""
        if event.error is not None or name == "error":
            error = event.error if isinstance(event.error, _Error) else _Error()
        elif name.endswith(".completed"):
            whole = event.response or event
            sizes += _sizes(whole) or ()
            usage = whole.usage or usage
    failed = {} if error is None else {"error_type": word(error.type) or "error", "error_code": word(error.code)}
    return Answer("sse", len(sizes), _sum(sizes), usage.input_tokens, usage.output_tokens, **failed)


def _sizes(said: _Answer) -> list[int | None] | None:
    """Bytes of each image, null where only a link to it is given; null where no images are spoken of."""
    if said.b64_json is not None:
        return [_bytes(said.b64_json)]
    if said.data is not None:
        return [_bytes(one.b64_json) for one in said.data if one.b64_json or one.url]
    if said.output is not None:
        return [_bytes(one.result) for one in said.output if one.type == "image_generation_call" and one.result]
    return None


def _bytes(encoded: str | None) -> int | None:
    # `harness sanitize` leaves a placeholder, which is there and has no size.
    return None if not encoded or encoded[0] == "<" else len(encoded) * 3 // 4 - encoded[-2:].count("=")


def _sum(sizes: list[int | None] | None) -> int | None:
    known = [one for one in sizes or () if one is not None]
    return sum(known) if known else None


def _kind(mime: str | None) -> str | None:
    name = (mime or "").split(";")[0].strip().lower()
    if not name or name == "x-unknown":
        return None
    if name.endswith("json"):
        return "json"
    if name == "text/event-stream":
        return "sse"
    return "html" if "html" in name else "text" if name.startswith("text/") else "binary"


def page_head(text: str) -> str:
    """The beginning of an error page, without what looks like an id, an address or a key."""
    return _LONG.sub("…", text[: 4 * PAGE_CHARS])[:PAGE_CHARS]


def word(value: str | int | None) -> str | None:
    """A word of an API (a model, a size, a code) as it stands; null for what is none, or is too long to be one."""
    text = None if value is None else str(value).strip()
    return text if text and _WORD.fullmatch(text) else None
