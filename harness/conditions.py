"""WAIST: the conditions of a run, one ``run.json`` beside the journal.

Events say what happened; this says under what circumstances, so that the reading half needs no scenario file and no
network library. It holds no key, no prompt and no host name of a route.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec

from harness.errors import HarnessError, UsageProblem
from harness.loads import ClosedRoute, LoadResult, LoadShape

EVENTS_FILE = "events.jsonl"
CONDITIONS_FILE = "run.json"
BACKEND_FILE = "backend.jsonl"
LAYERS_FILE = "layers.yaml"  # further layers that the scenario named, copied

CapKind = Literal["total", "idle", "first_byte", "connect"]


class LayerCap(msgspec.Struct, frozen=True, kw_only=True):
    """One declared layer on a route and the cap it gives up at."""

    layer: str  # what it is called here
    product: str | None = None  # entry of the layer catalog: nginx, cloudflare, …
    kind: CapKind = "total"
    cap_s: float | None = None
    setting: str | None = None  # the setting's own name, when the user gave one


class RouteConditions(msgspec.Struct, frozen=True, kw_only=True):
    """A route as declared: who owns it and what lies on the way."""

    name: str
    kind: str
    owner: str
    chain: tuple[LayerCap, ...] = ()
    direct: bool = False  # the most direct route at hand: what the others are compared with


class Objective(msgspec.Struct, frozen=True, kw_only=True):
    """A threshold of the scenario, as it was written and as it is applied."""

    text: str
    metric: str
    statistic: str  # p50, p90, p95, p99, max, share, mean, time
    comparison: Literal["<", "<=", ">", ">="]
    value: float
    unit: str
    where: dict[str, str] = {}
    inner_comparison: Literal["<", "<=", ">", ">="] | None = None  # of share(clock > time): which jobs are counted
    inner_value: float | None = None  # ms
    images: int | None = None  # of a batch: how many


class HypothesisTest(msgspec.Struct, frozen=True, kw_only=True):
    """What would show a claim: a figure of the jobs of `b`, alone or against those of `a`, and where it has to lie.

    `at_least` and `at_most` are in `unit`: ms, usd, bytes, tokens, share (0 to 1), or ratio (b / a). Null is open.
    A selector names fields of a job and the values that match, any of which will do.
    """

    metric: str
    statistic: str  # p1 to p99, mean, share
    measure: Literal["value", "ratio", "difference"]
    a: dict[str, tuple[str, ...]] | None = None  # null: nothing is compared
    b: dict[str, tuple[str, ...]] = {}
    at_least: float | None = None
    at_most: float | None = None
    strict: bool = False  # the limits themselves are outside
    unit: str


class Hypothesis(msgspec.Struct, frozen=True, kw_only=True):
    """A claim of the scenario, where it was made, and its test; null when no run can show it, and then why."""

    name: str
    claim: str
    source: str
    contradicts: tuple[str, ...] = ()
    threshold: str | None = None  # as it was written
    test: HypothesisTest | None = None
    elsewhere: str | None = None


class IntervalRule(msgspec.Struct, frozen=True, kw_only=True):
    """A cell is settled once the interval of this figure lies inside its middle ± `within` (a share)."""

    metric: str
    statistic: str  # p1 to p99
    within: float
    where: dict[str, tuple[str, ...]] = {}


class CompareRule(msgspec.Struct, frozen=True, kw_only=True):
    """Two cells are settled once it is decided whether b takes longer than a: the median of b / a over blocks.

    `min_effect` is a share: what is closer to 1 than that does not matter.
    """

    a: dict[str, tuple[str, ...]]
    b: dict[str, tuple[str, ...]]
    metric: str
    min_effect: float


class EarlyStop(msgspec.Struct, frozen=True, kw_only=True):
    """When a cell has told enough. `intervals` of a cell or a pair share what may go wrong (1 - `confidence`)."""

    confidence: float
    after_blocks: int
    intervals: int
    interval: IntervalRule | None = None
    compare: tuple[CompareRule, ...] = ()


class StopDecision(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that was settled, and by what. The limits are in ms, of a comparison the ratio b / a; null is open.

    They hold at the moment of the decision at the confidence of the whole run, however often it was looked at.
    """

    rule: Literal["interval", "compare"]
    cell: str  # b, of a comparison
    against: str | None = None  # a, of a comparison
    metric: str
    statistic: str
    verdict: Literal["narrow", "slower", "faster", "no_difference"]
    blocks: int  # the first so many, in planned order
    samples: int  # of them; jobs without a clock are not among them
    low: float | None
    high: float | None
    why: str


class StoppedCell(msgspec.Struct, frozen=True, kw_only=True):
    """A cell whose remaining jobs were not sent, because every rule that concerns it was settled."""

    cell: str
    jobs_sent: int
    jobs_not_sent: int
    usd_not_spent: float | None  # by estimate; null where a price is not known
    decisions: tuple[StopDecision, ...]


