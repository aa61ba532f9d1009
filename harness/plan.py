"""Scenario → ordered jobs, with what they will take and cost. Pure: opens no connection, brings no network library.

The order is decided by hashing, not by a random module, so that a plan is the same on every Python. Within a block every
cell runs once and all cells use the same prompt: what drifts over time hits all of them alike, and cells can be
compared in pairs by block.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from harness.errors import UsageProblem
from harness.prices import PriceEstimate, estimate
from harness.scenario.cells import Cell
from harness.scenario.fields import EXPERIMENTAL_PIXELS, GPT_IMAGE_2, parse_size
from harness.scenario.models import Prompt, RouteSpec, Scenario
from harness.scenario.words import listing, nearest

__all__ = ["Cell", "CellPlan", "Job", "Plan", "make_plan"]

PROFILES_FILE = Path(__file__).parent / "data" / "profiles.yaml"
DEFAULT_PROFILE = "tuning-article"


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
    time_note: str | None
    price: PriceEstimate
    cut_by: str | None = None  # the lowest declared cap that lies under the median


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
    concurrency: int
    time_scale: float
    simulated: bool
    budget_usd: float | None
    budget_jobs: int | None
    warnings: tuple[str, ...]

    COLUMNS = ("cell", "jobs", "median s", "USD each", "USD", "cut by")

    @property
    def cost_usd(self) -> float | None:
        """Estimated cost of the whole run; None when one cell's is not known."""
        return _sum(plan.price.usd for plan in self.cells) if self.blocks else 0.0

    def __post_init__(self) -> None:
        raise NotImplementedError
