"""What a JSON value of an answer says, by the API that it comes from. Pure: one function a dialect.

A value is a whole JSON body (`kind` is None) or the data of one stream event. Gateways mix things up, so every dialect
takes what it finds and never what it expects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Value = Mapping[str, Any]


@dataclass(frozen=True)
class Said:
    """What one value says. Nothing in it is checked yet."""

    images: tuple[object, ...] = ()  # values that should be base64
    links: tuple[str, ...] = ()
    partial: bool = False
    error: Value | None = None  # the value that the error is to be read from
    resolved: Value = field(default_factory=dict)  # size, quality, output_format, usage; only what was said
    known: bool = True  # an event that this dialect has a name for


@dataclass(frozen=True)
class Dialect:
    """One API's way to answer."""

    names: tuple[bytes, ...]  # of the JSON fields that hold base64
    said: Callable[[str | None, Value], Said]


def _dicts(value: object) -> list[Value]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _dict(value: object) -> Value:
    return value if isinstance(value, dict) else {}


def _links(items: list[Value]) -> tuple[str, ...]:
    return tuple(item["url"] for item in items if isinstance(item.get("url"), str) and item["url"])


def _failed(kind: str | None, value: Value) -> bool:
    """There are services whose every answer has an `error`, empty where there was none."""
    return kind == "error" or value.get("type") == "error" or bool(value.get("error"))


def _resolved(value: Value) -> Value:
    names = ("size", "quality", "output_format", "usage")
    return {name: value[name] for name in names if value.get(name) is not None}


def _images(kind: str | None, value: Value) -> Said:
    """The Images API: `ImagesResponse`, and the events of generations and edits."""
    if _failed(kind, value):
        return Said(error=value)
    if kind is None:
        items = _dicts(value.get("data"))
        images = tuple(item["b64_json"] for item in items if item.get("b64_json"))
        return Said(images, () if images else _links(items), resolved=_resolved(value))
    if kind.endswith(".partial_image"):
        return Said(partial=True)
    if kind.endswith(".completed"):
        images = (value["b64_json"],) if value.get("b64_json") else ()
        return Said(images, () if images else _links([value]), resolved=_resolved(value))
    return Said(known=False)


def _responses(kind: str | None, value: Value) -> Said:
    """The Responses API: an image is the result of an image_generation_call among other output."""
    if kind is None:
        return _response(value)
    if _failed(kind, value):
        return Said(error=value)
    if kind in {"response.failed", "response.incomplete", "response.completed"}:
        said = _response(_dict(value.get("response")))
        # The images stood in output_item.done already, with stamps of their own.
        return Said(error=said.error, resolved=said.resolved)
    if kind.endswith(".partial_image"):
        return Said(partial=True)
    if kind == "response.output_item.done":
        item = _dict(value.get("item"))
        if item.get("type") == "image_generation_call":
            return _call(item)
    return Said(known=kind.startswith("response."))


def _response(value: Value) -> Said:
    calls = [_call(item) for item in _dicts(value.get("output")) if item.get("type") == "image_generation_call"]
    error = value if value.get("error") else next((one.error for one in calls if one.error), None)
    status = value.get("status")
    if error is None and status in ("incomplete", "failed", "cancelled"):
        reason = _dict(value.get("incomplete_details")).get("reason") or status
        error = {"error": {"code": reason, "message": f"the response is {status}"}}
    usage = _dict(_dict(value.get("tool_usage")).get("image_gen"))
    resolved = {name: one for call in calls for name, one in call.resolved.items()}
    return Said(
        images=tuple(image for call in calls for image in call.images),
        error=error,
        resolved={**resolved, "usage": usage} if usage else resolved,
    )


def _call(item: Value) -> Said:
    if item.get("error"):
        return Said(error=item)
    images = (item["result"],) if item.get("result") else ()
    return Said(images=images, resolved={name: one for name, one in _resolved(item).items() if name != "usage"})


IMAGES = Dialect((b'"b64_json"',), _images)
RESPONSES = Dialect((b'"result"', b'"partial_image_b64"', b'"b64_json"'), _responses)
