"""How much slower a route is than the most direct one, for the same shapes in the same blocks.

Pairs are jobs of one block and one shape on the two routes, both with an image. The pairing takes prompt, shape and
time of day out of the difference. Evidence of a gap is a one-sided Wilcoxon signed-rank test (Wilcoxon, Biometrics
Bulletin 1945) on the paired differences together with a difference that matters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import wilcoxon

from harness.conditions import RunConditions

MIN_PAIRS = 8  # below it, not even all differences of one sign give p < 0.01 (0.5 ** 7 = 0.008)
ALPHA = 0.01
MIN_SHARE = 0.10  # of the direct route's median …
MIN_GAP_MS = 2000.0  # … and in absolute terms

SHAPE = ["block", "quality", "size", "output_format", "output_compression", "n", "stream", "partial_images",
         "background", "moderation", "reference_images", "mask", "edit_form", "text_model", "region"]  # fmt: skip
# text_model: a text model before the image is another job, and its time is nobody's delay.
# region: the way from one region is not the way from another.


@dataclass(frozen=True)
class RouteGap:
    """A route against the most direct one. Differences are route minus direct, in ms of the final image's clock."""

    route: str
    direct: str
    pairs: int
    median_gap_ms: float | None = None
    median_direct_ms: float | None = None
    outside_gap_ms: float | None = None  # the part that lies outside of what the server says it took
    p_value: float | None = None

    @property
    def slower(self) -> bool:
        """Whether the evidence shows that this route is slower by an amount that matters."""
        return (
            self.p_value is not None
            and self.median_gap_ms is not None
            and self.median_direct_ms is not None
            and self.p_value < ALPHA
            and self.median_gap_ms >= max(MIN_GAP_MS, MIN_SHARE * self.median_direct_ms)
        )


def route_gaps(jobs: pd.DataFrame, conditions: RunConditions) -> dict[str, RouteGap]:
    """Every other route against the one declared `direct`; empty when none is."""
    direct = next((route.name for route in conditions.routes if route.direct), None)
    # A route that answers with links has delivered when they are fetched.
    took = jobs["delivered_ms"].where(jobs["delivered_ms"].notna(), jobs["final_image_ms"])
    delivered = jobs["outcome"].isin(["image", "wrong_image"]) & took.notna()
    done = jobs.loc[delivered, [*SHAPE, "outcome", "route", "server_ms"]].assign(final_image_ms=took[delivered])
    if direct is None or done.empty:
        return {}
    table = pd.DataFrame(
        {
            "shape": done.groupby(SHAPE, observed=True, dropna=False, sort=False).ngroup().to_numpy(),
            "route": done["route"].array,
            "final_image_ms": done["final_image_ms"].array,
            "server_ms": done["server_ms"].array,
        }
    ).drop_duplicates(["shape", "route"])
    reference = table[table["route"] == direct]
    gaps: dict[str, RouteGap] = {}
    for route in conditions.routes:
        if route.name == direct:
            continue
        pairs = table[table["route"] == route.name].merge(reference, on="shape", suffixes=("", "_direct"))
        gaps[route.name] = _gap(route.name, direct, pairs)
    return gaps


def _gap(route: str, direct: str, pairs: pd.DataFrame) -> RouteGap:
    if len(pairs) < MIN_PAIRS:
        return RouteGap(route=route, direct=direct, pairs=len(pairs))
    here, there = pairs["final_image_ms"].to_numpy(float), pairs["final_image_ms_direct"].to_numpy(float)
    difference = here - there
    p_value = 1.0 if not np.any(difference) else float(wilcoxon(difference, alternative="greater").pvalue)
    outside = difference - (pairs["server_ms"].to_numpy(float) - pairs["server_ms_direct"].to_numpy(float))
    known = outside[~np.isnan(outside)]
    return RouteGap(
        route=route,
        direct=direct,
        pairs=len(pairs),
        median_gap_ms=float(np.median(difference)),
        median_direct_ms=float(np.median(there)),
        outside_gap_ms=float(np.median(known)) if len(known) >= MIN_PAIRS else None,
        p_value=p_value,
    )
