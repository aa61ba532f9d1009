"""A use in a scenario: what images are made for, as needs. What is written, and what is made of it
(`harness.conditions.Use`).

::

    - name: product-tile
      title: Tile in the shop's list
      p95_s: 20                      # also p50_s, p90_s, p99_s; seconds or text with a unit
      max_usd_per_image: 0.02
      min_quality: low
      sizes: [1024x1024]
      formats: [webp, jpeg]          # the preferred one first
      max_failed: 2%
      images_per_month: 30000

A name of a shipped use (`harness/data/uses.yaml`) takes that one's place.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from harness.conditions import Use
from harness.scenario import fields as f
from harness.scenario.words import Mistake, show

_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)\s*%")
_LATENCIES = ("p50_s", "p90_s", "p95_s", "p99_s")


def _share(value: object) -> object:
    if not isinstance(value, str):
        return value
    found = _PERCENT.fullmatch(value.strip())
    if found is None:
        raise Mistake(f"{show(value)} is not a share", "write 5% or 0.05")
    return float(found[1]) / 100


Share = Annotated[
    float,
    BeforeValidator(_share),
    Field(ge=0, le=1),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string", "pattern": _PERCENT.pattern}]}
    ),
]


class UseSpec(BaseModel):
    """What images are made for, and what that needs. At least one limit is given."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True)

    name: f.Slug = Field(description="Short name; one of a shipped use takes its place.")
    title: f.Line = Field("", description="In words, for the report.")
    p50_s: f.Duration | None = Field(None, description="Limit of the median of final_image_ms.")
    p90_s: f.Duration | None = Field(None, description="Limit of its 90th percentile; shown by 36 images or more.")
    p95_s: f.Duration | None = Field(None, description="Limit of its 95th percentile; shown by 72 images or more.")
    p99_s: f.Duration | None = Field(None, description="Limit of its 99th percentile; shown by 368 images or more.")
    max_usd_per_image: float | None = Field(None, gt=0, le=1000, description="US dollars for a delivered image.")
    max_failed: Share = Field(0.05, description="Share of jobs without the right image that the use can bear.")
    min_quality: Literal["low", "medium", "high"] | None = Field(None, description="Lowest tier that is good enough.")
    min_rating: float | None = Field(
        None, ge=0, le=1, description="How often it has to be preferred to the average cell in blind votes, 0 to 1."
    )
    sizes: f.Tuple[f.Size] = Field((), description="Sizes that the use can take, the preferred one first; none: any.")
    formats: f.Tuple[f.OutputFormat] = Field((), description="Formats, the preferred one first; none: any.")
    transparent: bool = Field(False, description="Needs a transparent background.")
    edits: bool = Field(False, description="Is made from reference images.")
    images_per_month: float | None = Field(None, gt=0, le=1e9, description="Volume, for the monthly cost.")
    source: f.Line = Field("the scenario", description="Where these figures come from.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        needs = [*_LATENCIES, "max_usd_per_image", "min_quality", "min_rating"]
        if all(getattr(self, name) is None for name in needs):
            raise Mistake(f"{self.name} needs nothing", "give p95_s, max_usd_per_image or min_quality")
        limits = [value for name in _LATENCIES if (value := getattr(self, name)) is not None]
        if limits != sorted(limits):
            raise Mistake(
                f"{self.name} has a higher quantile with a lower limit", "let limits grow from p50_s to p99_s"
            )
        if self.transparent and self.formats and not set(self.formats) - {"jpeg"}:
            raise Mistake(f"{self.name} is transparent and jpeg", "add png or webp: jpeg has no transparency")
        return self

    def conditions(self) -> Use:
        """As the reading half knows it."""
        given = {name: getattr(self, name) for name in self.model_fields_set if name != "source"}
        named = [*_LATENCIES, "max_usd_per_image", "min_quality", "min_rating", "max_failed"]
        return Use(**given, sources={name: self.source for name in named if name in given}, own=True)
