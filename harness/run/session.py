"""A run from scenario to journal: routes made ready, the embedded API started where asked for, conditions kept."""

from __future__ import annotations

import asyncio
import gc
import os
import platform
import secrets
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from harness import __version__
from harness.conditions import (
    BACKEND_FILE,
    CONDITIONS_FILE,
    LAYERS_FILE,
    Host,
    RunConditions,
    read_conditions,
    write_conditions,
)
from harness.errors import HarnessError, UsageProblem
from harness.events import JobEvent
from harness.kept import IMAGES_DIR
from harness.plan import Job, Plan
from harness.routes import make_route
from harness.routes.base import Target
from harness.run.budget import Budget
from harness.run.images import prepare_codecs
from harness.run.job import Lane, Setting, run_job
from harness.run.journal import Journal
from harness.run.lag import LagMeter
from harness.run.lettering import keep_lettering
from harness.run.pacing import Pacing
from harness.run.progress import RunProgress
from harness.run.proofs import last_proof
from harness.run.references import References
from harness.run.retry import RetryPolicy
from harness.run.runner import Ending, Runner
from harness.salt import load_salt
from harness.scenario import RouteSpec, Scenario
from harness.scenario.cells import Cell
from harness.simulator.process import SimulatorFailed, spawn
from harness.wire import watch
from harness.wire.caps import Caps
from harness.wire.clock import WorldClock

if TYPE_CHECKING:
    from harness.run.stopping import Stopper

Drive = Callable[
    [
        Scenario, Plan, "Options", Mapping[str, str], RunConditions, WorldClock, Journal, Mapping[str, str],
        RunProgress, "Stopper | None",
    ],
    Coroutine[Any, Any, Ending],
]  # fmt: skip

# What the embedded API accepts as a key. It opens nothing.
SIMULATOR_KEY = "sk-sim-harness"


@dataclass(frozen=True)
class Options:
    """What the command line decides about a run."""

    run_dir: Path | None = None  # None: a fresh one below reports/
    keep_images: bool = False
    resend_unknown: bool = False
    quiet: bool = False
    time_scale: float | None = None  # of an embedded API that is already running


@dataclass(frozen=True)
class Finished:
    """A run that is over, wholly or in part."""

    run_dir: Path
    conditions: RunConditions
    ending: Ending
    outcomes: Mapping[str, int]
    spent_usd: float
    torn_lines: int


def new_run_id(scenario: str) -> str:
    """Readable, sortable, unique: ``demo-20261121-101500-3f2a``."""
    return f"{scenario}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def run_scenario(
    scenario: Scenario, plan: Plan, options: Options, env: Mapping[str, str] = os.environ, drive: Drive | None = None
) -> Finished:
    """Run a scenario to its end, or as far as budget and user let it; resume where the directory holds a part of it.

    `drive`: what sends the jobs where it is not this machine (`harness.cluster`).

    Raises:
        UsageProblem: the budget does not cover the plan, or the directory holds another run.
        HarnessError: the journal cannot be written, or the disk became full on the way.
    """
    refusal = plan.over_budget()
    if refusal is not None:
        raise UsageProblem(f"{scenario.source}: {refusal}; nothing was sent")
    before = earlier(options.run_dir, scenario, plan.regions)
    if before is not None and before.load is not None and before.load != scenario.load.shape():
        raise UsageProblem(
            f"{options.run_dir}: this run was begun with {before.load.text()}; go on with the same load, "
            "or give another --out"
        )
    run_id = before.run_id if before is not None else new_run_id(scenario.name)
    run_dir = options.run_dir or Path("reports") / run_id
    clock = WorldClock(options.time_scale or scenario.time_scale)
    with Journal(run_dir) as journal:
        conditions = before or conditions_of(scenario, plan, run_id, clock)
        conditions = msgspec.structs.replace(conditions, status="running", stopped_by=None, finished_at=None)
        write_conditions(run_dir, conditions)
        _copy_layers(scenario, run_dir)
        stopper = None
        if scenario.early_stop is not None:
            from harness.run.stopping import stopper_of  # scipy: a run without rules does not wait for it

            stopper = stopper_of(scenario, plan.jobs, journal.finished_events())
        own: AbstractContextManager[Mapping[str, str]] = nullcontext({})
        if drive is None:
            own = embedded(scenario, log=run_dir / BACKEND_FILE)
        with (
            own as entries,
            RunProgress(len(plan.jobs) - len(journal.finished), quiet=options.quiet) as progress,
        ):
            driven = (drive or _drive)(
                scenario, plan, options, env, conditions, clock, journal, entries, progress, stopper
            )
            ending = watch.run(driven)
        whole = ending.stopped_by is None
        conditions = msgspec.structs.replace(
            conditions,
            status="complete" if whole else "partial",
            stopped_by=ending.stopped_by,
            finished_at=_now(),
            load_result=ending.load,
            closed_routes=ending.closed_routes,
            stopped_cells=() if stopper is None else stopper.stopped(journal.ever_sent),
        )
        write_conditions(run_dir, conditions)
        if ending.stopped_by == "disk":
            raise HarnessError(
                f"stopped: {ending.message}; free some space and run again with --out {run_dir} to go on"
            )
        return Finished(run_dir, conditions, ending, dict(progress.outcomes), progress.spent_usd, journal.torn_lines)


