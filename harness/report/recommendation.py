"""A run's cells as candidates, and what is recommended from them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from harness.chain.model import declared
from harness.conditions import RunConditions
from harness.estimate import Estimate
from harness.recommend.build import recommend
from harness.recommend.candidate import Candidate
from harness.recommend.model import Recommendation, Stability
from harness.recommend.needs import FEWEST, Ratings
from harness.recommend.stability import Level, stability
from harness.report.jobs import (
    DELIVERED,
    NOT_JUDGED,
    clock_curve,
    is_cut,
    is_in,
    none_if_nan,
    numbers,
    positions_by,
    rounded,
)
from harness.report.price import cost_per_image, ratio_interval
from harness.report.ratings_model import RatingsPart
from harness.stats import Curve, survival

_NAMES = ("quality", "size", "output_format", "output_compression", "background", "n", "stream", "partial_images",
          "reference_images", "mask", "edit_form", "model", "text_model", "moderation")  # fmt: skip
_NEEDED = (
    "cell", "route", "outcome", "http_status", "image_count", "cost_usd", "cost_basis", "final_image_ms", "total_ms",
    "longest_silence_ms", "verdict_censored_at_ms", "in_flight", "rate_limited_attempts", "retry_count",
    "retry_reason", "earlier_attempts_usd", *_NAMES,
)  # fmt: skip


def recommendation(
    jobs: pd.DataFrame,
    conditions: RunConditions,
    *,
    volume: float | None = None,
    ratings: Ratings | None = None,
) -> Recommendation | None:
    """What one run says about which tier to use; null where there is nothing to choose between and no use to serve, or
    where no cell has more than a handful of jobs.

    `ratings`: cell → score with its interval (`as_needs`); without it a need of a rating is not shown.
    """
    cells = candidates(jobs, conditions)
    found = recommend(cells, conditions.uses, stabilities(jobs), volume=volume, ratings=ratings)
    return found if says_something(found) and any(one.judged >= FEWEST for one in cells) else None


def as_needs(rated: RatingsPart | None) -> dict[str, Estimate]:
    """Scores by cell, as needs are held against them: how often a cell is preferred to the average one, 0 to 1.

    Empty where cells were never compared with one another: two scales have no common average.
    """
    if rated is None or rated.scales != 1:
        return {}
    return {
        one.cell: Estimate(value=one.share.value, low=one.share.low, high=one.share.high, n=one.share.n)
        for one in rated.cells
    }


def says_something(found: Recommendation) -> bool:
    """A front of one cell and no use that it could serve is no recommendation."""
    return len(found.front) > 1 or any(use.state != "not_measured" for use in found.uses)


def candidates(jobs: pd.DataFrame, conditions: RunConditions, run: str = "") -> list[Candidate]:
    """Every cell that was run. `run`: how the run is called where there are several; it is then in every name."""
    narrow = jobs[list(_NEEDED)]
    chains = {route.name: route.chain for route in conditions.routes}
    varying = [name for name in _NAMES if len(narrow[name].unique()) > 1]
    routes = narrow["route"].nunique()
    found = []
    for positions in positions_by(narrow, ["cell"]).values():
        mine = narrow.iloc[positions]
        first = {name: none_if_nan(mine[name].iloc[0]) for name in ("cell", "route", *_NAMES)}
        found.append(_candidate(mine, first, conditions, chains.get(str(first["route"]), ()), varying, routes, run))
    labels = Counter(one.label for one in found)
    return [_told_apart(one) if labels[one.label] > 1 else one for one in found]


def _told_apart(one: Candidate) -> Candidate:
    from dataclasses import replace

    return replace(one, label=f"{one.label} ({one.cell})")


def _candidate(
    mine: pd.DataFrame,
    first: dict[str, Any],
    conditions: RunConditions,
    chain: Sequence[Any],
    varying: Sequence[str],
    routes: int,
    run: str,
) -> Candidate:
    cell, route = str(first["cell"]), str(first["route"])
    judged = mine[~is_in(mine, "outcome", NOT_JUDGED)]
    right, wrong = is_in(judged, "outcome", ("image",)), is_in(judged, "outcome", ("wrong_image",))
    price = cost_per_image(judged)
    cuts = numbers(judged, "verdict_censored_at_ms")
    cuts = cuts[~np.isnan(cuts)]
    stream = bool(first["stream"])
    spent, maybe, per_image = _spent(judged)
    where = f" on {route}" + (f", {run}" if run else "")
    return Candidate(
        key=f"{run}: {cell}" if run else cell,
        cell=cell,
        label=" · ".join(_shape(first, varying)) + where,
        short=" ".join(_short(first, varying, route if routes > 1 else "", run)),
        route=f"{run}: {route}" if run else route,
        quality=first["quality"],
        size=first["size"],
        output_format=first["output_format"] or "png",
        transparent=first["background"] == "transparent",
        n=int(first["n"]),
        stream=stream,
        reference_images=int(first["reference_images"] or 0),
        curve=clock_curve(judged, "final_image_ms"),
        silence=_silence(judged) if stream else None,
        cuts_ms=(float(cuts.min()), float(cuts.max())) if cuts.size else None,
        judged=len(judged),
        failed=int((~right & ~wrong).sum()),
        wrong=int(wrong.sum()),
        price=Estimate(
            value=rounded(price.usd, 6), low=rounded(price.low, 6), high=rounded(price.high, 6), n=price.jobs
        ),
        spent=spent,
        maybe_share=maybe,
        jobs_per_image=per_image,
        caps=declared(chain, conditions.caps),
    )


def _silence(jobs: pd.DataFrame) -> Curve:
    """The longest silence of each stream; that of a cut one would have gone on."""
    times = numbers(jobs, "longest_silence_ms")
    cut = is_cut(jobs)
    counts = ~np.isnan(times) & (is_in(jobs, "outcome", DELIVERED) | cut)
    return survival(times[counts], cut[counts])


def _spent(judged: pd.DataFrame) -> tuple[Estimate, float, float | None]:
    """USD for each image of the right kind with every job paid for, the share of it that is only perhaps paid, and how
    many jobs it takes for one image. A job that failed without a price cost nothing; one that delivered without a price
    is left out, because nobody knows its. Attempts before the last are in a job's cost. Where its event is too old to
    say what they may have cost, each that no 429 refused is taken to have cost what a delivered job does.
    """
    costs, images = numbers(judged, "cost_usd"), numbers(judged, "image_count")
    right = is_in(judged, "outcome", ("image",))
    images = np.where(right, images, 0.0)
    known = ~np.isnan(costs) | ~right
    price = float(np.nanmean(costs[right])) if right.any() and not np.isnan(costs[right]).all() else 0.0
    earlier = numbers(judged, "earlier_attempts_usd")
    again = np.where(np.isnan(earlier), _perhaps_made_before(judged) * price, 0.0)
    paid, made = (np.nan_to_num(costs) + again)[known], images[known]
    total, count = math.fsum(paid.tolist()), float(made.sum())
    per_image = len(judged) / float(images.sum()) if images.sum() else None
    if not count or np.isnan(costs[right]).all():
        return Estimate(value=None, n=int(known.sum())), 0.0, per_image
    usd = total / count
    low, high = ratio_interval(paid, made, usd)
    maybe = is_in(judged, "cost_basis", ("maybe_billed",))
    perhaps = np.where(maybe, np.nan_to_num(costs), np.nan_to_num(earlier)) + again
    share = math.fsum(perhaps[known].tolist()) / total if total else 0.0
    figure = Estimate(value=rounded(usd, 6), low=rounded(low, 6), high=rounded(high, 6), n=int(known.sum()))
    return figure, round(share, 6), per_image


def _perhaps_made_before(jobs: pd.DataFrame) -> np.ndarray:
    """For each job, attempts before the last that neither a 429 nor a failed connection kept from being made."""
    limited = numbers(jobs, "rate_limited_attempts") - (numbers(jobs, "http_status") == 429)
    made = np.maximum(numbers(jobs, "retry_count") - limited, 0.0)
    return np.where(is_in(jobs, "retry_reason", ("connect",)), 0.0, made)


def stabilities(jobs: pd.DataFrame, run: str = "") -> dict[str, Stability]:
    """By route: how many at a time met no rate limit."""
    found = {}
    for positions in positions_by(jobs, ["route"]).values():
        mine = jobs[["route", "outcome", "in_flight", "rate_limited_attempts"]].iloc[positions]
        mine = mine[~is_in(mine, "outcome", NOT_JUDGED)]
        name = str(jobs["route"].iloc[positions[0]])
        at, limited = numbers(mine, "in_flight"), numbers(mine, "rate_limited_attempts") > 0
        levels = [
            Level(int(level), int((at == level).sum()), int((limited & (at == level)).sum())) for level in np.unique(at)
        ]
        key = f"{run}: {name}" if run else name
        found[key] = stability(name, levels)
    return found


def _shape(first: dict[str, Any], varying: Sequence[str]) -> list[str]:
    """A tier in words: quality, size, format, and whatever else the cells differ in."""
    compression = f" {int(first['output_compression'])}" if first["output_compression"] is not None else ""
    words = [
        str(first["quality"] or "quality not given"),
        str(first["size"] or "size not given").replace("x", "×"),
        (first["output_format"] or "png") + compression,
    ]
    return words + _others(first, varying)


def _short(first: dict[str, Any], varying: Sequence[str], route: str, run: str) -> list[str]:
    words = [str(first["quality"] or "auto")]
    if "size" in varying:
        words.append(str(first["size"] or "auto").replace("x", "×"))
    if "output_format" in varying or "output_compression" in varying:
        compression = f" {int(first['output_compression'])}" if first["output_compression"] is not None else ""
        words.append((first["output_format"] or "png") + compression)
    brief = "stream" in varying  # then that it streams tells it apart
    return [*words, *_others(first, varying, brief=brief), *([route] if route else []), *([run] if run else [])]


def _others(first: dict[str, Any], varying: Sequence[str], *, brief: bool = False) -> list[str]:
    words = []
    if first["background"] == "transparent":
        words.append("transparent")
    if int(first["n"]) != 1:
        words.append(f"n {int(first['n'])}")
    if first["stream"]:
        partials = first["partial_images"]
        words.append("stream" + (f" with {int(partials)} previews" if partials and not brief else ""))
    if first["reference_images"]:
        words.append(f"{int(first['reference_images'])} references")
    words += [f"{name.replace('_', ' ')} {first[name]}" for name in ("mask", "edit_form", "model", "moderation")
              if name in varying and first[name] not in (None, False)]  # fmt: skip
    return words + ([f"after {first['text_model']}"] if first["text_model"] else [])
