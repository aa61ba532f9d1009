"""A run on a cluster: who is there, the plan that they measure, and the run itself in the local run's own frame."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness.cluster.dask import Scheduler
from harness.cluster.fleet import Fleet
from harness.cluster.parcel import pack
from harness.cluster.regions import choose, region_of, spread
from harness.cluster.sender import ClusterSender
from harness.conditions import (
    BACKEND_FILE,
    CONDITIONS_FILE,
    RunConditions,
    WorkerConditions,
    read_conditions,
    write_conditions,
)
from harness.errors import UsageProblem
from harness.kept import IMAGES_DIR
from harness.plan import Plan
from harness.run.budget import Budget
from harness.run.journal import Journal
from harness.run.lag import LagMeter
from harness.run.lanes import SIMULATOR_KEY, close_lanes, make_setting
from harness.run.lettering import keep_lettering
from harness.run.pacing import Pacing
from harness.run.progress import RunProgress
from harness.run.runner import Ending, Runner
from harness.run.session import Finished, Options, run_scenario
from harness.scenario import Scenario
from harness.wire.clock import WorldClock

if TYPE_CHECKING:
    from harness.run.stopping import Stopper

PATIENCE_S = 60.0
_NOWHERE = "http://127.0.0.1:9/v1"  # of the client's own setting, by which nothing is sent


@dataclass(frozen=True)
class Cluster:
    """Where the workers are, and which of them take part: all of them when no region is named."""

    address: str
    regions: tuple[str, ...] = ()
    patience_s: float = PATIENCE_S


def survey(address: str, asked: Sequence[str], out: Path | None) -> Cluster:
    """Ask the scheduler who is there. A run that goes on is measured by the regions that began it.

    Raises:
        UsageProblem: no scheduler, no worker, or a region without one.
    """

    async def look() -> list[str | None]:
        async with Scheduler(address) as scheduler:
            return [region_of(one.resources) for one in await scheduler.workers()]

    there = asyncio.run(look())
    if not there:
        raise UsageProblem(f"--dask {address}: no worker is there; start one with `dask worker {address}`")
    begun = _begun(out)
    if begun and asked and set(begun) != set(asked):
        raise UsageProblem(
            f"{out}: this run was begun with the regions {', '.join(begun)}; leave --region out, or give another --out"
        )
    return Cluster(address, choose(there, begun or asked))


def _begun(out: Path | None) -> tuple[str, ...]:
    if out is None or not (out / CONDITIONS_FILE).exists():
        return ()
    return read_conditions(out).regions


def plan_for(scenario: Scenario, plan: Plan, cluster: Cluster) -> Plan:
    """The plan as these regions measure it.

    Raises:
        UsageProblem: the scenario has something that several machines cannot share.
    """
    if scenario.link_check:
        raise UsageProblem(
            f"{scenario.source}: link_check keeps links on the machine that got them, and `harness links` would not "
            "find them here: take it out for --dask"
        )
    if scenario.early_stop is not None and len(cluster.regions) > 1:
        raise UsageProblem(
            f"{scenario.source}: early_stop decides for one place, and {len(cluster.regions)} regions would measure: "
            "name one with --region, or take it out"
        )
    return spread(plan, cluster.regions)


def run_on_cluster(scenario: Scenario, plan: Plan, options: Options, cluster: Cluster) -> tuple[Finished, int]:
    """Run `plan` (of `plan_for`) on a cluster; also gives how many jobs were on their way when a worker was lost.

    Raises:
        UsageProblem: as `harness.run.session.run_scenario`, or a worker cannot measure the scenario.
    """
    drive = _Drive(cluster)
    finished = run_scenario(scenario, plan, options, {}, drive)
    # The self-test that may have been made here says nothing of the workers' clocks.
    conditions = msgspec.structs.replace(finished.conditions, workers=drive.workers, clock_proof=None)
    write_conditions(finished.run_dir, conditions)
    return replace(finished, conditions=conditions), drive.lost


class _Drive:
    """Drives a run in place of `run_scenario`'s own way: the runner is the same, and what sends is a fleet."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.lost = 0
        self.workers: tuple[WorkerConditions, ...] = ()

    async def __call__(
        self,
        scenario: Scenario,
        plan: Plan,
        options: Options,
        env: Mapping[str, str],  # noqa: ARG002 - keys are the workers' own
        conditions: RunConditions,
        clock: WorldClock,
        journal: Journal,
        entries: Mapping[str, str],  # noqa: ARG002 - so are embedded APIs
        progress: RunProgress,
        stopper: Stopper | None,
    ) -> Ending:
        images = journal.run_dir / IMAGES_DIR if options.keep_images else None
        parcel = pack(scenario, conditions.run_id, clock.time_scale, keep_images=options.keep_images)
        async with LagMeter() as lag:
            setting = make_setting(scenario, _Blank(), conditions.run_id, clock, _Blank(_NOWHERE), lag, None)
            if images is not None:
                keep_lettering(images, scenario.prompts, setting.salt)
            budget = Budget(scenario.budget.usd, scenario.budget.jobs)
            budget.recall(journal.finished_events())
            fleet: Fleet | None = None
            try:
                async with (
                    Scheduler(self._cluster.address) as scheduler,
                    Fleet(scheduler, parcel, self._cluster.regions, progress.say) as fleet,
                ):
                    self.workers = (*conditions.workers, *fleet.conditions())
                    write_conditions(
                        journal.run_dir, msgspec.structs.replace(conditions, workers=self.workers, clock_proof=None)
                    )
                    sender = ClusterSender(setting, fleet, self._cluster.patience_s, images)
                    pacing = Pacing.of(scenario, clock)
                    runner = Runner(setting, journal, budget, progress, pacing, stopper, sender=sender)
                    ending = await runner.run(plan.jobs, resend_unknown=options.resend_unknown)
                    while options.resend_unknown and sender.lost and ending.stopped_by is None:
                        again, sender.lost = set(sender.lost), []
                        journal.unseen |= again
                        progress.total += len(again)
                        ending = await runner.run(
                            [job for job in plan.jobs if job.job_id in again], resend_unknown=True
                        )
                    self.lost = len(sender.lost)
                    return ending
            finally:
                await close_lanes(setting)
                if fleet is not None:
                    self.workers = tuple(dict.fromkeys((*conditions.workers, *fleet.conditions())))
                    with (journal.run_dir / BACKEND_FILE).open("ab") as record:
                        record.writelines(fleet.backend)


class _Blank(Mapping[str, str]):
    """Stands for keys and addresses that only the workers have: any name, always the same value."""

    def __init__(self, value: str = SIMULATOR_KEY) -> None:
        self._value = value

    def __getitem__(self, name: str) -> str:
        return self._value

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0
