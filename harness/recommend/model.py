"""What is recommended, as plain data: a part of ``summary.json``. Units are in the names; null is "not known"."""

from __future__ import annotations

from typing import Literal

import msgspec

from harness.conditions import UseClaim
from harness.estimate import Estimate

NeedState = Literal["met", "missed", "not_shown"]
UseState = Literal["recommended", "not_shown", "refuted", "not_measured"]
CapAction = Literal["set", "widen", "narrow", "keep", "go_around", "unknown"]


class NeedResult(msgspec.Struct, frozen=True, kw_only=True):
    """One need of a use against one cell. `measured` and `limit` are in `unit`: ms, usd, share or score."""

    need: str  # in words, with its limit
    kind: Literal["latency", "price", "failures", "rating"]
    state: NeedState
    measured: Estimate
    limit: float
    unit: str
    why: str
    more_jobs: int | None = (
        None  # how many more would decide at the earliest; null where more would not, or none is due
    )


class CellResult(msgspec.Struct, frozen=True, kw_only=True):
    """A cell that has the shape of a use, against everything that the use needs."""

    cell: str
    label: str
    route: str
    state: NeedState
    needs: tuple[NeedResult, ...]
    failed: int
    wrong: int
    judged: int


class LayerTimeout(msgspec.Struct, frozen=True, kw_only=True):
    """One cap of one layer, outermost first: what it is and what it should be. Seconds."""

    layer: str
    product: str | None
    setting: str | None
    kinds: tuple[str, ...]
    today_s: float | None
    should_be_s: float | None  # null: nothing can be said, or it cannot be moved
    action: CapAction
    line: str | None = None  # in the product's own words
    note: str = ""


class Timeout(msgspec.Struct, frozen=True, kw_only=True):
    """The timeout that goes with a cell. `timeout_s` null: not estimable, and `why` says what to do."""

    timeout_s: float | None
    statistic: str | None  # p99 or p95
    upper_ms: float | None  # upper limit of its interval
    headroom: float
    why: str
    shared: str = ""  # said where slower cells go over the same route
    widen_to_s: float | None = None  # for the next measurement, where cuts keep it from being told
    layers: tuple[LayerTimeout, ...] = ()


class Stability(msgspec.Struct, frozen=True, kw_only=True):
    """The most jobs in flight at which no rate limit was met; null where even one job at a time met one."""

    route: str
    at_most: int | None
    jobs: int
    limited_share_high: float | None  # upper limit of the share of jobs that meet a 429 there, one-sided, at 95 %
    limited_from: int | None  # the lowest number in flight at which one was met
    sentence: str


class MonthlyCost(msgspec.Struct, frozen=True, kw_only=True):
    """What a month costs: every job that is needed for that many images, those without one included."""

    images_per_month: float
    example: bool  # nobody gave a volume
    usd: Estimate
    jobs_per_month: float | None
    maybe_billed_usd: float | None  # of `usd.value`: jobs without an image that may have been billed
    why: str


class OtherCell(msgspec.Struct, frozen=True, kw_only=True):
    """Another cell of the shape of a use, in short. `lacks`: the needs that it misses, or is not shown to meet."""

    cell: str
    label: str
    state: NeedState
    lacks: tuple[str, ...]


class UseResult(msgspec.Struct, frozen=True, kw_only=True):
    """The answer for one use. `best` is the recommended cell, or the nearest one where none is shown."""

    use: str
    title: str
    own: bool
    state: UseState
    sentence: str
    needs: tuple[str, ...]  # every need in words, with where it comes from
    best: CellResult | None = None
    latency: Estimate | None = None  # of `best`, in ms
    latency_statistic: str = ""
    median: Estimate | None = None  # of `best`, in ms: what a claim's seconds are set beside
    price_usd: Estimate | None = None  # of `best`, per delivered image
    timeout: Timeout | None = None
    stability: Stability | None = None
    monthly: MonthlyCost | None = None
    would_change: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    claim: UseClaim | None = None
    others: tuple[OtherCell, ...] = ()  # best first


class FrontPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A cell as price and latency. `beaten_by`: a cell that is shown to be no worse in anything and better in one."""

    cell: str
    label: str
    short: str  # a few letters, for the chart
    route: str
    quality: str
    size: str
    usd: Estimate
    latency: Estimate  # ms
    beaten_by: str | None = None


class Recommendation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a run says about which tier to use."""

    statistic: str  # of the front's latencies: p95, p90 or p50
    front: tuple[FrontPoint, ...]
    uses: tuple[UseResult, ...]
    unplaced: tuple[str, ...] = ()  # cells that have no price, because no image came
    notes: tuple[str, ...] = ()
