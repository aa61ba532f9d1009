"""What an image costs: before the call from its shape, afterwards from the usage that the answer states.

Prices and their sources are in ``harness/data/prices.yaml``. What is not known there is ``None`` here, never a guess.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from harness.events import Usage

PRICES_FILE = Path(__file__).parent / "data" / "prices.yaml"
QUALITIES = ("low", "medium", "high")

# Statuses with which the API refuses before it does any work: nothing is generated, so nothing is billed.
REFUSED = frozenset({301, 302, 303, 307, 308, 400, 401, 402, 403, 404, 413, 415, 422, 429})

# The dearest legal size of gpt-image-2: tokens grow with the short edge, so it is the largest square.
DEAREST_SIZE = (2880, 2880)


@dataclass(frozen=True)
class PriceEstimate:
    """An estimate in USD. `usd` is None when the API decides something that bears on it; `upper_usd` then bounds it
    where it can be bounded, and `note` says why."""

    usd: float | None
    upper_usd: float | None
    note: str | None = None


@cache
def _prices() -> Mapping[str, Any]:
    loaded: Mapping[str, Any] = yaml.safe_load(PRICES_FILE.read_text(encoding="utf-8"))
    return loaded


@cache
def _model(name: str) -> Mapping[str, Any] | None:
    models: Mapping[str, Mapping[str, Any]] = _prices()["models"]
    return next((entry for key, entry in models.items() if name == key or name in entry.get("snapshots", ())), None)


def prices_as_of() -> str:
    """The day on which the prices were collected, ISO 8601."""
    return str(_prices()["as_of"])


def formula_tokens(base: int, width: int, height: int) -> int:
    """Output tokens of one gpt-image-2 image, from its base (low 16, medium 48, high 96) and its edges.

    ``short = round_half_even(base · S / L); ceil(base · short · (2 000 000 + w·h) / 4 000 000)`` with S and L the short
    and the long edge. Worked out by third parties from OpenAI's calculator; reproduces the published price table.
    """
    short = round(base * min(width, height) / max(width, height))  # Python rounds halves to even, as the formula does
    return math.ceil(base * short * (2_000_000 + width * height) / 4_000_000)


def image_tokens(model: str, quality: str, size: str) -> int | None:
    """Image output tokens of one image, or None when the model, quality or size does not tell."""
    entry = _model(model)
    if entry is None or quality not in QUALITIES or "tokens" not in entry:
        return None
    tokens = entry["tokens"]
    if "table" in tokens:
        known: int | None = tokens["table"].get(size, {}).get(quality)
        return known
    edges = _edges(size)
    return None if edges is None else formula_tokens(tokens["base"][quality], *edges)


def _edges(size: str) -> tuple[int, int] | None:
    width, cross, height = size.partition("x")
    if not (cross and width.isdecimal() and height.isdecimal() and len(size) <= 11 and int(width) and int(height)):
        return None
    return int(width), int(height)


def estimate(
    model: str,
    quality: str | None,
    size: str | None,
    n: int = 1,
    partial_images: int | None = None,
    prompt_chars: int = 0,
    stream: bool = False,
    reference_images: int = 0,
) -> PriceEstimate:
    """What one request will cost. None and ``auto`` for quality or size mean that the API decides.

    Partial images are counted as often as they are asked for; a stream may end before it has sent them all. They are
    counted once a request, not once an image. Reference images are taken to be of about a megapixel.
    """
    entry = _model(model)
    if entry is None:
        return PriceEstimate(None, None, f"no price is known for {model}")
    rates = entry["usd_per_million_tokens"]
    extra = prompt_chars / _prices()["chars_per_text_token"] * rates["text_input"]
    if stream and partial_images:
        extra += partial_images * entry["partial_image_tokens"] * rates["image_output"]
    if reference_images:
        if "reference_image_tokens" not in entry:
            return PriceEstimate(None, None, f"what reference images cost is not known for {model}")
        extra += reference_images * entry["reference_image_tokens"] * rates["image_input"]
    extra /= 1e6
    image = _image_usd(model, quality or "auto", size or "auto")
    if image is not None:
        return PriceEstimate(n * image + extra, n * image + extra)
    decided = [name for name, value in (("quality", quality), ("size", size)) if value in (None, "auto")]
    if not decided:
        return PriceEstimate(None, None, f"no price is known for {model} {quality} {size}")
    dearest_quality = "high" if quality in (None, "auto") else str(quality)
    dearest = _dearest_usd(model, dearest_quality, None if size in (None, "auto") else size)
    note = f"the API chooses {' and '.join(decided)}"
    return PriceEstimate(None, None if dearest is None else n * dearest + extra, note)


def estimate_usd(
    model: str,
    quality: str | None,
    size: str | None,
    n: int = 1,
    partial_images: int | None = None,
    prompt_chars: int = 0,
    stream: bool = False,
) -> float | None:
    """`estimate` without its bound: USD, or None when it cannot be said."""
    return estimate(model, quality, size, n, partial_images, prompt_chars, stream).usd


def _image_usd(model: str, quality: str, size: str) -> float | None:
    entry = _model(model)
    assert entry is not None
    if "image_usd" in entry:
        published: float | None = entry["image_usd"].get(size, {}).get(quality)
        return published
    tokens = image_tokens(model, quality, size)
    return None if tokens is None else tokens * float(entry["usd_per_million_tokens"]["image_output"]) / 1e6


def _dearest_usd(model: str, quality: str, size: str | None) -> float | None:
    """The most that one image can cost at this quality when the size is given, or is left to the API."""
    if size is not None:
        return _image_usd(model, quality, size)
    entry = _model(model)
    assert entry is not None
    if "image_usd" in entry:
        sizes = list(entry["image_usd"])
    elif "table" in entry["tokens"]:
        sizes = list(entry["tokens"]["table"])
    else:
        sizes = ["{}x{}".format(*DEAREST_SIZE)]
    return max((usd for known in sizes if (usd := _image_usd(model, quality, known)) is not None), default=None)


def usage_usd(model: str, usage: Usage | None) -> float | None:
    """What the stated usage costs at list price, or None when model or output tokens are not known (0 is not).

    Input tokens without details are taken as text; cached input is not told apart, so this is the upper side.
    """
    entry = _model(model)
    if entry is None or usage is None or not usage.output_tokens:
        return None  # there are gateways that count nothing and say 0: no image is made of no tokens
    rates = entry["usd_per_million_tokens"]
    image_in = usage.input_image_tokens or 0
    text_in = usage.input_text_tokens
    if text_in is None:
        text_in = max(0, (usage.input_tokens or 0) - image_in)
    cost = text_in * rates["text_input"] + image_in * rates["image_input"] + usage.output_tokens * rates["image_output"]
    return float(cost) / 1e6
