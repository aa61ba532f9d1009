"""Scenario → ordered jobs, with what they will take and cost. Pure: opens no connection, brings no network library.

The order is decided by hashing, not by a random module, so that a plan is the same on every Python. Within a block
every cell runs once and all cells use the same prompt: what drifts over time hits all of them alike, and cells can be
compared in pairs by block.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from harness.loads import LoadShape
from harness.prices import PriceEstimate, estimate
from harness.scenario.cells import Cell
from harness.scenario.estimates import DEFAULT_PROFILE, cut, expect, profile_named
from harness.scenario.fields import EXPERIMENTAL_PIXELS, GPT_IMAGE_2, parse_size
from harness.scenario.models import Prompt, Scenario

__all__ = ["Cell", "CellPlan", "Job", "Plan", "make_plan"]


@dataclass(frozen=True)
class Job:
    """One image request as it will be made. `estimate_usd` is the upper bound where the API decides something."""

    job_id: str
    cell: Cell
    block: int  # from 1
    position: int  # within the block, from 1
    prompt_index: int
    prompt: Prompt = field(repr=False)
    estimate_usd: float | None = None


@dataclass(frozen=True)
class CellPlan:
    """A cell with its estimates, one job each. None means that it is not known, and the note says why."""

    cell: Cell
    median_s: float | None  # of the model and the declared delays of a simulated layer, in the measured world
    time_basis: str | None  # published, derived, assumed or scaled
    time_note: str | None
    price: PriceEstimate
    cut_by: str | None = None  # the lowest declared cap that lies under the median, in words
    cut_at_s: float | None = None


@dataclass(frozen=True)
class Plan:
    """Everything that a run will do, known before its first byte."""

    scenario: str
    scenario_sha256: str
    model: str
    profile: str
    cells: tuple[CellPlan, ...]
    jobs: tuple[Job, ...]
    blocks: int
    load: LoadShape
    time_scale: float
    simulated: bool  # every route is answered by the embedded API: the USD are play money
    cost_usd: float | None  # None when the API decides what a cell costs, or its price is not known
    cost_upper_usd: float | None
    wall_s: float | None  # of the measured world; None when a cell's time is not known
    budget_usd: float | None
    budget_jobs: int | None
    warnings: tuple[str, ...]
    regions: tuple[str, ...] = ()  # each of which measures the whole scenario; of `harness.cluster`
    retries: int = 0  # that each job may be sent again, and may be billed again

    COLUMNS: ClassVar[tuple[str, ...]] = ("cell", "jobs", "median s", "USD each", "USD", "cut by")

    @property
    def real_wall_s(self) -> float | None:
        """What the run takes of the user's own time: shorter than `wall_s` when the world is scaled."""
        return None if self.wall_s is None else self.wall_s / self.time_scale

    @property
    def most_usd(self) -> float | None:
        """What this run may cost at worst: every retry made and billed, but never beyond the budget. None: unknown."""
        worst = None if self.cost_upper_usd is None else self.cost_upper_usd * (1 + self.retries)
        return self.budget_usd if worst is None else worst if self.budget_usd is None else min(worst, self.budget_usd)

    def over_budget(self) -> str | None:
        """Why this run does not fit its budget, or None. Where only an upper bound is known, the bound has to fit."""
        if self.budget_jobs is not None and len(self.jobs) > self.budget_jobs:
            return f"{len(self.jobs)} jobs are planned and the budget is {self.budget_jobs}: raise budget.jobs to it"
        if self.budget_usd is None:
            return None
        if self.cost_upper_usd is None:
            return f"the price of {self.model} is not known for every cell, so the budget in USD cannot be kept"
        if self.cost_upper_usd > self.budget_usd + 1e-9:
            most = "" if self.cost_usd is not None else "up to "
            return (
                f"the run would cost {most}{self.cost_upper_usd:.2f} USD and the budget is {self.budget_usd:.2f}: "
                "lower repeats, drop cells, or raise budget.usd, in the file or with `run --usd`"
            )
        return None

    def rows(self) -> list[tuple[str, ...]]:
        """One row a cell under `COLUMNS`, as text. What is not known is a question mark."""
        return [
            (
                plan.cell.id,
                str(self.blocks),
                _text(plan.median_s, ".0f"),
                _usd_text(plan.price, 1),
                _usd_text(plan.price, self.blocks),
                plan.cut_by or "",
            )
            for plan in self.cells
        ]

    def to_json(self) -> dict[str, Any]:
        """The plan as plain data for ``--format json``. Holds no prompt text and no URL."""
        return {
            "scenario": self.scenario,
            "scenario_sha256": self.scenario_sha256,
            "model": self.model,
            "profile": self.profile,
            "blocks": self.blocks,
            "concurrency": self.load.concurrency,
            "load": self.load.text(),
            "time_scale": self.time_scale,
            "simulated": self.simulated,
            "planned_jobs": len(self.jobs),
            "cost_usd": _rounded(self.cost_usd, 4),
            "cost_upper_usd": _rounded(self.cost_upper_usd, 4),
            "wall_s": _rounded(self.wall_s, 1),
            "real_wall_s": _rounded(self.real_wall_s, 1),
            "budget_usd": self.budget_usd,
            "budget_jobs": self.budget_jobs,
            "over_budget": self.over_budget(),
            "warnings": list(self.warnings),
            "cells": [
                {
                    **asdict(plan.cell),
                    "median_s": _rounded(plan.median_s, 1),
                    "time_basis": plan.time_basis,
                    "time_note": plan.time_note,
                    "usd": _rounded(plan.price.usd, 6),
                    "upper_usd": _rounded(plan.price.upper_usd, 6),
                    "price_note": plan.price.note,
                    "cut_by": plan.cut_by,
                }
                for plan in self.cells
            ],
            "jobs": [
                {
                    "job_id": job.job_id,
                    "cell": job.cell.id,
                    "block": job.block,
                    "position": job.position,
                    "prompt_index": job.prompt_index,
                    "prompt_complexity": job.prompt.complexity,
                    "estimate_usd": _rounded(job.estimate_usd, 6),
                }
                for job in self.jobs
            ],
        }


