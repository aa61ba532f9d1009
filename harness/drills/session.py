"""A drill from scenario and policies to ``drill.json``: one policy after the other, each in a world of its own."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec

from harness.conditions import BACKEND_FILE, CONDITIONS_FILE, write_conditions
from harness.drills.measures import measured
from harness.drills.model import DRILLS_FILE, RESULT_FILE, DrillResult, PolicyResult
from harness.drills.plan import DrillPlan, PolicyPlan, load_text
from harness.drills.running import Office, PolicyRun, Switches
from harness.drills.switching import SwitchFailed, post
from harness.errors import UsageProblem
from harness.plan import Plan
from harness.run.begin import conditions_of, new_run_id
from harness.run.budget import Budget
from harness.run.journal import Journal
from harness.run.lag import LagMeter
from harness.run.lanes import close_lanes, embedded, make_setting, warm_up
from harness.run.progress import RunProgress
from harness.scenario import Scenario
from harness.wire import watch
from harness.wire.clock import WorldClock

# When all users are served, an embedded world is moved on by so much: what was left alone is made, billed and written.
AFTERWARDS_S = 86_400.0


# A terminal that is closed is one of them: the route must not stay broken behind it.
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Options:
    """What the command line decides about a drill."""

    run_dir: Path | None = None
    quiet: bool = False
    time_scale: float | None = None  # of an embedded API that is already running
    switches: Switches = field(default_factory=Switches)


@dataclass(frozen=True)
class Drilled:
    """A drill that is over, wholly or in part."""

    run_dir: Path
    result: DrillResult


def drill(
    scenario: Scenario, plan: Plan, wanted: DrillPlan, options: Options, env: Mapping[str, str] = os.environ
) -> Drilled:
    """Drill every policy, and write what came of it: after each of them, so that nothing is lost.

    Raises:
        UsageProblem: the directory holds something already, or the embedded API cannot be started.
        SwitchFailed: the primary could not be broken or mended; what was measured until then is kept.
        HarnessError: the journal cannot be written.
    """
    run_id = new_run_id(f"drill-{scenario.name}")
    run_dir = options.run_dir or Path("reports") / run_id
    if (run_dir / CONDITIONS_FILE).exists():
        raise UsageProblem(f"{run_dir}: holds a run already, and a drill is not gone on with; give another --out")
    clock = WorldClock(options.time_scale or scenario.time_scale)
    conditions = msgspec.structs.replace(
        conditions_of(scenario, plan, run_id, clock),
        status="running",
        planned_jobs=wanted.jobs * len(wanted.policies),
        planned_cost_usd=wanted.least_usd,
        budget_usd=wanted.budget_usd,
    )
    done: list[PolicyResult] = []
    with (
        Journal(run_dir) as journal,
        RunProgress(wanted.jobs * len(wanted.policies), quiet=options.quiet) as progress,
        (run_dir / DRILLS_FILE).open("ab", buffering=0) as book,
    ):
        write_conditions(run_dir, conditions)
        office = Office(
            scenario, wanted, journal, Budget(wanted.budget_usd, wanted.budget_jobs), progress, options.switches, book
        )
        for place, one in enumerate(wanted.policies):
            if not options.quiet:
                progress.say(f"policy {one.policy.name}: {len(one.jobs)} jobs")
            begun = _size(run_dir / BACKEND_FILE)
            ran, simulated = _one_policy(office, one, place, run_id, clock, env)
            truths = _truths(run_dir / BACKEND_FILE, begun) if simulated else None
            done.append(measured(one.policy, one.primary, ran.jobs, ran.outage, truths))
            stopped_by, message = ran.stopped or (None, None)
            if ran.failure is not None:
                stopped_by, message = "switch", str(ran.failure)
            result = DrillResult(
                run_id=run_id,
                scenario=scenario.name,
                scenario_sha256=scenario.sha256,
                started_at=conditions.started_at,
                finished_at=_now(),
                simulated=scenario.simulated or clock.time_scale != 1,
                time_scale=clock.time_scale,
                load=load_text(wanted.load),
                primary=wanted.policies[0].primary,
                stopped_by=stopped_by,
                message=message,
                policies=tuple(done),
            )
            _write(run_dir / RESULT_FILE, result)
            if stopped_by is not None:
                break
        write_conditions(
            run_dir,
            msgspec.structs.replace(
                conditions,
                status="complete" if result.stopped_by is None else "partial",
                stopped_by=result.stopped_by,
                finished_at=result.finished_at,
            ),
        )
    if ran.failure is not None:
        raise SwitchFailed(f"{ran.failure} What was measured until then is in {run_dir}.")
    return Drilled(run_dir, result)


def _one_policy(
    office: Office, one: PolicyPlan, place: int, run_id: str, clock: WorldClock, env: Mapping[str, str]
) -> tuple[PolicyRun, bool]:
    """One policy in a world of its own, and whether the embedded API answers all of it."""
    own = office.scenario.model_copy(update={"simulator": one.simulator})

    async def drive(entries: Mapping[str, str]) -> PolicyRun:
        async with LagMeter() as lag:
            setting = make_setting(own, env, run_id, clock, entries, lag, None)
            run = PolicyRun(office, one, place, setting)
            loop = asyncio.get_running_loop()
            try:
                await warm_up(setting, [job.cell for job in one.jobs])
                gc.collect()  # imports and models are not garbage: as in a run
                gc.freeze()
                for signum in STOPPING:
                    loop.add_signal_handler(signum, run.interrupt)
                await run.run(entries)
            finally:
                for signum in STOPPING:
                    loop.remove_signal_handler(signum)
                await close_lanes(setting)
            return run

    with embedded(own, log=office.journal.run_dir / BACKEND_FILE) as entries:
        ran = watch.run(drive(entries))
        for url in list(entries.values())[:1]:
            post(url, "/sim/clock", {"advance_s": AFTERWARDS_S})
    return ran, bool(entries) and own.simulated


def _truths(path: Path, begun: int) -> dict[str, dict[str, object]]:
    """What the embedded API wrote of this policy: its own record, by the id that we sent."""
    found: dict[str, dict[str, object]] = {}
    if path.exists():
        for line in path.read_bytes()[begun:].splitlines():
            record = msgspec.json.decode(line)
            found[record["client_request_id"]] = record
    return found


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _write(path: Path, result: DrillResult) -> None:
    fresh = path.with_suffix(".json.tmp")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")
    fresh.replace(path)


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="milliseconds")
