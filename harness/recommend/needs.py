"""One cell against what a use needs. Shown means that the whole 95 % interval is on one side of the limit.

Sources
-------
* Latency: intervals of quantiles, of cut clocks too, as `harness.stats` gives them. Jobs at least for an interval that
  is closed upwards: the smallest n whose largest sample can be its limit, ``p^n <= 2.5 %`` (H. A. David and
  H. N. Nagaraja, *Order Statistics*, 3rd ed. 2003, section 7.1): 6 for p50, 36 for p90, 72 for p95, 368 for p99.
* Shares: E. B. Wilson 1927. With no failure among n its upper limit is ``z^2 / (n + z^2)``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from harness.conditions import Use
from harness.estimate import Estimate
from harness.recommend.candidate import QUALITY_RANK, Candidate
from harness.recommend.model import CellResult, NeedResult, NeedState
from harness.recommend.uses import limits
from harness.recommend.words import dollars, percent, plural, seconds, span, three
from harness.stats import proportion
from harness.stats.quantiles import INTERVAL_CONFIDENCE

_Z2 = 1.959964**2
_EPSILON = 1e-9
FEWEST = 6  # jobs, below which nothing is called missed either: all of them may be of one bad minute
Ratings = Mapping[str, Estimate]
"""Cell → score with its interval. The hook for rated runs; a cell that is not in it was not rated."""


def jobs_for_upper_limit(p: float) -> int:
    """Jobs without a cut from which the interval of the p-quantile is closed upwards."""
    return math.ceil(math.log((1 - INTERVAL_CONFIDENCE) / 2) / math.log(p) - _EPSILON)


def misfits(use: Use, cell: Candidate) -> list[str]:
    """Why a cell has not the shape of a use: names of needs, none when it has."""
    found = []
    if use.sizes and cell.size not in use.sizes:
        found.append("sizes")
    if use.formats and cell.output_format not in use.formats:
        found.append("formats")
    if use.transparent and not cell.transparent:
        found.append("transparent")
    if use.edits != (cell.reference_images > 0):
        found.append("edits")
    if cell.n != 1:
        found.append("n")
    if use.min_quality is not None and (cell.rank is None or cell.rank < QUALITY_RANK[use.min_quality]):
        found.append("min_quality")
    return found


def judge(use: Use, cell: Candidate, ratings: Ratings) -> CellResult:
    """A cell against every need: met only when all are, missed when one is."""
    needs = [_latency(cell, p, limit) for p, limit, _ in limits(use)]
    if use.max_usd_per_image is not None:
        needs.append(_price(cell, use.max_usd_per_image))
    needs.append(_failures(cell, use.max_failed))
    if use.min_rating is not None:
        needs.append(_rating(cell, use.min_rating, ratings))
    states = {need.state for need in needs}
    state: NeedState = "missed" if "missed" in states else "met" if states == {"met"} else "not_shown"
    return CellResult(
        cell=cell.key,
        label=cell.label,
        route=cell.route,
        state=state,
        needs=tuple(needs),
        failed=cell.failed,
        wrong=cell.wrong,
        judged=cell.judged,
    )


def upper_ms(cell: Candidate, p: float) -> float | None:
    """The upper limit of a quantile; never from fewer jobs than it takes without a cut."""
    found = cell.quantile(p)
    return found.high if found.n >= jobs_for_upper_limit(p) else None


def lower_ms(cell: Candidate, p: float) -> float | None:
    """The lower limit of a quantile; what was watched, where cuts keep even that from the curve."""
    found = cell.quantile(p)
    if found.n < FEWEST:
        return None
    if found.low is None and found.censored and found.n:
        return found.beyond if found.beyond is not None else None
    return found.low


def _latency(cell: Candidate, p: float, limit_ms: float) -> NeedResult:
    name = f"p{100 * p:g}"
    found = cell.quantile(p)
    low, high = lower_ms(cell, p), upper_ms(cell, p)
    more: int | None = None
    counted = plural(found.n, "job") + (f", {found.censored} of them cut" if found.censored else "")
    state: NeedState = "not_shown"
    if found.n == 0:
        why = "no image came, and no job was cut at a known moment"
    elif high is not None and high <= limit_ms:
        state, why = "met", f"{name} {span(low, high)}, {counted}"
    elif low is not None and low > limit_ms:
        state, why = "missed", f"{name} {span(low, high)}, {counted}"
    elif found.censored and (high is None or found.value is None) and cell.cuts_ms is not None:
        at = seconds(cell.cuts_ms[0])
        why = f"{counted}, from {at} on: what lies beyond is not known, and more jobs would not tell"
    elif found.n < jobs_for_upper_limit(p):
        more = jobs_for_upper_limit(p) - found.n
        why = f"{counted}; {name} needs {jobs_for_upper_limit(p)} for an upper limit"
    else:
        more = _more_for_distance(found.n, found.value, low, high, limit_ms)
        why = f"{name} {span(low, high)} holds the limit, {counted}"
    return NeedResult(
        need=f"{name} within {three(limit_ms / 1000)} s",
        kind="latency",
        state=state,
        measured=cell.latency(p),
        limit=limit_ms,
        unit="ms",
        why=why,
        more_jobs=more,
    )


def _more_for_distance(n: int, value: float | None, low: float | None, high: float | None, limit: float) -> int | None:
    """About how many more jobs shrink the interval to the distance from the limit: width goes with 1 / sqrt(n)."""
    if value is None or low is None or high is None or value <= 0 or limit <= 0 or value == limit:
        return None
    half = math.log(high / value) if limit > value else math.log(value / low) if low > 0 else 0.0
    wanted = n * (half / math.log(limit / value)) ** 2
    return None if wanted > 100_000 else max(1, math.ceil(wanted) - n)


def _price(cell: Candidate, limit: float) -> NeedResult:
    found = cell.price
    state: NeedState = "not_shown"
    more: int | None = None
    if found.value is None:
        why = "no delivered image has a price"
    elif found.low is None or found.high is None:
        why, more = "one job has no interval", 2
    elif found.high <= limit + _EPSILON:
        state, why = "met", f"{dollars(found.value)} an image, {plural(found.n, 'job')}"
    elif found.low > limit + _EPSILON and found.n >= FEWEST:
        state, why = "missed", f"{dollars(found.value)} an image, {plural(found.n, 'job')}"
    elif found.n < FEWEST:
        why, more = f"{plural(found.n, 'job')} show nothing", FEWEST - found.n
    else:
        more = _more_for_distance(found.n, found.value, found.low, found.high, limit)
        why = f"{dollars(found.low)} to {dollars(found.high)} an image holds the limit"
    return NeedResult(
        need=f"at most {dollars(limit)} an image",
        kind="price",
        state=state,
        measured=found,
        limit=limit,
        unit="usd",
        why=why,
        more_jobs=more,
    )


def _failures(cell: Candidate, limit: float) -> NeedResult:
    bad = cell.failed + cell.wrong
    found = proportion(bad, cell.judged)
    measured = Estimate(value=_rounded(found.share), low=_rounded(found.low), high=_rounded(found.high), n=cell.judged)
    counted = f"{cell.failed} of {cell.judged} failed" + (f", {cell.wrong} brought another image" if cell.wrong else "")
    state: NeedState = "not_shown"
    more: int | None = None
    if found.low is None or found.high is None:
        why = "no job was seen to its end"
    elif found.high <= limit + _EPSILON:
        state, why = "met", counted
    elif found.low > limit + _EPSILON and cell.judged >= FEWEST:
        state, why = "missed", counted
    else:
        why = f"{counted}: {percent(found.low)} to {percent(found.high)} holds {percent(limit)}"
        if bad == 0 and limit > 0:
            more = max(1, math.ceil(_Z2 * (1 - limit) / limit) - cell.judged)
    return NeedResult(
        need=f"at most {percent(limit)} without the right image",
        kind="failures",
        state=state,
        measured=measured,
        limit=limit,
        unit="share",
        why=why,
        more_jobs=more,
    )


def _rating(cell: Candidate, limit: float, ratings: Ratings) -> NeedResult:
    found = ratings.get(cell.cell) or Estimate(value=None)
    state: NeedState = "not_shown"
    if found.value is None:
        why = "its images were not rated"
    elif found.low is not None and found.low >= limit:
        state, why = "met", f"rated {three(found.value)}, at least {three(found.low)}"
    elif found.high is not None and found.high < limit:
        state, why = "missed", f"rated {three(found.value)}, at most {three(found.high)}"
    else:
        why = f"rated {three(found.value)}; its interval holds the limit, or is not known"
    return NeedResult(
        need=f"rated {three(limit)} or better",
        kind="rating",
        state=state,
        measured=found,
        limit=limit,
        unit="score",
        why=why,
    )


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 6)
