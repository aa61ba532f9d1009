"""When a cell has told enough: what is written, and which intervals are watched for it.

::

    early_stop:
      confidence: 95%            # of the whole run
      after_blocks: 5            # never before
      interval: {metric: final_image_ms, statistic: p50, within: 10%}
      compare:
        - {a: {route: direct}, b: {route: edge}, metric: final_image_ms, min_effect: 5%}

A cell is settled when every rule that concerns it is; then its remaining jobs are not sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from harness.conditions import CompareRule, EarlyStop, IntervalRule
from harness.observed import WAITED
from harness.scenario import fields as f
from harness.scenario.cells import FIELDS, Cell, where_text
from harness.scenario.hypotheses import Selector
from harness.scenario.words import Mistake, listing, nearest, show

_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)\s*%")
_OF_A_JOB = ("prompt_complexity", "concurrency")


def read_share(value: object) -> object:
    """``10%`` → 0.1; a number is a share already."""
    if not isinstance(value, str):
        return value
    found = _PERCENT.fullmatch(value.strip())
    if found is None:
        raise Mistake(f"{show(value)} is no share", "write a percentage: 10%")
    return float(found[1]) / 100


def _clock(name: str) -> str:
    if name not in WAITED:
        near = nearest(name, WAITED)
        raise Mistake(f"{show(name)} is no clock that a run can be stopped by", f"write {near or listing(WAITED)}")
    return name


def _quantile(name: str) -> str:
    if not re.fullmatch(r"p[1-9]\d?", name):
        raise Mistake(f"{show(name)} is no quantile", "write p50, p90 (p1 to p99)")
    return name


def _of_a_cell(selector: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
    for name in _OF_A_JOB:
        if name in selector:
            raise Mistake(f"{name} is nothing that cells differ in", "select by fields of a cell: {route: direct}")
    return selector


def _share_type(least: float, most: float) -> object:
    return WithJsonSchema({"anyOf": [
        {"type": "number", "minimum": least, "maximum": most}, {"type": "string", "pattern": _PERCENT.pattern},
    ]})  # fmt: skip


Confidence = Annotated[float, BeforeValidator(read_share), Field(ge=0.5, lt=1), _share_type(0.5, 1)]
Within = Annotated[float, BeforeValidator(read_share), Field(ge=0.001, le=1), _share_type(0.001, 1)]
MinEffect = Annotated[float, BeforeValidator(read_share), Field(ge=0, lt=1), _share_type(0, 1)]
Clock = Annotated[str, AfterValidator(_clock), WithJsonSchema({"enum": list(WAITED)})]
QuantileName = Annotated[str, AfterValidator(_quantile), WithJsonSchema({"type": "string", "pattern": r"^p[1-9]\d?$"})]
CellSelector = Annotated[Selector, AfterValidator(_of_a_cell)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True)


class IntervalSpec(_Model):
    """A figure of each cell that is known well enough."""

    metric: Clock = Field("final_image_ms", description="A clock that waits for the answer.")
    statistic: QuantileName = Field("p50", description="p1 to p99.")
    within: Within = Field(description="Known well enough: the interval lies inside its middle ± this share.")
    where: CellSelector = Field({}, description="Which cells; {} is all.")


class CompareSpec(_Model):
    """A comparison that is decided."""

    a: CellSelector = Field(description="The cells that are compared with.")
    b: CellSelector = Field(description="Those that may be slower or faster; matched on all fields not named here.")
    metric: Clock = Field("final_image_ms", description="A clock that waits for the answer.")
    min_effect: MinEffect = Field(0.05, description="A difference smaller than this share does not matter.")


class EarlyStopSpec(_Model):
    """When a cell has told enough and its remaining jobs are not sent."""

    confidence: Confidence = Field(0.95, description="That no interval of the run is ever wrong, at any look.")
    after_blocks: int = Field(5, ge=1, le=10_000, description="Never before so many blocks.")
    interval: IntervalSpec | None = Field(None, description="A figure of each cell that is known well enough.")
    compare: f.Tuple[CompareSpec] = Field((), description="Pairs of cells whose comparison is decided.")

    @model_validator(mode="after")
    def _some_rule(self) -> Self:
        if self.interval is None and not self.compare:
            raise Mistake("early_stop has no rule", "give interval: {within: 10%}, or compare, or both")
        return self

    def conditions(self, cells: Sequence[Cell]) -> EarlyStop:
        """As the reading half knows it."""
        interval = None
        if self.interval is not None:
            given = self.interval
            interval = IntervalRule(
                metric=given.metric, statistic=given.statistic, within=given.within, where=dict(given.where)
            )
        return EarlyStop(
            confidence=self.confidence,
            after_blocks=self.after_blocks,
            intervals=len(watched(self, cells)),
            interval=interval,
            compare=tuple(
                CompareRule(a=dict(rule.a), b=dict(rule.b), metric=rule.metric, min_effect=rule.min_effect)
                for rule in self.compare
            ),
        )


@dataclass(frozen=True)
class Watch:
    """One interval that is watched: a quantile of `b`, or with `a` the median of the ratios b / a over blocks.

    `limit` is `within` of the one, `min_effect` of the other.
    """

    a: str | None
    b: str
    metric: str
    p: float
    limit: float


def watched(spec: EarlyStopSpec, cells: Sequence[Cell]) -> tuple[Watch, ...]:
    """Every interval that the rules ask for, over all cells and pairs of cells. They share the error rate."""
    found: list[Watch] = []
    if spec.interval is not None:
        rule = spec.interval
        p = int(rule.statistic[1:]) / 100
        found += [Watch(None, cell.id, rule.metric, p, rule.within) for cell in cells if _hit(cell, rule.where)]
    for pair in spec.compare:
        found += [Watch(a.id, b.id, pair.metric, 0.5, pair.min_effect) for a, b in pairs(pair.a, pair.b, cells)]
    return tuple(found)


def pairs(
    a: Mapping[str, tuple[str, ...]], b: Mapping[str, tuple[str, ...]], cells: Sequence[Cell]
) -> list[tuple[Cell, Cell]]:
    """Cells of `a` with those of `b` that agree on every field that neither selector names."""
    named = {*a, *b}
    others = () if "cell" in named else tuple(name for name in FIELDS if name not in named)
    partners: dict[tuple[object, ...], list[Cell]] = {}
    for cell in cells:
        if _hit(cell, b):
            partners.setdefault(tuple(getattr(cell, name) for name in others), []).append(cell)
    return [
        (one, other)
        for one in cells
        if _hit(one, a)
        for other in partners.get(tuple(getattr(one, name) for name in others), ())
        if other.id != one.id
    ]


def _hit(cell: Cell, selector: Mapping[str, tuple[str, ...]]) -> bool:
    return all(where_text(cell, key) in values for key, values in selector.items())
