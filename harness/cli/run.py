"""harness run"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from harness.cli.cluster_options import cluster_of, cluster_options, plan_over, region_lines
from harness.cli.common import emit_json, format_option, load, scenario_argument, time_scale_option
from harness.cli.confirm import confirm, confirm_options, usd_option, with_usd
from harness.cli.load_options import load_options, with_load
from harness.conditions import RunConditions
from harness.errors import Interrupted
from harness.loads import remarks


@click.command("run")
@scenario_argument
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory of the run; one that holds a part goes on.",
)
@click.option(
    "--keep-images",
    is_flag=True,
    help="Keep the images in RUN/images, with the lettering that prompts expect; by default neither is written.",
)
@click.option(
    "--resend-unknown", is_flag=True, help="Send jobs again whose answer nobody saw (they may be billed twice)."
)
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@load_options
@cluster_options
@usd_option
@confirm_options
@time_scale_option
@format_option
def command(
    scenario: str,
    out: Path | None,
    keep_images: bool,
    resend_unknown: bool,
    quiet: bool,
    time_scale: float | None,
    form: str,
    usd: float | None,
    yes: bool,
    confirm_above: float,
    load_given: dict[str, Any],
    dask: str | None,
    regions: tuple[str, ...],
    worker_wait: float,
) -> None:
    """Run SCENARIO (a file, or - for stdin) and journal every job. Says first what it will cost.

    Ctrl-C once waits for jobs in flight, twice drops them. Run again with the same --out to go on: finished jobs are
    not sent again, and neither are jobs whose answer may still be on its way.

    With --dask the jobs go out from the workers of a cluster, with their own keys, while this process keeps journal,
    limits and budget. Where workers name regions, every region measures the whole scenario (docs/cluster.md).
    """
    from harness.cli.plan import summary_lines
    from harness.plan import make_plan
    from harness.run.session import Options, run_scenario

    # Keys are with whom the jobs go out from.
    loaded = with_usd(with_load(load(scenario, check_env=dask is None), load_given), usd)
    cluster = cluster_of(dask, regions, worker_wait, out)
    plan = plan_over(cluster, loaded, make_plan(loaded))
    if not quiet:
        for line in [f"{plan.scenario}: {len(plan.jobs)} jobs", *summary_lines(plan), *region_lines(plan)]:
            print(line, file=sys.stderr)
    if plan.over_budget() is None:
        confirm(plan.most_usd, simulated=plan.simulated, above_usd=confirm_above, yes=yes)
    options, lost = Options(out, keep_images, resend_unknown, quiet, time_scale), 0
    if cluster is None:
        done = run_scenario(loaded, plan, options)
    else:
        from harness.cluster.session import run_on_cluster

        done, lost = run_on_cluster(loaded, plan, options, cluster)
    if form == "json":
        emit_json(
            {
                "run": str(done.run_dir),
                "status": done.conditions.status,
                "stopped_by": done.conditions.stopped_by,
                "outcomes": done.outcomes,
                "cost_usd": round(done.spent_usd, 6),
                "sent": done.ending.sent,
                "unknown": done.ending.unknown,
                "lost_with_a_worker": lost,
                "load": done.ending.load,
                "closed_routes": done.ending.closed_routes,
                "jobs_not_sent": sum(cell.jobs_not_sent for cell in done.conditions.stopped_cells),
                "stopped_cells": done.conditions.stopped_cells,
            }
        )
    else:
        print(f"run: {done.run_dir}")
    for line in stopped_lines(done.conditions):
        print(line, file=sys.stderr)
    if done.torn_lines:
        print(f"{done.torn_lines} torn lines of an earlier process were set aside in torn.txt", file=sys.stderr)
    if done.ending.unknown:
        print(
            f"{done.ending.unknown} jobs were on their way when an earlier process died; they may have been made and "
            "billed, and were not sent again (--resend-unknown does)",
            file=sys.stderr,
        )
    if lost:
        print(
            f"{lost} jobs were on their way when their worker was lost; they may have been made and billed, and were "
            "not sent again (--resend-unknown does)",
            file=sys.stderr,
        )
    for line in remarks(done.ending.load):
        print(line, file=sys.stderr)
    if done.ending.message:
        more = " and a larger --usd" if done.ending.stopped_by == "budget" else ""
        print(f"stopped: {done.ending.message}; run again with --out {done.run_dir}{more} to go on", file=sys.stderr)
    if done.ending.stopped_by == "user":
        raise Interrupted(f"stopped by you; the journal in {done.run_dir} is kept, run again with --out to go on")


def stopped_lines(conditions: RunConditions) -> list[str]:
    """What was left out because it had told enough, and what that saved."""
    lines = [
        f"{cell.cell}: {cell.jobs_not_sent} jobs not sent{_usd(cell.usd_not_spent)}, "
        f"after {max(one.blocks for one in cell.decisions)} blocks: {'; '.join(one.why for one in cell.decisions)}"
        for cell in conditions.stopped_cells
    ]
    if lines:
        amounts = [cell.usd_not_spent for cell in conditions.stopped_cells]
        known = [usd for usd in amounts if usd is not None]
        total = sum(cell.jobs_not_sent for cell in conditions.stopped_cells)
        saved = _usd(sum(known) if len(known) == len(amounts) else None)
        played = " at list price; nothing is billed, the embedded API answers" if conditions.simulated and saved else ""
        lines.append(f"stopped early: {total} of {conditions.planned_jobs} jobs not sent{saved}{played}")
    return lines


def _usd(amount: float | None) -> str:
    return "" if amount is None else f", about {amount:.2f} USD not spent"
