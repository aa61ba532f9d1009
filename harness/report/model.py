"""What a report shows, as plain data: ``summary.json``.

The page and the text are rendered from this record and from nothing else, so whatever is not here cannot leave with
them: there is no prompt, no key, no address, no text from the wire beyond short type and code words.

Units are in the names. Null means "did not happen" or "not known"; it is never 0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from harness.conditions import Caps, ClockProof, Host, RouteConditions
from harness.diagnosis.model import Decision, Finding, Grade
from harness.errors import UsageProblem
from harness.estimate import Estimate as Estimate  # part of this record, and taken from here
from harness.loads import ClosedRoute, LoadResult, LoadShape
from harness.recommend.model import Recommendation
from harness.report.comparisons_model import Comparisons
from harness.report.contact_model import PicturePart
from harness.report.maps_model import HeatMaps, HourView
from harness.report.ratings_model import RatingsPart
from harness.report.spread_model import SpreadPart
from harness.report.stopped_model import Stopped
from harness.report.waste_model import WasteRow

SUMMARY_FILE = "summary.json"
SUMMARY_SCHEMA_VERSION = 1

ObjectiveState = Literal["pass", "fail", "inconclusive"]
HypothesisState = Literal["supported", "refuted", "not_shown"]
SegmentKind = Literal["earlier", "pool", "dns", "tcp", "tls", "upload", "wait", "partials", "download", "render"]


class RunPart(msgspec.Struct, frozen=True, kw_only=True):
    """The conditions under which everything else was measured."""

    run_id: str
    scenario: str
    why: str
    scenario_sha256: str
    seed: int
    started_at: str
    finished_at: str | None
    timezone: str
    status: str
    partial: bool
    stopped_by: str | None
    time_scale: float
    simulated: bool
    simulator_profile: str | None
    planned_jobs: int
    jobs: int
    unreadable_lines: int
    backend_records: int
    planned_cost_usd: float | None
    budget_usd: float | None
    budget_jobs: int | None
    blocks: int
    concurrency: int
    load: LoadShape | None = None
    load_result: LoadResult | None = None
    closed_routes: tuple[ClosedRoute, ...] = ()
    retries: int
    axes: tuple[str, ...]
    common: tuple[str, ...]  # what every job asked for, so that no table needs to repeat it
    models: tuple[str, ...]
    caps: Caps
    routes: tuple[RouteConditions, ...]
    host: Host
    host_lag_max_ms: float | None
    stamp_source: str | None = None  # kernel, user, or both
    clock_error_p99_ms: float | None = None  # over jobs: how much earlier than its mark a byte may have been here
    clock_proof: ClockProof | None = None


class VerdictCount(msgspec.Struct, frozen=True, kw_only=True):
    verdict: str
    jobs: int


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict of the run in one sentence, and the one thing to do."""

    headline: str
    sentence: str
    conclusive: bool
    decision: Decision
    verdicts: tuple[VerdictCount, ...]  # most frequent first


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """The run in a few counts. `judged` leaves out jobs that were cancelled or whose answer nobody saw."""

    jobs: int
    judged: int
    completed: int
    failed: int
    censored: int
    cancelled: int
    unseen: int
    false_timeouts: int
    finished_behind_a_cut: int | None  # of the censored: the backend's own record says it finished; null without record
    attempts: int
    images: int
    cost_usd: float | None
    cost_by_basis_usd: dict[str, float]
    cost_per_image_usd: float | None


class ObjectiveResult(msgspec.Struct, frozen=True, kw_only=True):
    """An objective of the scenario, judged. No data never passes. `value` is in `unit`."""

    text: str
    metric: str
    statistic: str
    comparison: str
    limit: float
    unit: str
    where: dict[str, str]
    state: ObjectiveState
    why: str
    value: Estimate


class HypothesisResult(msgspec.Struct, frozen=True, kw_only=True):
    """A claim of the scenario, judged. `value` is in `unit`; of a comparison it is b against a. `a` null: none."""

    name: str
    claim: str
    source: str
    contradicts: tuple[str, ...]
    threshold: str | None
    testable: bool
    state: HypothesisState
    why: str
    metric: str = ""
    statistic: str = ""
    measure: str = ""  # value, ratio, difference
    a: dict[str, tuple[str, ...]] | None = None
    b: dict[str, tuple[str, ...]] = {}
    value: Estimate = Estimate(value=None)
    unit: str = ""
    n_a: int | None = None
    n_b: int = 0
    survives_holm: bool | None = None  # an answer that holds with all claims judged together; null: no answer


