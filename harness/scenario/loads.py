"""How jobs are put on the way: one shape, its limits, and when a route is given up."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from harness.loads import Arrivals, LoadShape
from harness.scenario.fields import Duration, read_duration
from harness.scenario.words import Mistake, show

_RATE = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)\s*/\s*(\d{0,6}(?:\.\d{1,6})?\s*(?:ms|s|m|min|h))")


def read_rate(value: object) -> object:
    """``6/1m``, ``6/m`` or ``0.5/s`` → jobs a second; a plain number is jobs a second."""
    if not isinstance(value, str):
        return value
    found = _RATE.fullmatch(value.strip())
    over = None
    if found is not None:
        stretch = found[2].strip()
        over = read_duration(stretch if stretch[0].isdigit() else f"1{stretch}")
    if found is None or not isinstance(over, float) or over <= 0:
        raise Mistake(f"{show(value)} is not a rate", "write jobs per time: 6/1m, 0.5/s, 200/1h")
    return float(found[1]) / over


Rate = Annotated[
    float,
    BeforeValidator(read_rate),
    Field(gt=0, le=10_000, allow_inf_nan=False),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": _RATE.pattern}]}
    ),
]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True)


class Ramp(_Model):
    """From little to what `concurrency` or `rate` says."""

    start: Rate = Field(description="What it begins with: jobs under way, or a rate like 1/1m.")
    over: Duration = Field(description="How long it rises, in a straight line.")


class Breaker(_Model):
    """When a route is given up. Cuts and rate limits do not count: they are what is measured."""

    consecutive: int | None = Field(
        5, ge=1, le=1000, description="So many failures in a row: unreachable, 401 to 404, or a 5xx that is no timeout."
    )
    share: float | None = Field(
        0.5, gt=0, le=1, description="Or this share of failures among the last `over` jobs of the route."
    )
    over: int = Field(20, ge=2, le=1000, description="How many jobs the share is taken over.")


class Load(_Model):
    """How much at once: `concurrency`, or `rate`, or `batch`."""

    concurrency: int = Field(1, ge=1, le=2048, description="Jobs under way at the same time.")
    rate: Rate | None = Field(None, description="Jobs that become due, whatever is under way: 6/1m.")
    arrivals: Arrivals = Field("constant", description="Of a rate: evenly spaced, or at random (poisson).")
    max_in_flight: int | None = Field(None, ge=1, le=2048, description="Of a rate: jobs under way at most; null: any.")
    when_full: Literal["wait", "drop"] = Field(
        "wait", description="Of a rate: a job that is due while all places are taken is sent late, or never."
    )
    batch: int | None = Field(None, ge=1, le=2048, description="So many at once, and the next when all are over.")
    gap: Duration | None = Field(None, description="Of batches: the rest between two.")
    ramp: Ramp | None = Field(None, description="Begin with less, and rise to the figure.")
    stop_after: Duration | None = Field(None, description="Send nothing more after this time.")
    requests_per_minute: int | None = Field(None, ge=1, description="Our own limit on each route.")
    images_per_minute: int | None = Field(
        None, ge=1, description="Our own limit on each route; each of n counts, and each reference image."
    )
    respect_limits: bool = Field(
        False,
        description="After a 429, or once a bucket is empty, wait as long as the headers say before this route is used "
        "again. Off by default: waiting hides the refusals that a naive client would meet.",
    )
    breaker: Breaker | None = Field(Breaker(), description="When a route is given up; null: never.")

    def shape(self) -> LoadShape:
        """The same as the reading half knows it."""
        kind: Literal["closed", "rate", "batch"] = "rate" if self.rate else "batch" if self.batch else "closed"
        most = {"closed": self.concurrency, "rate": self.max_in_flight or 0, "batch": self.batch or 0}[kind]
        return LoadShape(
            kind=kind,
            concurrency=most,
            rate_per_s=self.rate,
            arrivals=self.arrivals,
            when_full=self.when_full,
            gap_s=self.gap or 0.0,
            ramp_from=None if self.ramp is None else self.ramp.start,
            ramp_s=0.0 if self.ramp is None else self.ramp.over,
            stop_after_s=self.stop_after,
            requests_per_minute=self.requests_per_minute,
            images_per_minute=self.images_per_minute,
            respect_limits=self.respect_limits,
        )
