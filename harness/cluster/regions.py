"""Regions: how workers name theirs, and a plan that every region measures. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from harness.errors import UsageProblem
from harness.plan import Job, Plan
from harness.scenario.cells import Cell

PREFIX = "region-"  # of the Dask resource: dask worker … --resources "region-eu=1"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


def region_of(resources: Mapping[str, float]) -> str | None:
    """The region that a worker's resources name; null when they name none.

    Raises:
        UsageProblem: they name two, or one that is no short name.
    """
    named = [key.removeprefix(PREFIX) for key, amount in resources.items() if key.startswith(PREFIX) and amount > 0]
    if len(named) > 1:
        raise UsageProblem(
            f"a worker says that it stands in {len(named)} regions ({', '.join(sorted(named))}): start it with one"
        )
    if named and not _NAME.fullmatch(named[0]):
        raise UsageProblem(
            f"{PREFIX}{named[0]} is no region: write lower-case letters, digits and hyphens, as in {PREFIX}eu"
        )
    return named[0] if named else None


def choose(there: Sequence[str | None], asked: Sequence[str]) -> tuple[str, ...]:
    """Which regions measure, in alphabetical order; none when no worker names one.

    Args:
        there: the region of each worker, null for one without.
        asked: regions by name; all that are there when empty.

    Raises:
        UsageProblem: a region that is asked for is not there.
    """
    known = sorted({region for region in there if region is not None})
    missing = [region for region in asked if region not in known]
    if missing:
        listed = ", ".join(known) or "no region at all"
        raise UsageProblem(
            f"--region {missing[0]}: no worker is there; the workers name {listed}. Start one with "
            f'`dask worker … --resources "{PREFIX}{missing[0]}=1"`'
        )
    return tuple(sorted(set(asked))) if asked else tuple(known)


def spread(plan: Plan, regions: Sequence[str]) -> Plan:
    """The plan that every one of these regions measures whole; with fewer than two the plan itself.

    A block holds each of its cells once a region, mixed, so that regions can be compared in pairs by block and what
    drifts over time hits all of them alike.
    """
    if len(regions) < 2:
        return plan
    times = len(regions)
    return replace(
        plan,
        cells=tuple(replace(one, cell=cell_in(one.cell, region)) for one in plan.cells for region in regions),
        jobs=tuple(_jobs(plan, regions)),
        cost_usd=None if plan.cost_usd is None else plan.cost_usd * times,
        cost_upper_usd=None if plan.cost_upper_usd is None else plan.cost_upper_usd * times,
        wall_s=None if plan.wall_s is None else plan.wall_s * times,
        regions=tuple(regions),
    )


def _jobs(plan: Plan, regions: Sequence[str]) -> Iterator[Job]:
    by_block: dict[int, list[Job]] = {}
    for job in plan.jobs:
        by_block.setdefault(job.block, []).append(job)
    for block in sorted(by_block):
        mixed = [(job, region) for job in by_block[block] for region in regions]
        mixed.sort(key=lambda one: hashlib.sha256(f"{one[0].job_id}\0{one[1]}".encode()).digest())
        for position, (job, region) in enumerate(mixed, start=1):
            yield replace(job_in(job, region), position=position)


def job_in(job: Job, region: str) -> Job:
    """The job as one region measures it: another job of another cell."""
    return replace(job, job_id=f"{job.job_id}-{region}", cell=cell_in(job.cell, region))


def cell_in(cell: Cell, region: str) -> Cell:
    """The cell as one region measures it."""
    return replace(cell, id=f"{cell.id}/{PREFIX}{region}")


def parts_of(job: Job) -> tuple[str, str | None]:
    """The id that the job has in the plan of one region, and its region; null where the plan is not spread."""
    _, found, region = job.cell.id.rpartition(f"/{PREFIX}")
    return (job.job_id.removesuffix(f"-{region}"), region) if found else (job.job_id, None)
