"""How long a request takes: a pure function of profile, shape, seed and the request's own id."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from importlib.resources import files
from statistics import NormalDist
from typing import Any

import yaml

Z95 = NormalDist().inv_cdf(0.975)


class UnknownProfile(ValueError):
    """There is no profile of that name."""


@dataclass(frozen=True)
class Spread:
    """min, median and max in seconds."""

    low: float
    median: float
    high: float

    def draw(self, dice: random.Random) -> float:
        """A lognormal with this median whose central 95 % are as wide as min to max, cut off at both."""
        sigma = math.log(self.high / self.low) / (2 * Z95)
        return min(max(self.median * math.exp(sigma * dice.gauss(0, 1)), self.low), self.high)

    def times(self, factor: float) -> Spread:
        """Everything longer by `factor`."""
        return Spread(self.low * factor, self.median * factor, self.high * factor)


@dataclass(frozen=True)
class Timing:
    """The plan of one request, in world seconds since it was received."""

    generation_s: float
    first_partial_s: float
    overhead_s: float
    moderation_input_s: float

    @property
    def done_s(self) -> float:
        """When the answer is due."""
        return self.generation_s + self.overhead_s


class Profile:
    """One named profile of ``data/profiles.yaml``."""

    def __init__(self, name: str) -> None:
        text = files("harness").joinpath("data/profiles.yaml").read_text(encoding="utf-8")
        known: dict[str, Any] = yaml.safe_load(text)
        if name not in known:
            raise UnknownProfile(f"no profile {name!r}; there are {', '.join(sorted(known))}")
        self._data = known[name]

    def spread(self, quality: str, size: str) -> Spread:
        """The spread of one image of this shape."""
        listed: dict[str, dict[str, float]] = self._data["seconds"][quality]
        if size in listed:
            return _spread(listed[size])
        width, height = (int(edge) for edge in size.split("x"))
        rules = self._data["sizes"]
        factor = next((rule["factor"] for rule in rules if width * height <= rule["up_to_pixels"]), rules[-1]["factor"])
        return _spread(listed["1024x1024"]).times(factor)

    def timing(self, quality: str, size: str, n: int, dice: random.Random) -> Timing:
        """Draw the times of one request."""
        one = self.spread(quality, size).draw(dice)
        generation = one if n == 1 else one * n * self._data["n_factor"]
        first = _spread(self._data["stream"]["first_partial"]).draw(dice)
        return Timing(
            generation_s=generation,
            first_partial_s=min(first, generation * 0.5),
            overhead_s=self._data["overhead_s"],
            moderation_input_s=self._data["moderation_input_s"],
        )


def _spread(entry: dict[str, float]) -> Spread:
    return Spread(entry["min"], entry["median"], entry["max"])
