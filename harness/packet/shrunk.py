"""The smallest reproduction, narrowed: from ``shrink.json`` to closed words and figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from harness.packet.narrow import Narrower
from harness.packet.schema import Reproduction, RequestShape, Size
from harness.packet.vocabulary import (
    FORMAT_ALIASES,
    Background,
    Complexity,
    Moderation,
    PromptBucket,
    Quality,
    ShrinkParam,
    ShrinkState,
    exact,
)
from harness.shrinking.model import Shape, ShrinkRecord

HIGH_RESOLUTION_PIXELS = 2560 * 1440
_STATES: Mapping[str, ShrinkState] = {"smallest": "smallest", "not_reproduced": "not_reproduced"}
_BUCKETS, _COMPLEXITIES = exact(PromptBucket), exact(Complexity)
_PARAMS = frozenset(get_args(ShrinkParam))


def reproduction(
    record: ShrinkRecord | None, job_id: str, route: str, own: RequestShape, narrow: Narrower
) -> Reproduction | None:
    """What the search for the smallest request found of this job; null when there was none."""
    if record is None or record.job_id != job_id:
        return None
    smallest = record.smallest if record.status != "not_reproduced" else None
    return Reproduction.model_validate(
        {
            "state": _STATES.get(record.status, "unfinished"),
            "request": None if smallest is None else _request(smallest, own, narrow),
            "needed": tuple(one for one in record.needed if one in _PARAMS),
            "not_needed": tuple(one for one in record.dropped if one in _PARAMS),
            "own_prompt": smallest is not None and smallest.prompt == "own",
            "shown": narrow.count(record.smallest_shown),
            "of_sends": narrow.count(record.smallest_sends),
            "repeats": narrow.whole(record.rule.repeats, 1, 99) or 1,
            "shapes_tried": narrow.count(record.shapes_tried),
            "sends": narrow.count(record.sends),
            "same_route": record.route == route,
        }
    )


def _request(shape: Shape, own: RequestShape, narrow: Narrower) -> RequestShape:
    """The job's own request with the smallest shape's values. An edit without references is a generation."""
    size = narrow.size(shape.size)
    references = narrow.count(shape.reference_images, 100)
    each = own.reference_bytes // own.reference_images if own.reference_images else 0
    endpoint = own.endpoint
    if endpoint == "images/edits" and not references:
        endpoint = "images/generations"
    facts = {
        "endpoint": endpoint,
        "model": own.model,
        "stream": shape.stream,
        "partial_images": narrow.whole(shape.partial_images, 0, 10),
        "quality": narrow.word(shape.quality, exact(Quality), "other"),
        "size": size,
        "high_resolution": size.width * size.height > HIGH_RESOLUTION_PIXELS if isinstance(size, Size) else None,
        "output_format": narrow.word(shape.output_format, FORMAT_ALIASES, "other"),
        "output_compression": narrow.whole(shape.output_compression, 0, 100),
        "background": narrow.word(shape.background, exact(Background), "other"),
        "moderation": narrow.word(shape.moderation, exact(Moderation), "other"),
        "n": narrow.whole(shape.n, 1, 100) or 1,
        "reference_images": references,
        "reference_bytes": narrow.count(each * references, 2**40),
        "mask": shape.mask,
        "prompt_length": _BUCKETS.get(shape.prompt_length, own.prompt_length),
        "prompt_complexity": own.prompt_complexity if shape.prompt == "own" else _COMPLEXITIES[shape.prompt],
    }
    return RequestShape.model_validate(facts)
