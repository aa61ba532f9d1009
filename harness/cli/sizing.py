"""`harness plan --size`: what a scenario asks, held against what a profile or earlier runs know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from harness.plan import Plan
    from harness.scenario import Scenario
    from harness.sizing.model import Asked, Need, SizedCell
    from harness.sizing.pilots import Pilots
    from harness.sizing.text import Whole

FROM_PROFILE = ("final_image_ms", "total_ms")  # all that a latency profile speaks of


class Power(click.ParamType):  # type: ignore[type-arg]
    """``80%`` or ``0.8``."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value).strip()
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            share = -1.0
        if not 0.5 <= share < 1:
            self.fail(f"{text} is no power; write a share from 50% to below 100%, like 80%", param, ctx)
        return share


def sized(
    scenario: Scenario, plan: Plan, runs: Sequence[Path], power: float
) -> tuple[tuple[Need, ...], Whole | None, Asked, list[str]]:
    """Every question with what it takes, all of them together, and what it rests on."""
    from harness.conditions import EarlyStop
    from harness.observed import WAITED
    from harness.scenario.cells import FIELDS
    from harness.scenario.early_stop import watched
    from harness.sizing.build import Watched, needs_of
    from harness.sizing.model import Asked
    from harness.sizing.pilots import read_pilots
    from harness.sizing.text import whole

    pilots = read_pilots(runs, FIELDS, WAITED)
    cells = [_cell(scenario, plan, index, pilots) for index in range(len(plan.cells))]
    classes = Counter(
        str(scenario.prompts[block % len(scenario.prompts)].complexity or "null") for block in range(scenario.repeats)
    )
    shares = {name: count / scenario.repeats for name, count in classes.items()}
    asked = Asked(scenario.repeats, scenario.load.shape().concurrency or scenario.repeats, power, shares)
    rules: EarlyStop | None = None
    watches: list[Watched] = []
    if scenario.early_stop is not None:
        rules = scenario.early_stop.conditions(scenario.cells())
        found = watched(scenario.early_stop, scenario.cells())
        watches = [Watched(one.a, one.b, one.metric, one.p, one.limit) for one in found]
    needs = needs_of(cells, asked, scenario.objective_conditions(), scenario.hypothesis_conditions(), rules, watches)
    basis = sorted({f"{cell.id}: {clock.basis}" for cell in cells for clock in cell.clocks.values()})
    return needs, whole(needs, cells, asked), asked, basis


def _cell(scenario: Scenario, plan: Plan, index: int, pilots: Pilots) -> SizedCell:
    from harness.observed import WAITED
    from harness.scenario.cells import FIELDS, where_text
    from harness.scenario.estimates import profile_named, spread
    from harness.sizing.model import Expected, SizedCell

    planned = plan.cells[index]
    settings = {name: where_text(planned.cell, name) for name in FIELDS}
    told = spread(scenario, planned.cell, plan.profile, profile_named(plan.profile))
    clocks: dict[str, Expected] = {}
    for metric in WAITED:
        known = pilots.expected(settings, scenario.model, metric)
        if known is None and told is not None and metric in FROM_PROFILE:
            known = Expected(
                median_ms=told.median_s * 1000,
                log_sd_below=told.log_sd_below,
                log_sd_above=told.log_sd_above,
                basis=told.basis,
                least_ms=(told.least_s or 0.0) * 1000,
                most_ms=float("inf") if told.most_s is None else told.most_s * 1000,
                shift_ms=told.added_s * 1000,
            )
        if known is not None:
            clocks[metric] = known
    measured = clocks.get("final_image_ms")
    seconds = planned.cut_at_s or planned.median_s
    if measured is not None and measured.jobs is not None:
        seconds = measured.median_ms / 1000
    return SizedCell(planned.cell.id, settings, planned.price.upper_usd, seconds, clocks)


def size_lines(needs: Sequence[Need], found: Whole | None, asked: Asked, basis: Sequence[str], plan: Plan) -> list[str]:
    """What the table does not say."""
    from harness.sizing.text import duration

    lines = []
    if found is not None:
        cost = "" if found.usd is None else f", {found.usd:.2f} USD"
        time = "" if found.wall_s is None else f", {duration(found.wall_s)} at {asked.concurrency} at a time"
        today = "" if plan.cost_upper_usd is None else f", {plan.cost_upper_usd:.2f} USD"
        lines.append(
            f"all that can be decided: {found.repeats} blocks{cost}{time}; the file has {asked.repeats}{today}"
        )
    if not needs:
        lines.append("the scenario asks nothing that images are counted for: no objective, hypothesis or early_stop")
    lines.append(
        f"so many images let {asked.power:.0%} of such runs decide it if times lie as expected (rules to stop by: half)"
    )
    if plan.time_scale != 1:
        lines.append(f"times are those of the simulated world, which runs {plan.time_scale:g} times faster than yours")
    return lines + [f"expected: {line}" for line in basis]
