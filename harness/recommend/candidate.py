"""A cell of a run as something to choose: what it asks for, its curve, its counts, its price, its chain."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from harness.chain.model import Cap
from harness.estimate import Estimate
from harness.stats import Curve, Quantile

QUALITY_RANK = {"low": 0, "medium": 1, "high": 2}


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One cell. Clocks in ms; prices in USD. `key` is unique among all candidates, `cell` within its run."""

    key: str
    cell: str
    label: str
    short: str
    route: str
    quality: str | None
    size: str | None
    output_format: str  # what is not asked for is png
    transparent: bool
    n: int
    stream: bool
    reference_images: int
    curve: Curve  # final_image_ms, cut jobs censored
    silence: Curve | None  # longest_silence_ms of streams
    cuts_ms: tuple[float, float] | None  # earliest and latest cut
    judged: int
    failed: int
    wrong: int  # an image came, and not the one that was asked for
    price: Estimate  # per delivered image, of the jobs that delivered
    spent: Estimate  # per delivered image, of all jobs: what is paid for failures is in it
    maybe_share: float  # of what was spent: jobs that may have been billed without an image
    jobs_per_image: float | None
    caps: tuple[Cap, ...]  # ours first, then the route's, outermost first

    @property
    def rank(self) -> int | None:
        return QUALITY_RANK.get(self.quality or "")

    @cached_property
    def _quantiles(self) -> dict[float, Quantile]:
        return {}

    def quantile(self, p: float) -> Quantile:
        """Of final_image_ms, by the censored curve."""
        if p not in self._quantiles:
            self._quantiles[p] = self.curve.quantile(p)
        return self._quantiles[p]

    def latency(self, p: float) -> Estimate:
        return figure(self.quantile(p))


def figure(found: Quantile) -> Estimate:
    """A quantile as plain data, rounded to the µs that a ms is told in."""

    def cut(value: float | None) -> float | None:
        return None if value is None else round(value, 3)

    return Estimate(
        value=cut(found.value),
        low=cut(found.low),
        high=cut(found.high),
        n=found.n,
        censored=found.censored,
        thin=found.thin and found.n > 0,
        floor=found.floor,
        beyond=cut(found.beyond),
    )
