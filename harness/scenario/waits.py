"""What a scenario's cells are expected to wait, by a published profile. Claims, not promises."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.chain.model import PREVIEWS, Wait
from harness.scenario.cells import Cell
from harness.scenario.estimates import BASE_SIZE, DEFAULT_PROFILE, Expected, expect, polls, profile_named
from harness.scenario.models import Scenario

_P95 = 1.645


def profile_of(scenario: Scenario, given: str | None) -> str:
    """The profile to estimate with: the one asked for, else the simulator's, else the default."""
    stated = (scenario.simulator or {}).get("profile")
    return given or (stated if isinstance(stated, str) else DEFAULT_PROFILE)


def expected_waits(scenario: Scenario, route: str, profile: str) -> tuple[Wait, ...]:
    """The waits of the cells on a route.

    Raises:
        UsageProblem: there is no such profile.
    """
    figures = profile_named(profile)
    return tuple(_wait(scenario, cell, profile, figures) for cell in scenario.cells() if cell.route == route)


def _wait(scenario: Scenario, cell: Cell, name: str, figures: Mapping[str, Any]) -> Wait:
    if polls(scenario, cell.route):
        return Wait(cell=cell.id, streamed=False, whole_s=None, polls=True, note="it polls")
    expected = expect(scenario, cell, name, figures)
    if expected.median_s is None:
        return Wait(cell=cell.id, streamed=cell.stream, whole_s=None, note=expected.note)
    slow = _slowness(cell, figures)
    return Wait(
        cell=cell.id,
        streamed=cell.stream,
        whole_s=expected.median_s,
        silence_s=expected.silence_s,
        needed_s=expected.median_s * slow,
        needed_silence_s=None if expected.silence_s is None else expected.silence_s * slow,
        streamed_silence_s=None if cell.partial_images else _streamed(scenario, cell, name, figures).silence_s,
        basis=f"profile {name}, {expected.basis or 'published'}",
    )


def _streamed(scenario: Scenario, cell: Cell, name: str, figures: Mapping[str, Any]) -> Expected:
    """The same cell as a stream with previews."""
    return expect(scenario, replace(cell, stream=True, partial_images=PREVIEWS), name, figures)


def _slowness(cell: Cell, figures: Mapping[str, Any]) -> float:
    """How many medians the slowest published job took, or the 95th percentile where only that is known."""
    listed = figures["latency_s"].get(str(cell.quality), {})
    entry = listed.get(str(cell.size)) or listed.get(BASE_SIZE) or {}
    for known in ("max", "p95"):
        if known in entry:
            return float(entry[known]) / float(entry["median"])
    return math.exp(_P95 * float(figures["default_sigma"]))
