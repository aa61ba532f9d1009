"""Jobs that ask again for what the same user asked for a moment before: what a retry by hand looks like.

The same user hash, shape and prompt hash within `WINDOW_S`, as different jobs. A user hash that no log has counts as
one user; a prompt hash is needed, because many people ask for the same shape. What was refused costs nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from harness.prices import estimate

WINDOW_S = 600.0
CUT = (408, 460, 499)  # somebody stopped waiting; the work may have been done and billed


@dataclass(frozen=True)
class Repeats:
    """How many jobs repeat an earlier one, and what they cost; null where no price is known."""

    jobs: int
    usd: float | None


def repeats(ranked: pd.DataFrame) -> Repeats:
    """Count them over the outermost records (columns of sightings, with `job` and `rank`)."""
    outermost = ranked[ranked["rank"] == ranked.groupby("job")["rank"].transform("min")]
    told = outermost[outermost["prompt_hash"].notna() & outermost["started_at_s"].notna()]
    told = told.assign(refused=told["status"].between(400, 499) & ~told["status"].isin(CUT))
    by_job = told.groupby("job")
    told = told.assign(
        refused=by_job["refused"].transform("all"), cost_usd=by_job["cost_usd"].transform("sum", min_count=1)
    )
    first = told.sort_values("started_at_s").drop_duplicates("job")
    if first.empty:
        return Repeats(0, None)
    same = ["user_hash", "prompt_hash", "model", "quality", "size", "output_format"]
    gap = first.fillna(dict.fromkeys(same, "")).groupby(same, sort=False)["started_at_s"].diff()
    again = first[(gap <= WINDOW_S).to_numpy()]
    prices = [
        0.0 if refused else _usd(model, quality, size, n, cost)
        for model, quality, size, n, cost, refused in again[
            ["model", "quality", "size", "n", "cost_usd", "refused"]
        ].itertuples(index=False, name=None)
    ]
    known = [price for price in prices if price is not None]
    return Repeats(len(again), round(sum(known), 4) if known else None)


def _usd(model: object, quality: object, size: object, n: float, cost_usd: float) -> float | None:
    if not math.isnan(cost_usd):
        return float(cost_usd)
    if not isinstance(model, str):
        return None
    asked = (quality if isinstance(quality, str) else None, size if isinstance(size, str) else None)
    return estimate(model, *asked, 1 if math.isnan(n) else int(n), None, 0, False, 0).usd
