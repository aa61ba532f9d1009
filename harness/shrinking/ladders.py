"""From a shape down to the simplest one: for every parameter its values, from what the job asked for to the plainest.

A parameter that is as plain as it gets has no ladder. What belongs together (format and compression, a stream and its
partial images, references with their mask and form) goes down together, so that no step makes a request that the API
refuses for a reason of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from harness.shrinking.model import Param, Shape

SIMPLEST_SIZE = "1024x1024"
SHORTEST = "1-50"
_SIZES = ("2048x2048", "1536x1024", SIMPLEST_SIZE)
_QUALITIES = ("max", "xhigh", "high", "medium", "low")
_COMPLEXITIES = ("high", "medium", "low")

Rung = Mapping[str, Any]  # fields of a shape and their values
Ladders = Mapping[Param, tuple[Rung, ...]]  # the first rung is the job's own


def ladders(shape: Shape) -> Ladders:
    """The ladders of a shape, in the order in which parameters are tried."""
    every: dict[Param, list[Rung]] = {
        "references": _references(shape),
        "stream": _stream(shape),
        "format": _format(shape),
        "background": [{"background": shape.background}, {"background": None}],
        "moderation": [{"moderation": shape.moderation}, {"moderation": None}],
        "size": [{"size": size} for size in _sizes(shape.size)],
        "quality": [{"quality": quality} for quality in _qualities(shape.quality)],
        "n": [{"n": count} for count in _halves(shape.n, 1)],
        "prompt": _prompts(shape),
    }
    distinct = {param: tuple(rung for i, rung in enumerate(rungs) if rung not in rungs[:i])
                for param, rungs in every.items()}  # fmt: skip
    return {param: rungs for param, rungs in distinct.items() if len(rungs) > 1}


def shape_at(original: Shape, found: Ladders, levels: Mapping[Param, int]) -> Shape:
    """The shape whose parameters stand on these rungs; what is not named stays as the job had it."""
    changes: dict[str, Any] = {}
    for param, level in levels.items():
        changes |= found[param][level]
    return msgspec.structs.replace(original, **changes)


def _halves(count: int, last: int) -> list[int]:
    counts = [count]
    while counts[-1] > last:
        counts.append(max(last, counts[-1] // 2))
    return counts


def _references(shape: Shape) -> list[Rung]:
    own = {"reference_images": shape.reference_images, "mask": shape.mask, "edit_form": shape.edit_form}
    if not shape.reference_images:
        return [own]
    plain = [{"reference_images": count, "mask": False, "edit_form": None}
             for count in _halves(shape.reference_images, 1)]  # fmt: skip
    return [own, *plain, {"reference_images": 0, "mask": False, "edit_form": None}]


def _stream(shape: Shape) -> list[Rung]:
    rungs: list[Rung] = [{"stream": shape.stream, "partial_images": shape.partial_images}]
    if shape.stream:
        if (shape.partial_images or 0) > 1:
            rungs.append({"stream": True, "partial_images": 1})
        rungs.append({"stream": False, "partial_images": None})
    return rungs


def _format(shape: Shape) -> list[Rung]:
    own = {"output_format": shape.output_format, "output_compression": shape.output_compression}
    return [own, {**own, "output_compression": None}, {"output_format": None, "output_compression": None}]


def _pixels(size: str | None) -> int | None:
    found = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", size or "")
    return None if found is None else int(found[1]) * int(found[2])


def _sizes(size: str | None) -> list[str | None]:
    """Sizes of fewer and fewer pixels. One that the API decides, or that is as small already, goes at once."""
    pixels = _pixels(size)
    if pixels is None:
        return [size, SIMPLEST_SIZE]
    return [size, *(one for one in _SIZES if (_pixels(one) or 0) < pixels or one == SIMPLEST_SIZE)]


def _qualities(quality: str | None) -> list[str | None]:
    if quality == "hd":
        return ["hd", "standard"]
    if quality == "standard":
        return ["standard"]
    if quality not in _QUALITIES:
        return [quality, "low"]
    return [quality, *_QUALITIES[_QUALITIES.index(quality) + 1 :]]


def _prompts(shape: Shape) -> list[Rung]:
    """The own prompt, synthetic ones of its length and ever simpler, and the shortest simple one."""
    rungs: list[Rung] = [{"prompt": shape.prompt, "prompt_length": shape.prompt_length}]
    if shape.prompt == "own":
        rungs += [{"prompt": one, "prompt_length": shape.prompt_length} for one in _COMPLEXITIES]
    elif shape.prompt in _COMPLEXITIES:
        lower = _COMPLEXITIES[_COMPLEXITIES.index(shape.prompt) + 1 :]
        rungs += [{"prompt": one, "prompt_length": shape.prompt_length} for one in lower]
    return [*rungs, {"prompt": "low", "prompt_length": SHORTEST}]
