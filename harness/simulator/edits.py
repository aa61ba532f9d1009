"""An edits request: a form with files or JSON with addresses; what it asks for is what generations ask for."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

from harness.simulator import references
from harness.simulator.multipart import BadForm, Part, parts
from harness.simulator.references import Reference
from harness.simulator.requests import OPENAI, Refused, Rules, Shape, validate

WHOLE = {"n", "partial_images", "output_compression"}
IMAGE_FIELDS = {"image", "image[]"}


def validate_edit(body: bytes, content_type: str, rules: Rules = OPENAI, *, json_too: bool = True) -> Shape:
    """The shape of an edit; its reference images have been decoded once.

    Raises:
        Refused: with the status and the body that the API would answer.
    """
    kind = content_type.split(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return _form(body, content_type, rules)
    if kind == "application/json" and json_too:
        return _json(body, rules)
    accepted = "'multipart/form-data'" + (" and 'application/json'" if json_too else "")
    message = (
        f"Unsupported content type: '{kind[:60]}'. This API method only accepts {accepted} requests, but you "
        f"specified the header 'Content-Type: {kind[:60]}'. Please try again with a supported content type."
    )
    raise Refused(400, message, code="unsupported_content_type")


def _form(body: bytes, content_type: str, rules: Rules) -> Shape:
    try:
        sent = parts(body, content_type)
    except BadForm as error:
        message = f"Could not parse multipart form: {error}."
        raise Refused(400, message, code="invalid_multipart_form_data") from None
    _check_once(sent)
    files = [part for part in sent if part.name in IMAGE_FIELDS]
    masks = [part for part in sent if part.name == "mask"]
    rest = {part.name: _value(part) for part in sent if part.name not in {*IMAGE_FIELDS, "mask"}}
    if "moderation" in rest:  # only the JSON variant has it
        raise Refused(400, "Unknown parameter: 'moderation'.", param="moderation", code="unknown_parameter")
    asked = validate(rest, _of_edits(rules))  # what is cheap to see comes first
    references.check_count(len(files), "image")
    found = [
        references.looked_at(part.data, "image", number, part.content_type) for number, part in enumerate(files, 1)
    ]
    mask_bytes = sum(references.check_mask(part.data, found[0]) for part in masks)
    return _with(asked, found, mask_bytes)


def _json(body: bytes, rules: Rules) -> Shape:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Refused(400, "We could not parse the JSON body of your request.", code="invalid_json")
    asked = validate({name: item for name, item in value.items() if name not in {"images", "mask"}}, _of_edits(rules))
    images = value.get("images") or []
    if not isinstance(images, list):
        raise Refused(400, "Invalid type for 'images': expected an array.", param="images", code="invalid_type")
    references.check_count(len(images), "images")
    found: list[Reference] = []
    for number, image in enumerate(images, 1):
        data = _data(image, f"images[{number - 1}]")
        found.append(Reference() if data is None else references.looked_at(data, "images", number))
    mask = _data(value["mask"], "mask") if value.get("mask") is not None else None
    return _with(asked, found, 0 if mask is None else references.check_mask(mask, found[0]))


def _of_edits(rules: Rules) -> Rules:
    return replace(rules, known=rules.known | {"input_fidelity"})


def _check_once(sent: list[Part]) -> None:
    """A name may stand twice only as an array: ``image[]``."""
    names = Counter(part.name for part in sent if not part.name.endswith("[]"))
    for name, count in names.items():
        if count > 1:
            message = (
                f"Duplicate parameter: '{name[:60]}'. You provided multiple values for this parameter, whereas only "
                "one is allowed. If you are trying to provide a list of values, use the array syntax instead e.g. "
                f"'{name[:60]}[]=<value>'."
            )
            raise Refused(400, message, param=name[:60], code="duplicate_parameter")


def _data(item: object, param: str) -> bytes | None:
    """What an ``{image_url | file_id}`` holds; None when it only names something."""
    given = {name: item[name] for name in ("image_url", "file_id") if item.get(name)} if isinstance(item, dict) else {}
    if len(given) != 1 or not all(isinstance(text, str) for text in given.values()):
        message = f"Invalid '{param}': exactly one of 'image_url' and 'file_id' must be a string."
        raise Refused(400, message, param=param, code="invalid_value")
    return references.decoded(given["image_url"], f"{param}.image_url") if "image_url" in given else None


def _value(part: Part) -> Any:
    """A text field as JSON would hold it; what is no number or no truth value stays text and is refused as such."""
    text = part.text
    if part.name in WHOLE:
        return int(text) if text.removeprefix("-").isdecimal() and len(text) < 10 else text
    if part.name == "stream":
        return {"true": True, "false": False}.get(text.lower(), text)
    return text


def _with(asked: Shape, found: list[Reference], mask_bytes: int) -> Shape:
    size_bytes = sum(reference.size_bytes for reference in found) + mask_bytes
    return replace(asked, api="images.edits", reference_images=len(found), reference_bytes=size_bytes)