def ping_scenario(scenario: Scenario, job: Job, options: Options, env: Mapping[str, str] = os.environ) -> JobEvent:
    """Send one job, keep no journal, and give back its event."""
    clock = WorldClock(options.time_scale or scenario.time_scale)

    async def once(entries: Mapping[str, str]) -> JobEvent:
        async with LagMeter() as lag:
            setting = make_setting(scenario, env, new_run_id(scenario.name), clock, entries, lag, None)
            try:
                await warm_up(setting, [job.cell])
                return await run_job(setting, job, 1)
            finally:
                await close_lanes(setting)

    with embedded(scenario, log=None) as entries:
        return watch.run(once(entries))


@contextmanager
def embedded(scenario: Scenario, *, log: Path | None) -> Iterator[Mapping[str, str]]:
    """The embedded API's addresses by entry, for as long as the context is open; none when no route asks for it."""
    if not any(route.simulated for route in scenario.routes.values()):
        yield {}
        return
    try:
        with spawn(scenario.simulator or {}, log=log) as running:
            yield running.entries
    except SimulatorFailed as error:
        raise UsageProblem(f"{scenario.source}: simulator: {error}") from None


async def _drive(
    scenario: Scenario,
    plan: Plan,
    options: Options,
    env: Mapping[str, str],
    conditions: RunConditions,
    clock: WorldClock,
    journal: Journal,
    entries: Mapping[str, str],
    progress: RunProgress,
    stopper: Stopper | None,
) -> Ending:
    images = journal.run_dir / IMAGES_DIR if options.keep_images else None
    async with LagMeter() as lag:
        setting = make_setting(scenario, env, conditions.run_id, clock, entries, lag, images)
        if images is not None:
            keep_lettering(images, scenario.prompts, setting.salt)
        budget = Budget(scenario.budget.usd, scenario.budget.jobs)
        budget.recall(journal.finished_events())
        await warm_up(setting, [job.cell for job in plan.jobs])
        # Imports and SDK models are not garbage: keep the collector from walking them while clocks run.
        gc.collect()
        gc.freeze()
        runner = Runner(setting, journal, budget, progress, Pacing.of(scenario, clock), stopper)
        try:
            return await runner.run(plan.jobs, resend_unknown=options.resend_unknown)
        finally:
            await close_lanes(setting)


def make_setting(
    scenario: Scenario,
    env: Mapping[str, str],
    run_id: str,
    clock: WorldClock,
    entries: Mapping[str, str],
    lag: LagMeter,
    images_dir: Path | None,
    salt: bytes | None = None,  # of prompt hashes: the user's own by default
) -> Setting:
    lanes = {}
    for name, spec in scenario.routes.items():
        target = _target(scenario, spec, env, entries, clock)
        lanes[name] = Lane(spec.kind, spec.owner, target, make_route(spec.kind, target))
    asked, retry = scenario.timeouts, scenario.retry
    caps = {
        f"{name}_s": None if (value := getattr(asked, name)) is None else clock.here_s(value)
        for name in ("connect", "first_byte", "idle", "total")
    }
    return Setting(
        run_id=run_id,
        model=scenario.model,
        lanes=lanes,
        clock=clock,
        caps=Caps(**caps),
        retry=RetryPolicy(retry.max_retries, retry.statuses, retry.base_s, retry.max_s, retry.honour_retry_after),
        salt=load_salt() if salt is None else salt,
        record_prompts=scenario.record_prompts,
        lag=lag,
        images_dir=images_dir,
        link_check_s=tuple(sorted(scenario.link_check)),
        references=References(scenario.references, scenario.mask_file),
    )


