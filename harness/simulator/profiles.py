"""How long a request takes: a pure function of profile, shape, seed and the request's own id."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import yaml

EXTREME_Z = 2.75  # where the smallest and the largest of 200 draws are expected
P95_Z = 1.645
REFERENCE = "1024x1024"
REFERENCE_PIXELS = 1024 * 1024


class UnknownProfile(ValueError):
    """There is no profile of that name."""


@dataclass(frozen=True)
class Spread:
    """A published figure in seconds: its median and whatever else the source gives."""

    median: float
    low: float | None
    high: float | None
    p95: float | None
    default_sigma: float

    def draw(self, dice: random.Random) -> float:
        """A lognormal in two halves, as the head of ``data/profiles.yaml`` defines it, held inside [low, high]."""
        z = dice.gauss(0, 1)
        if z < 0:
            sigma = math.log(self.median / self.low) / EXTREME_Z if self.low else self.default_sigma
        elif self.p95:
            sigma = math.log(self.p95 / self.median) / P95_Z
        else:
            sigma = math.log(self.high / self.median) / EXTREME_Z if self.high else self.default_sigma
        value = self.median * math.exp(sigma * z)
        return max(self.low or 0.0, min(self.high or math.inf, value))

    def times(self, factor: float) -> Spread:
        """Everything longer by `factor`."""
        low, high, p95 = (value and value * factor for value in (self.low, self.high, self.p95))
        return Spread(self.median * factor, low, high, p95, self.default_sigma)


@dataclass(frozen=True)
class Timing:
    """The plan of one request, in world seconds since it was received."""

    generation_s: float
    first_partial_s: float
    moderation_s: float  # input check over; also when the headers of a stream leave
    refusal_s: float  # any other refusal
    before_s: float = 0.0  # what stands before the image is begun: a text model that calls the tool, a bridge

    @property
    def done_s(self) -> float:
        """When the answer is due."""
        return self.generation_s


class Profile:
    """One named profile of ``data/profiles.yaml``."""

    def __init__(self, name: str) -> None:
        text = files("harness").joinpath("data/profiles.yaml").read_text(encoding="utf-8")
        known: dict[str, Any] = yaml.safe_load(text)["profiles"]
        if name not in known:
            raise UnknownProfile(f"no profile {name!r}; there are {', '.join(sorted(known))}")
        self._data = known[name]

    @staticmethod
    def names() -> list[str]:
        """Every profile there is."""
        text = files("harness").joinpath("data/profiles.yaml").read_text(encoding="utf-8")
        return sorted(yaml.safe_load(text)["profiles"])

    def spread(self, quality: str, size: str) -> Spread:
        """The spread of one image of this shape."""
        listed: dict[str, dict[str, Any]] = self._data["latency_s"][quality]
        if size in listed:
            return self._spread(listed[size])
        width, height = (int(edge) for edge in size.split("x"))
        scale = self._data["scale"]
        factor = max(scale["min"], min(scale["max"], width * height / REFERENCE_PIXELS))
        return self._spread(listed[REFERENCE]).times(factor)

    def timing(self, quality: str, size: str, n: int, dice: random.Random) -> Timing:
        """Draw the times of one request."""
        generation = self.spread(quality, size).draw(dice)
        if n > 1:
            generation *= n * dice.uniform(*self._data["n_factor"])
        first = self._spread(self._data["first_partial_s"]).draw(dice)
        return Timing(
            generation_s=generation,
            first_partial_s=min(first, generation * self._data["first_partial_max_share"]),
            moderation_s=min(self._spread(self._data["moderation_s"]).draw(dice), generation * 0.2),
            refusal_s=self._spread(self._data["refusal_s"]).draw(dice),
        )

    def _spread(self, entry: dict[str, Any]) -> Spread:
        sigma = self._data["default_sigma"]
        return Spread(entry["median"], entry.get("min"), entry.get("max"), entry.get("p95"), sigma)
