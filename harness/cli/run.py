"""harness run"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness.cli.common import emit_json, format_option, load, scenario_argument, time_scale_option
from harness.errors import Interrupted


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
) -> None:
    """Run SCENARIO (a file, or - for stdin) and journal every job. Says first what it will cost.

    Ctrl-C once waits for jobs in flight, twice drops them. Run again with the same --out to go on: finished jobs are
    not sent again, and neither are jobs whose answer may still be on its way.
    """
    from harness.cli.plan import summary_lines
    from harness.plan import make_plan
    from harness.run.session import Options, run_scenario

    loaded = load(scenario)
    plan = make_plan(loaded)
    if not quiet:
        for line in [f"{plan.scenario}: {len(plan.jobs)} jobs", *summary_lines(plan)]:
            print(line, file=sys.stderr)
    done = run_scenario(loaded, plan, Options(out, keep_images, resend_unknown, quiet, time_scale))
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
            }
        )
    else:
        print(f"run: {done.run_dir}")
    if done.torn_lines:
        print(f"{done.torn_lines} torn lines of an earlier process were set aside in torn.txt", file=sys.stderr)
    if done.ending.unknown:
        print(
            f"{done.ending.unknown} jobs were on their way when an earlier process died; they may have been made and "
            "billed, and were not sent again (--resend-unknown does)",
            file=sys.stderr,
        )
    if done.ending.message:
        print(f"stopped: {done.ending.message}; run again with --out {done.run_dir} to go on", file=sys.stderr)
    if done.ending.stopped_by == "user":
        raise Interrupted(f"stopped by you; the journal in {done.run_dir} is kept, run again with --out to go on")
