"""A claim in a scenario and its test. What is written, and what is made of it (`harness.conditions.Hypothesis`).

::

    - name: jpeg-is-faster
      claim: JPEG is at least 5 % faster than PNG
      source: A, C
      compare: {a: {format: png}, b: {format: jpeg}, metric: final_image_ms, statistic: p50}
      threshold: ratio <= 0.95                     # of b to a
    - name: low-takes-seconds
      claim: A low image takes 3 to 8 s
      source: B
      measure: {where: {quality: low}, metric: final_image_ms, statistic: p50}
      threshold: 3s to 8s
    - name: links-die
      claim: Links to results die after 24 h
      source: D
      elsewhere: harness links looks again at 23 h and 25 h

A threshold is ``< 40s`` (also ``<= > >=``), ``3s to 8s`` or ``about 25s``, which is 20 % to either side; of a
comparison it begins with ``ratio`` or ``difference``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from harness.conditions import Hypothesis, HypothesisTest
from harness.metrics import BY_NAME
from harness.scenario import fields as f
from harness.scenario.cells import ALIASES
from harness.scenario.objectives import WHERE_KEYS
from harness.scenario.words import Mistake, listing, nearest, show

ABOUT = 0.2  # how far "about" reaches, as a share
SELECTOR_KEYS = (*WHERE_KEYS, "concurrency")
# Beside the clocks: metric → (unit as applied, statistics)
COUNTED: dict[str, str] = {
    "error_rate": "share",
    "rate_limited_rate": "share",  # of jobs that met a 429
    "cost_usd": "usd",  # per image
    "image_bytes": "bytes",  # per image
    "usage_output_tokens": "tokens",  # per job
}
_UNITS: dict[str, dict[str, float]] = {
    "ms": {"ms": 1.0, "s": 1000.0, "m": 60_000.0, "min": 60_000.0},
    "share": {"%": 0.01},
    "usd": {"": 1.0, "usd": 1.0},
    "bytes": {"bytes": 1.0, "kb": 1000.0, "mb": 1_000_000.0},
    "tokens": {"": 1.0, "tokens": 1.0},
    "ratio": {"": 1.0, "x": 1.0, "%": 0.01},
}
_FIGURE = r"-?\d{1,12}(?:\.\d{1,12})?\s*[a-z%]*"
_THRESHOLD = re.compile(
    rf"(?:(?P<measure>ratio|difference)\s+)?"
    rf"(?:(?P<comparison><=|>=|<|>)\s*(?P<limit>{_FIGURE})|about\s+(?P<about>{_FIGURE})"
    rf"|(?P<low>{_FIGURE})\s+to\s+(?P<high>{_FIGURE}))"
)
_PARTS = re.compile(r"(?P<number>-?\d+(?:\.\d+)?)\s*(?P<unit>[a-z%]*)")
_STATISTIC = re.compile(r"p[1-9]\d?|mean|share")
EXAMPLES = "< 40s, 3s to 8s, about 25s or ratio <= 0.95"


def read_selector(value: object) -> object:
    """``{format: [png, null], n: 4}`` → field → values as text."""
    if not isinstance(value, dict):
        raise Mistake(f"{show(value)} does not select jobs", "write a mapping: {quality: low, format: png}")
    selector: dict[str, tuple[str, ...]] = {}
    for key, given in value.items():
        name = ALIASES.get(str(key), "prompt_complexity" if key == "complexity" else str(key))
        if name not in SELECTOR_KEYS:
            near = nearest(name, SELECTOR_KEYS)
            raise Mistake(f"{show(key)} is no field to select by", f"write {near or listing(SELECTOR_KEYS)}")
        if name in selector:
            raise Mistake(f"{show(key)} is given twice", "keep one")
        if given in ([], {}) or isinstance(given, dict):
            raise Mistake(f"{show(key)} selects nothing", "give a value or a list of them")
        selector[name] = tuple(_as_text(one) for one in (given if isinstance(given, list) else [given]))
    return selector


def _as_text(value: object) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _metric(name: str) -> str:
    known = (*BY_NAME, *COUNTED)
    if name not in known:
        raise Mistake(f"there is no metric {show(name)}", f"write {nearest(name, known) or listing(known)}")
    return name


def _statistic(name: str) -> str:
    if not _STATISTIC.fullmatch(name):
        raise Mistake(f"there is no statistic {show(name)}", "write p50, p90 (p1 to p99), mean or share")
    return name


def _threshold(text: str) -> str:
    if not _THRESHOLD.fullmatch(text.strip().lower()):
        raise Mistake(f"{show(text)} is not a threshold", f"write {EXAMPLES}")
    return text


Selector = Annotated[
    Mapping[str, tuple[str, ...]],
    BeforeValidator(read_selector),
    WithJsonSchema({"type": "object", "propertyNames": {"enum": [*SELECTOR_KEYS, *ALIASES, "complexity"]}}),
]
MetricName = Annotated[str, AfterValidator(_metric), WithJsonSchema({"enum": [*BY_NAME, *COUNTED]})]
Statistic = Annotated[
    str, AfterValidator(_statistic), WithJsonSchema({"type": "string", "pattern": f"^({_STATISTIC.pattern})$"})
]
Threshold = Annotated[str, Field(max_length=100), AfterValidator(_threshold)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True)


class Measure(_Model):
    """One figure of one set of jobs."""

    where: Selector = Field({}, description="Which jobs: field and value, or a list of values; {} is all.")
    metric: MetricName = Field(description="A clock, or error_rate, rate_limited_rate, cost_usd, image_bytes, …")
    statistic: Statistic = Field(description="p1 to p99, mean, or share (of a rate).")


class Compare(_Model):
    """One figure of two sets of jobs: b against a."""

    a: Selector = Field(description="The jobs that are compared with.")
    b: Selector = Field(description="The jobs that the claim is about.")
    metric: MetricName = Field(description="A clock, or cost_usd, image_bytes, usage_output_tokens.")
    statistic: Statistic = Field(description="p1 to p99.")


class HypothesisSpec(_Model):
    """A claim, who made it, and what would show it."""

    name: f.Slug = Field(description="Short name of the claim.")
    claim: f.Line = Field(description="The claim in one line.")
    source: f.Line = Field(description="Who says so.")
    contradicts: f.Tuple[f.Slug] = Field((), description="Names of claims that cannot hold beside this one.")
    measure: Measure | None = Field(None, description="A figure that the claim gives.")
    compare: Compare | None = Field(None, description="Two sets of jobs that the claim compares.")
    threshold: Threshold | None = Field(None, description=f"Where the figure lies if the claim holds: {EXAMPLES}.")
    elsewhere: f.Line | None = Field(None, description="Why a run of this scenario cannot show it, and what can.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        given = [name for name in ("measure", "compare", "elsewhere") if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "neither measure nor compare"
            raise Mistake(f"{self.name} has {found}", "give one of measure, compare and elsewhere")
        if (self.threshold is None) != (self.elsewhere is not None):
            wrong = "no threshold" if self.threshold is None else "a threshold that nothing is held against"
            raise Mistake(f"{self.name} has {wrong}", f"write threshold: {EXAMPLES}, and none beside elsewhere")
        self.conditions()
        return self

    def conditions(self) -> Hypothesis:
        """As the reading half knows it.

        Raises:
            Mistake: metric, statistic and threshold do not go together.
        """
        return Hypothesis(
            name=self.name,
            claim=self.claim,
            source=self.source,
            contradicts=self.contradicts,
            threshold=self.threshold,
            test=self._test(),
            elsewhere=self.elsewhere,
        )

    def _test(self) -> HypothesisTest | None:
        asked = self.compare or self.measure
        if asked is None or self.threshold is None:
            return None
        base = COUNTED.get(asked.metric, "ms")
        found = _THRESHOLD.fullmatch(self.threshold.strip().lower())
        assert found is not None
        measure = _measure_of(found["measure"], isinstance(asked, Compare))
        if (base == "share") != (asked.statistic == "share"):
            fix = "write statistic: share" if base == "share" else "write p50, p90 or mean"
            raise Mistake(f"there is no {asked.statistic} of {asked.metric}", fix)
        if measure != "value" and not asked.statistic.startswith("p"):
            raise Mistake(f"{asked.statistic} is not compared", "write p50 or p90, or measure one set of jobs")
        unit = "ratio" if measure == "ratio" else base
        low, high = _limits(found, unit)
        if low is not None and high is not None and low > high:
            raise Mistake(f"{show(self.threshold)} holds nothing", "put the smaller figure first")
        return HypothesisTest(
            metric=asked.metric,
            statistic=asked.statistic,
            measure=measure,
            a=dict(asked.a) if isinstance(asked, Compare) else None,
            b=dict(asked.b if isinstance(asked, Compare) else asked.where),
            at_least=low,
            at_most=high,
            strict=found["comparison"] in ("<", ">"),
            unit=unit,
        )


def _measure_of(word: str | None, compared: bool) -> Literal["value", "ratio", "difference"]:
    if compared != (word is not None):
        raise Mistake(
            "a comparison's threshold says of what" if compared else f"{word} needs two sets of jobs",
            "write ratio <= 0.95 or difference < 5s" if compared else "write compare: {a: …, b: …}, or drop the word",
        )
    return "ratio" if word == "ratio" else "difference" if word == "difference" else "value"


def _limits(found: re.Match[str], unit: str) -> tuple[float | None, float | None]:
    if found["about"] is not None:
        value = _figure(found["about"], unit)
        return value - ABOUT * abs(value), value + ABOUT * abs(value)
    if found["low"] is not None:
        return _figure(found["low"], unit), _figure(found["high"], unit)
    value = _figure(found["limit"], unit)
    return (None, value) if found["comparison"].startswith("<") else (value, None)


def _figure(text: str, unit: str) -> float:
    parts = _PARTS.fullmatch(text.strip())
    if parts is None or parts["unit"] not in _UNITS[unit]:
        known = listing([f"40{name}" if name else "40 without a unit" for name in _UNITS[unit]])
        raise Mistake(f"{show(text)} is not in {unit}", f"write it like {known}")
    return float(parts["number"]) * _UNITS[unit][parts["unit"]]