class UseClaim(msgspec.Struct, frozen=True, kw_only=True):
    """The tier that somebody recommends for a use, and what they expect of it. A claim: it decides nothing."""

    quality: str
    size: str
    output_format: str
    output_compression: int | None = None
    from_s: float
    to_s: float
    usd: float
    source: str


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """What images are made for, as a set of needs. What is null or empty is not asked for."""

    name: str
    title: str = ""
    p50_s: float | None = None  # limits of quantiles of final_image_ms
    p90_s: float | None = None
    p95_s: float | None = None
    p99_s: float | None = None
    max_usd_per_image: float | None = None  # of a delivered image
    max_failed: float = 0.05  # share of jobs without the right image
    min_quality: Literal["low", "medium", "high"] | None = None
    min_rating: float | None = None  # in the unit of the run's ratings
    sizes: tuple[str, ...] = ()  # what the use can take, the preferred one first
    formats: tuple[str, ...] = ()
    transparent: bool = False
    edits: bool = False  # made from reference images
    images_per_month: float | None = None
    sources: dict[str, str] = {}  # need → where its figure comes from; the others are ours, or the scenario's
    claim: UseClaim | None = None
    own: bool = False  # of the scenario, not shipped


class Caps(msgspec.Struct, frozen=True, kw_only=True):
    """Our own timeouts, in seconds of the measured world; null means none."""

    connect_s: float | None = None
    first_byte_s: float | None = None
    idle_s: float | None = None
    total_s: float | None = None


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """The machine that measured, as far as it bears on the clocks."""

    python: str
    platform: str
    cpus: int
    openai_sdk: str
    harness: str


class WorkerConditions(msgspec.Struct, frozen=True, kw_only=True):
    """One of several machines that measured (`harness run --dask`). Its events bear its name."""

    name: str
    region: str | None = None
    host: Host


class ProofRow(msgspec.Struct, frozen=True, kw_only=True):
    """How far one clock was off in the self-test: stamp minus truth, in ms."""

    clock: str
    jobs: int  # at once
    tls: bool
    stamps: int
    bias_ms: float  # the median
    p99_ms: float  # of the error's size
    worst_ms: float
    inside: float  # share of the stamps whose interval holds the truth
    promised_ms: float | None  # for the p99; null where nothing is promised
    kept: bool | None


class ClockProof(msgspec.Struct, frozen=True, kw_only=True):
    """The last self-test on this machine: our stamps against a server that knows when it sent what."""

    measured_at: str
    harness: str
    platform: str
    stamp_source: Literal["kernel", "user"]
    rows: tuple[ProofRow, ...]


class RunConditions(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="run_conditions"):
    """Everything the reading half needs to know about a run beyond its events."""

    schema_version: int = 1
    run_id: str
    scenario: str
    why: str
    scenario_sha256: str
    seed: int
    started_at: str
    finished_at: str | None = None
    status: Literal["running", "complete", "partial"] = "running"
    stopped_by: str | None = None  # "user", "budget", …
    timezone: str
    time_scale: float = 1.0
    simulated: bool = False
    simulator_profile: str | None = None
    planned_jobs: int
    planned_cost_usd: float | None = None
    blocks: int
    cells: tuple[str, ...] = ()
    axes: tuple[str, ...] = ()
    routes: tuple[RouteConditions, ...] = ()
    caps: Caps = Caps()
    retries: int = 0
    concurrency: int = 1
    load: LoadShape | None = None  # null: of a run before there were shapes
    load_result: LoadResult | None = None
    closed_routes: tuple[ClosedRoute, ...] = ()
    budget_usd: float | None = None
    budget_jobs: int | None = None
    objectives: tuple[Objective, ...] = ()
    hypotheses: tuple[Hypothesis, ...] = ()
    early_stop: EarlyStop | None = None
    stopped_cells: tuple[StoppedCell, ...] = ()
    uses: tuple[Use, ...] = ()  # of the scenario; the shipped ones are not repeated here
    regions: tuple[str, ...] = ()  # each of which measured the whole plan; empty: one place, or none that was named
    workers: tuple[WorkerConditions, ...] = ()  # empty: the machine of `host` measured alone
    host: Host
    clock_proof: ClockProof | None = None  # null: `harness selftest` was never run here


def write_conditions(run_dir: Path, conditions: RunConditions) -> None:
    """Write ``run.json`` whole or not at all.

    Raises:
        HarnessError: it cannot be written; one that was there is as it was.
    """
    target = run_dir / CONDITIONS_FILE
    fresh = target.with_suffix(".json.tmp")
    try:
        with fresh.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(conditions), indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())  # or the name may outlive a power cut, and what it names may not
        fresh.replace(target)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise HarnessError(f"{target}: cannot be written ({error.strerror}); the journal beside it is kept") from error


def read_conditions(run_dir: Path) -> RunConditions:
    """Read ``run.json``.

    Raises:
        UsageProblem: there is none, or it is not one of ours.
    """
    path = run_dir / CONDITIONS_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=RunConditions)
    except (FileNotFoundError, NotADirectoryError):
        raise UsageProblem(f"{run_dir}: no {CONDITIONS_FILE} here; give a directory that `harness run` wrote") from None
    except msgspec.MsgspecError as error:
        raise UsageProblem(
            f"{path}: not the conditions of a run ({error}); the events beside it are whole and can be read with "
            "`harness diagnose - < events.jsonl`, and a run can be begun anew in another directory"
        ) from None