def _target(
    scenario: Scenario, spec: RouteSpec, env: Mapping[str, str], entries: Mapping[str, str], clock: WorldClock
) -> Target:
    if spec.simulated:
        base_url, key = entries[spec.simulator_layer or "direct"], SIMULATOR_KEY
    else:
        base_url, key = spec.base_url, env[spec.api_key_env] if spec.api_key_env else SIMULATOR_KEY
    return Target(
        spec.name,
        base_url,
        key,
        spec.resolved_headers(env),
        spec.ca_file,
        keepalive_s=scenario.connections.keepalive,
        max_connections=scenario.connections.max,
        options=spec.options,
        time_scale=clock.time_scale,
    )


async def warm_up(setting: Setting, cells: Iterable[Cell]) -> None:
    """The first call of a process costs up to a second of imports and model building: it is never a sample."""
    for lane in setting.lanes.values():
        await lane.route.warm_up()
    await asyncio.to_thread(prepare_codecs)
    # Pictures for edits are read, or drawn, before anything is timed.
    await asyncio.to_thread(setting.references.prepare, cells)


async def close_lanes(setting: Setting) -> None:
    for lane in setting.lanes.values():
        await lane.route.aclose()


def earlier(run_dir: Path | None, scenario: Scenario, regions: tuple[str, ...] = ()) -> RunConditions | None:
    """The conditions of the run that this directory already holds, if it is this scenario's."""
    if run_dir is None or not (run_dir / CONDITIONS_FILE).exists():
        return None
    before = read_conditions(run_dir)
    if before.scenario_sha256 != scenario.sha256:
        raise UsageProblem(
            f"{run_dir}: holds a run of another scenario or of another version of {scenario.source}; "
            "give another --out, or bring the file back to what it was to go on"
        )
    if before.regions != regions:
        raise UsageProblem(
            f"{run_dir}: holds a run measured by {_listed(before.regions)}, and this one would be by "
            f"{_listed(regions)}; give another --out, or the same --dask and --region to go on"
        )
    return before


def conditions_of(scenario: Scenario, plan: Plan, run_id: str, clock: WorldClock) -> RunConditions:
    """What is known of a run before it begins."""
    now = datetime.now().astimezone()
    return RunConditions(
        run_id=run_id,
        scenario=scenario.name,
        why=scenario.why,
        scenario_sha256=scenario.sha256,
        seed=scenario.seed,
        started_at=now.isoformat(timespec="milliseconds"),
        timezone=now.tzname() or "",
        time_scale=clock.time_scale,
        simulated=scenario.simulated or clock.time_scale != 1,
        simulator_profile=(scenario.simulator or {}).get("profile"),
        planned_jobs=len(plan.jobs),
        planned_cost_usd=plan.cost_usd,
        blocks=plan.blocks,
        cells=tuple(cell.cell.id for cell in plan.cells),
        axes=scenario.axes(),
        routes=scenario.route_conditions(),
        caps=scenario.timeouts.caps(),
        retries=scenario.retry.max_retries,
        concurrency=scenario.load.shape().concurrency,
        load=scenario.load.shape(),
        budget_usd=scenario.budget.usd,
        budget_jobs=scenario.budget.jobs,
        objectives=scenario.objective_conditions(),
        hypotheses=scenario.hypothesis_conditions(),
        early_stop=None if scenario.early_stop is None else scenario.early_stop.conditions(scenario.cells()),
        uses=scenario.use_conditions(),
        regions=plan.regions,
        host=Host(
            python=platform.python_version(),
            platform=f"{platform.system()} {platform.release()} {platform.machine()}",
            cpus=os.cpu_count() or 1,
            openai_sdk=version("openai"),
            harness=__version__,
        ),
        clock_proof=last_proof(),
    )


def _listed(regions: tuple[str, ...]) -> str:
    return f"the regions {', '.join(regions)}" if regions else "one place"


def _copy_layers(scenario: Scenario, run_dir: Path) -> None:
    """The scenario's own layers go with the run: the reading half needs no scenario file."""
    if scenario.layers:
        texts = [Path(name).read_text(encoding="utf-8").rstrip() for name in scenario.layers]
        (run_dir / LAYERS_FILE).write_text("\n".join(texts) + "\n", encoding="utf-8")


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="milliseconds")
