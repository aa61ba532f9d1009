"""harness hops"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness.cli.common import emit_json, format_option, load, scenario_argument, time_scale_option
from harness.cli.confirm import confirm, confirm_options
from harness.errors import Interrupted


@click.command("hops")
@scenario_argument
@click.argument("route")
@click.option("--blocks", type=click.IntRange(2, 1000), default=12, show_default=True, help="Jobs at each hop.")
@click.option("--cell", help="Cell of ROUTE whose shape is sent (default: its first).")
@click.option("--concurrency", type=click.IntRange(1, 64), default=1, show_default=True, help="Jobs at a time.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Directory of the run; a part goes on.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@confirm_options
@time_scale_option
@format_option
def command(
    scenario: str,
    route: str,
    blocks: int,
    cell: str | None,
    concurrency: int,
    out: Path | None,
    quiet: bool,
    yes: bool,
    confirm_above: float,
    time_scale: float | None,
    form: str,
) -> None:
    """Send the same shape at every entry point of ROUTE's chain and say at which hop delay or failure appears.

    ROUTE lists its `hops` in SCENARIO: the routes that enter the same chain further in, outermost first. Says first
    what it will cost. The run is a run like any other: diagnose, report and packet read it.
    """
    from harness.cli.plan import summary_lines
    from harness.plan import make_plan
    from harness.run.session import Options, run_scenario
    from harness.scenario.walk import hop_order, walk_scenario

    whole = load(scenario)
    narrowed = walk_scenario(whole, route, blocks=blocks, concurrency=concurrency, cell=cell)
    plan = make_plan(narrowed)
    if not quiet:
        for line in [f"{route}: {blocks} blocks at {len(plan.cells)} hops", *summary_lines(plan)]:
            print(line, file=sys.stderr)
    if plan.over_budget() is None:
        confirm(plan.most_usd, simulated=plan.simulated, above_usd=confirm_above, yes=yes, what="this walk")
    done = run_scenario(narrowed, plan, Options(out, quiet=quiet, time_scale=time_scale))

    from harness.diagnosis.hops import walk_run
    from harness.diagnosis.hops_text import lines

    walked = walk_run(done.run_dir, hop_order(whole, route))
    if form == "json":
        emit_json(walked)
    else:
        for line in lines(walked):
            print(line)
        print(f"run: {done.run_dir}")
    if done.ending.message:
        print(f"stopped: {done.ending.message}; run again with --out {done.run_dir} to go on", file=sys.stderr)
    if done.ending.stopped_by == "user":
        raise Interrupted(f"stopped by you; run again with --out {done.run_dir} to go on")
