"""A run from scenario to journal, to its end or as far as budget and user let it; or one job alone."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from harness.conditions import (
    BACKEND_FILE,
    CONDITIONS_FILE,
    LAYERS_FILE,
    RunConditions,
    read_conditions,
    write_conditions,
)
from harness.errors import HarnessError, UsageProblem
from harness.events import JobEvent
from harness.kept import IMAGES_DIR
from harness.plan import Job, Plan
from harness.run.begin import conditions_of, new_run_id
from harness.run.budget import Budget
from harness.run.job import run_job
from harness.run.journal import Journal
from harness.run.lag import LagMeter
from harness.run.lanes import close_lanes, embedded, make_setting, warm_up
from harness.run.lettering import keep_lettering
from harness.run.pacing import Pacing
from harness.run.progress import RunProgress
from harness.run.runner import Ending, Runner
from harness.scenario import Scenario
from harness.sweeping.model import SWEEP_FILE
from harness.wire import watch
from harness.wire.clock import WorldClock

if TYPE_CHECKING:
    from harness.run.stopping import Stopper

OTHERS = (SWEEP_FILE, "drills.jsonl")  # of a sweep and of a drill

Drive = Callable[
    [
        Scenario, Plan, "Options", Mapping[str, str], RunConditions, WorldClock, Journal, Mapping[str, str],
        RunProgress, "Stopper | None",
    ],
    Coroutine[Any, Any, Ending],
]  # fmt: skip


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
    if before is not None:
        must_be_a_run(options.run_dir or Path(), before, plan)
    if before is not None and before.load is not None and before.load != scenario.load.shape():
        raise UsageProblem(
            f"{options.run_dir}: this run was begun with {before.load.text()}; go on with the same load, "
            "or give another --out"
        )
    clock = WorldClock(options.time_scale or scenario.time_scale)
    if before is not None and before.time_scale != clock.time_scale:
        raise UsageProblem(
            f"{options.run_dir}: this run was begun in a world {before.time_scale:g} times faster; go on with "
            f"--time-scale {before.time_scale:g}, or give another --out"
        )
    run_id = before.run_id if before is not None else new_run_id(scenario.name)
    run_dir = options.run_dir or Path("reports") / run_id
    with Journal(run_dir) as journal:
        conditions = before or conditions_of(scenario, plan, run_id, clock)
        conditions = msgspec.structs.replace(
            conditions, status="running", stopped_by=None, finished_at=None, budget_usd=scenario.budget.usd
        )
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
            stopped_cells=() if stopper is None else stopper.stopped(journal.ever_sent, ending.passed_over),
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


def must_be_a_run(run_dir: Path, before: RunConditions, plan: Plan, others: Sequence[str] = OTHERS) -> None:
    """Hold what a directory has against what is to go on there: a sweep or a drill has the same scenario.

    Raises:
        UsageProblem: it is something else.
    """
    same = (before.blocks, before.cells) == (plan.blocks, tuple(one.cell.id for one in plan.cells))
    if not same or any((run_dir / name).exists() for name in others):
        raise UsageProblem(
            f"{run_dir}: what was begun there with this scenario is something else (a run, a sweep or a drill, or with "
            "other blocks); go on with the command that began it, or give another --out"
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