def make_plan(scenario: Scenario, *, profile: str | None = None) -> Plan:
    """Every job of a scenario, in order, with estimates.

    Args:
        scenario: as `load_scenario` returned it.
        profile: the latency profile to estimate with; by default the simulator's, else `DEFAULT_PROFILE`.

    Raises:
        UsageProblem: there is no such profile.
    """
    stated = (scenario.simulator or {}).get("profile")
    name = profile or (stated if isinstance(stated, str) else DEFAULT_PROFILE)
    figures = profile_named(name)
    cells = scenario.cells()
    plans = tuple(_plan_cell(scenario, cell, name, figures) for cell in cells)
    jobs = tuple(_jobs(scenario, cells))
    usd, upper = _total([p.price.usd for p in plans]), _total([p.price.upper_usd for p in plans])
    return Plan(
        scenario=scenario.name,
        scenario_sha256=scenario.sha256,
        model=scenario.model,
        profile=name,
        cells=plans,
        jobs=jobs,
        blocks=scenario.repeats,
        load=scenario.load.shape(),
        time_scale=scenario.time_scale,
        simulated=scenario.simulated,
        cost_usd=_total([job.estimate_usd for job in jobs]) if usd is not None else None,
        cost_upper_usd=_total([job.estimate_usd for job in jobs]) if upper is not None else None,
        wall_s=_wall_s(scenario, plans),
        budget_usd=scenario.budget.usd,
        budget_jobs=scenario.budget.jobs,
        warnings=tuple(_warnings(scenario, plans)),
        retries=scenario.retry.max_retries,
    )