class FailureKind(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    jobs: int


class CellRow(msgspec.Struct, frozen=True, kw_only=True):
    """One combination of the matrix: what came of its jobs."""

    cell: str
    route: str
    shape: str
    planned_only: bool  # the plan names it, but no job of it was run
    n: int
    judged: int
    completed: int
    censored: int
    failures: tuple[FailureKind, ...]
    final_image_p50_ms: Estimate
    final_image_p90_ms: Estimate
    first_byte_p50_ms: Estimate
    first_partial_image_p50_ms: Estimate
    server_p50_ms: Estimate
    # Of the delivered jobs alone, as if the cut ones had not been: null where none was cut.
    successes_p50_ms: Estimate | None = None
    successes_p90_ms: Estimate | None = None
    # From the moment at which the plan wanted the job sent: null without a schedule.
    response_p50_ms: Estimate | None = None
    response_p90_ms: Estimate | None = None
    cost_usd: float | None
    cost_per_image_usd: float | None
    cost_basis: tuple[str, ...]


class CurveLine(msgspec.Struct, frozen=True, kw_only=True):
    """Share of one route's jobs done by each moment. `cut_at_ms` are the moments where jobs were cut."""

    route: str
    n: int
    censored: int
    x_ms: tuple[float, ...]
    done: tuple[float, ...]
    cut_at_ms: tuple[float, ...]
    cut_done: tuple[float, ...]
    p50_ms: float | None
    open_ended: bool
    steps: int = 0  # of the whole curve; where `x_ms` has fewer, evenly spaced ones of them were kept, and both ends


class CurvePanel(msgspec.Struct, frozen=True, kw_only=True):
    """All routes for one shape of request."""

    title: str
    pooled: tuple[str, ...]  # axes over which this panel pools, named so that the reader knows
    lines: tuple[CurveLine, ...]


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    kind: SegmentKind
    start_ms: float
    end_ms: float


class CutMark(msgspec.Struct, frozen=True, kw_only=True):
    """Where a job was cut, by what, and what became of it. All but the moment may be unknown."""

    at_ms: float
    layer: str | None
    product: str | None
    setting: str | None
    cap_s: float | None
    grade: Grade | None
    backend_finished: bool | None


class WaterfallRow(msgspec.Struct, frozen=True, kw_only=True):
    """One real job, chosen because it is typical: the median of its kind in its cell."""

    route: str
    shape: str
    job_id: str
    of_jobs: int  # it is the median of this many
    outcome: str
    total_ms: float
    segments: tuple[Segment, ...]
    partials_at_ms: tuple[float, ...]
    attempts: int
    cut: CutMark | None


class LayerRow(msgspec.Struct, frozen=True, kw_only=True):
    """A layer that gave up on jobs of a route."""

    layer: str
    product: str | None
    setting: str | None
    cap_s: float | None
    cap_kind: str | None
    grade: Grade | None
    route: str
    jobs: int
    of_jobs: int
    cut_at_p50_ms: float | None
    backend_finished: int | None  # null when no record of the backend was there to say


class FailureRow(msgspec.Struct, frozen=True, kw_only=True):
    """Failed jobs of one kind: how they ended and what the other side called it."""

    verdict: str | None
    outcome: str
    http_status: int | None
    error_type: str | None
    error_code: str | None
    routes: tuple[str, ...]
    jobs: int


class RetryRow(msgspec.Struct, frozen=True, kw_only=True):
    """Retries of one route, ours and the gateway's apart. `gateway_retries` null: no gateway said."""

    route: str
    jobs: int
    attempts: int
    retries: int
    jobs_with_429: int
    attempts_with_429: int
    jobs_failed_429: int
    gateway_retries: int | None
    reasons: dict[str, int]
    most_in_flight: int


class ToldRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one route tells of itself. Counts are of the delivered jobs that came with the fact."""

    route: str
    kind: str
    owner: str
    jobs: int
    delivered: int
    text_models: tuple[str, ...]  # a text model ran before the image: not comparable with a bare Images call
    deployments: tuple[str, ...]
    request_ids: int
    server_times: int
    queue_times: int
    usages: int
    sizes: int
    by_link: int
    download_p50_ms: float | None  # of results that came as links
    poll_error_p50_ms: float | None
    callbacks: int
    gateways: tuple[str, ...]
    overhead_p50_ms: float | None  # as the gateway says
    cache_hits: int
    drops: tuple[str, ...]
    links_alive: int
    links_checked: int


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    title: str
    unit: str
    start: str
    end: str
    sentence: str


class Summary(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="run_summary"):
    """Everything a report shows."""

    schema_version: int = SUMMARY_SCHEMA_VERSION
    run: RunPart
    answer: Answer
    totals: Totals
    findings: tuple[Finding, ...]
    objectives: tuple[ObjectiveResult, ...]
    hypotheses: tuple[HypothesisResult, ...] = ()
    stopped: Stopped | None = None
    waste: tuple[WasteRow, ...] = ()
    comparisons: Comparisons | None = None  # null: no two cells differ in one axis only
    spread: SpreadPart | None = None  # null: fewer than two axes vary, or too few jobs
    cells: tuple[CellRow, ...]
    heat: HeatMaps | None = None
    hours: HourView | None = None
    curves: tuple[CurvePanel, ...]
    waterfalls: tuple[WaterfallRow, ...]
    layers: tuple[LayerRow, ...]
    failures: tuple[FailureRow, ...]
    retries: tuple[RetryRow, ...]
    told: tuple[ToldRow, ...] = ()
    ratings: RatingsPart | None = None  # null: nobody voted
    pictures: PicturePart | None = None  # only of a run that kept its images
    recommendation: Recommendation | None = None
    definitions: tuple[Definition, ...]


def write_summary(path: Path, summary: Summary) -> None:
    """Write the summary whole or not at all; equal summaries give equal bytes."""
    fresh = path.with_suffix(".json.tmp")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n")
    fresh.replace(path)


def read_summary(path: Path) -> Summary:
    """Read what `write_summary` wrote.

    Raises:
        UsageProblem: it is not there, or it is not ours, or it was written by a later version.
    """
    try:
        summary = msgspec.json.decode(path.read_bytes(), type=Summary)
    except FileNotFoundError:
        raise UsageProblem(f"{path}: not there; `harness report` writes it") from None
    except msgspec.MsgspecError as error:
        raise UsageProblem(f"{path}: not a run summary ({error})") from None
    if summary.schema_version > SUMMARY_SCHEMA_VERSION:
        raise UsageProblem(
            f"{path}: schema version {summary.schema_version}, this harness reads up to {SUMMARY_SCHEMA_VERSION}"
        )
    return summary
