"""The uses that are shipped (`harness/data/uses.yaml`), and those of a scenario over them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import msgspec
import yaml

from harness.conditions import Use
from harness.recommend.words import dollars, percent, three

LATENCIES = ((0.5, "p50_s"), (0.9, "p90_s"), (0.95, "p95_s"), (0.99, "p99_s"))


@cache
def shipped() -> tuple[Use, ...]:
    """Every use of the data file."""
    text = files("harness").joinpath("data/uses.yaml").read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return tuple(msgspec.convert(yaml.load(text, Loader=loader), list[Use]))


def all_uses(own: Sequence[Use]) -> tuple[Use, ...]:
    """A scenario's own uses first; a shipped one whose name they take is left out."""
    taken = {use.name for use in own}
    return (*own, *(use for use in shipped() if use.name not in taken))


def limits(use: Use) -> list[tuple[float, float, str]]:
    """Quantile, limit in ms, and the name of the need."""
    return [(p, value * 1000, name) for p, name in LATENCIES if (value := getattr(use, name)) is not None]


def needs_in_words(use: Use) -> tuple[str, ...]:
    """Every need with its limit and where it comes from."""

    def told(name: str, text: str) -> str:
        source = use.sources.get(name, "ours")
        return f"{text} ({source})"

    found = [
        told(name, f"{name[:-2]} of the final image within {three(limit / 1000)} s") for _, limit, name in limits(use)
    ]
    if use.max_usd_per_image is not None:
        found.append(told("max_usd_per_image", f"at most {dollars(use.max_usd_per_image)} an image"))
    if use.min_quality is not None and use.min_quality != "low":
        found.append(told("min_quality", f"quality {use.min_quality} or better"))
    if use.min_rating is not None:
        found.append(told("min_rating", f"rated {three(use.min_rating)} or better"))
    found.append(told("max_failed", f"at most {percent(use.max_failed)} of jobs without the right image"))
    if use.sizes:
        found.append("size " + " or ".join(size.replace("x", "×") for size in use.sizes))
    if use.formats:
        found.append("as " + " or ".join(use.formats))
    if use.transparent:
        found.append("transparent background")
    if use.edits:
        found.append("made from reference images")
    return tuple(found)