def _jobs(scenario: Scenario, cells: Sequence[Cell]) -> Iterator[Job]:
    for block in range(1, scenario.repeats + 1):
        prompt_index = (block - 1) % len(scenario.prompts)
        prompt = scenario.prompts[prompt_index]
        for position, cell in enumerate(sorted(cells, key=lambda c: _digest(scenario.seed, block, c.id)), start=1):
            tail = _digest(scenario.sha256, cell.id, block)[:8]
            yield Job(
                job_id=f"b{block:03d}-p{position:03d}-{tail}",
                cell=cell,
                block=block,
                position=position,
                prompt_index=prompt_index,
                prompt=prompt,
                estimate_usd=_price(scenario.model, cell, len(prompt.text)).upper_usd,
            )


def _digest(*parts: object) -> str:
    return hashlib.sha256("\0".join(str(part) for part in parts).encode()).hexdigest()


def _price(model: str, cell: Cell, prompt_chars: int) -> PriceEstimate:
    return estimate(
        model,
        cell.quality,
        cell.size,
        cell.n,
        cell.partial_images,
        prompt_chars,
        cell.stream,
        cell.reference_images,
    )


def _plan_cell(scenario: Scenario, cell: Cell, name: str, figures: Mapping[str, Any]) -> CellPlan:
    lengths = [len(prompt.text) for prompt in scenario.prompts]
    expected = expect(scenario, cell, name, figures)
    capped = cut(scenario, cell, expected)
    return CellPlan(
        cell=cell,
        median_s=expected.median_s,
        time_basis=expected.basis,
        time_note=expected.note,
        price=_price(scenario.model, cell, round(sum(lengths) / len(lengths))),
        cut_by=capped.text if capped else None,
        cut_at_s=capped.at_s if capped else None,
    )


def _wall_s(scenario: Scenario, plans: Sequence[CellPlan]) -> float | None:
    """Jobs at their median, cut where a cap will cut them, shared out over the concurrency."""
    times = [plan.cut_at_s or plan.median_s for plan in plans]
    total = _total(times)
    if total is None:
        return None
    longest = max(value for value in times if value is not None)
    shape, jobs = scenario.load.shape(), len(plans) * scenario.repeats
    work = total * scenario.repeats / shape.concurrency if shape.concurrency else 0.0
    if shape.kind == "rate" and shape.rate_per_s:
        work = max(work, (jobs - 1) / shape.rate_per_s + longest)
    if shape.kind == "batch":  # each batch takes about as long as its slowest
        work = math.ceil(jobs / shape.concurrency) * (longest + shape.gap_s)
    limits = [
        60.0 * sum(count(plan.cell) for plan in plans) * scenario.repeats / limit / len(scenario.routes)
        for limit, count in (
            (shape.requests_per_minute, lambda _: 1),
            (shape.images_per_minute, lambda cell: cell.n + cell.reference_images),
        )
        if limit is not None
    ]
    return max(longest, work, *limits)


def _warnings(scenario: Scenario, plans: Sequence[CellPlan]) -> Iterator[str]:
    for plan in plans:
        if plan.cut_by:
            yield f"{plan.cell.id}: {plan.cut_by} will cut it; the expected median is {plan.median_s:.0f} s"
    for note in sorted({plan.time_note for plan in plans if plan.time_note}):
        yield f"time: {note}"
    for note in sorted({plan.price.note for plan in plans if plan.price.note}):
        yield f"price: {note}"
    if scenario.model in GPT_IMAGE_2:
        for size in sorted({plan.cell.size for plan in plans if plan.cell.size}):
            edges = parse_size(size)
            if edges is not None and edges[0] * edges[1] > EXPERIMENTAL_PIXELS:
                yield f"size {size} is above 2560x1440, which OpenAI calls experimental"
    for name, route in scenario.routes.items():
        if route.kind == "responses" and not scenario.simulated:
            yield f"price: route {name} is billed for its text model as well, whose tokens are not in these figures"
    if not scenario.simulated and scenario.budget.usd is None:
        yield "no budget.usd is set, and this scenario has routes that bill"


def _total(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _text(value: float | None, form: str) -> str:
    return "?" if value is None else format(value, form)


def _usd_text(price: PriceEstimate, times: int) -> str:
    if price.usd is not None:
        return f"{price.usd * times:.3f}"
    return "?" if price.upper_usd is None else f"≤ {price.upper_usd * times:.3f}"


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
