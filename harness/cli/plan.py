"""harness plan"""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.common import emit_json, format_option, load, scenario_argument
from harness.cli.confirm import CONFIRM_ABOVE_USD, needs_confirmation
from harness.cli.sizing import Power
from harness.errors import UsageProblem


@click.command("plan")
@scenario_argument
@click.option("--profile", help="Latency profile to estimate with (default: the scenario's, else tuning-article).")
@click.option("--order", is_flag=True, help="List every job in the order in which it will go out.")
@click.option("--size", is_flag=True, help="How many images each objective, hypothesis and early_stop rule takes.")
@click.option(
    "--from",
    "runs",
    multiple=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="RUN",
    help="With --size: an earlier run whose times are expected again; may be given several times.",
)
@click.option(
    "--power", type=Power(), default="80%", show_default=True, help="With --size: how surely a run shall decide."
)
@format_option
def command(
    scenario: str, profile: str | None, order: bool, size: bool, runs: tuple[Path, ...], power: float, form: str
) -> None:
    """Show what SCENARIO (a file, or - for stdin) would do: cells, order, time, cost. Opens no connection.

    With --size also how many images its questions take, by the latency profile or by earlier runs, what that costs, and
    whether `repeats` is enough.
    """
    from rich.console import Console
    from rich.table import Table

    from harness.cli.sizing import size_lines, sized
    from harness.plan import Plan, make_plan
    from harness.sizing.text import COLUMNS as SIZE_COLUMNS
    from harness.sizing.text import rows as size_rows
    from harness.sizing.text import to_json as size_json

    if runs and not size:
        raise UsageProblem("--from says what to expect when sizes are planned: add --size")
    loaded = load(scenario, check_env=False)
    plan = make_plan(loaded, profile=profile)
    sizes = sized(loaded, plan, runs, power) if size else None
    if form == "json":
        emit_json(plan.to_json() | ({"size": size_json(*sizes)} if sizes else {}))
        return
    console = Console(highlight=False)
    table = Table(
        *Plan.COLUMNS, title=f"{plan.scenario}: {len(plan.jobs)} jobs in {plan.blocks} blocks", title_justify="left"
    )
    for row in plan.rows():
        table.add_row(*row)
    console.print(table)
    if order:
        for job in plan.jobs:
            console.print(f"  {job.job_id}  {job.cell.id}", markup=False)
    for line in summary_lines(plan):
        console.print(line, markup=False)
    if sizes is not None:
        found = Table(*SIZE_COLUMNS, title="How many images it takes", title_justify="left")
        for row in size_rows(sizes[0]):
            found.add_row(*row)
        console.print(found)
        for line in size_lines(*sizes, plan):
            console.print(line, markup=False)


def summary_lines(plan: object) -> list[str]:
    """What it costs and how long it takes, in two or three lines. Durations carry units."""
    from harness.plan import Plan

    assert isinstance(plan, Plan)
    wall = "unknown" if plan.wall_s is None else f"about {plan.wall_s:.0f} s"
    if plan.time_scale != 1 and plan.real_wall_s is not None:
        wall += f" of the simulated world, about {plan.real_wall_s:.0f} s of yours"
    cost = "unknown" if plan.cost_usd is None else f"about {plan.cost_usd:.2f} USD"
    if plan.cost_usd is None and plan.cost_upper_usd is not None:
        cost = f"up to {plan.cost_upper_usd:.2f} USD"
    if plan.simulated:
        cost += " at list price; nothing is billed, the embedded API answers"
    lines = [f"time: {wall} with {plan.load.text()} ({plan.profile})", f"cost: {cost}"]
    if needs_confirmation(plan.most_usd, simulated=plan.simulated):
        lines.append(f"confirmation: `harness run` asks first, because this is above {CONFIRM_ABOVE_USD:g} USD")
    refusal = plan.over_budget()
    if refusal:
        lines.append(f"budget: {refusal}; `harness run` would refuse")
    elif plan.budget_usd is not None:
        lines.append(f"budget: {plan.budget_usd:.2f} USD covers it")
    return lines + [f"note: {warning}" for warning in plan.warnings]
