"""harness sweep"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.common import emit_json, format_option, load, scenario_argument, time_scale_option
from harness.cli.confirm import confirm, confirm_options, usd_option, with_usd
from harness.errors import Inconclusive, Interrupted, UsageProblem

if TYPE_CHECKING:
    from harness.scenario import Scenario


@click.command("sweep")
@scenario_argument
@click.option("--route", help="Route to sweep (default: the only one, or the direct one).")
@click.option("--most", type=click.IntRange(1, 512), default=16, show_default=True, help="Try no more at a time.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 1000),
    default=6,
    show_default=True,
    help="Jobs of a trial; three a place at least.",
)
@click.option(
    "--confirm",
    "confirming",
    type=click.IntRange(1, 10_000),
    default=30,
    show_default=True,
    help="Jobs without a refusal at the level that is named; 30 show that at most 10 % are refused.",
)
@click.option(
    "--rest", default="61s", show_default=True, metavar="TIME", help="Between trials: longer than the limit's window."
)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Directory; one that holds a part goes on."
)
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@usd_option
@confirm_options
@time_scale_option
@format_option
def command(
    scenario: str,
    route: str | None,
    most: int,
    jobs: int,
    confirming: int,
    rest: str,
    out: Path | None,
    quiet: bool,
    usd: float | None,
    yes: bool,
    confirm_above: float,
    time_scale: float | None,
    form: str,
) -> None:
    """Find how many requests at a time a route takes without a 429, and what to configure in a client.

    Doubles the concurrency until something is refused, halves between, then sends more at the highest clean level. A
    trial ends with its first refusal, nothing is retried, and between trials it waits until the limit's minute is over.
    Every request is journalled like a run's: `harness report` reads the directory. Says first what it may cost.

    Exit code 4: its budget or the breaker stopped the search, or the route failed in other ways. 130: you stopped it.
    """
    from harness.plan import make_plan
    from harness.run.session import Options
    from harness.run.sweep import run_sweep
    from harness.scenario.fields import read_duration
    from harness.scenario.words import Mistake
    from harness.sweeping.model import Rules, SweepRecord
    from harness.sweeping.search import most_jobs
    from harness.sweeping.text import lines

    loaded = with_usd(load(scenario), usd)
    try:
        rest_s = read_duration(rest)
    except Mistake as error:
        raise UsageProblem(f"--rest: {error.what}; {error.fix}") from None
    assert isinstance(rest_s, float)
    rules = Rules(most=most, jobs=jobs, confirm=confirming, rest_s=rest_s)
    where = _route(loaded, route)
    dearest, trials = most_jobs(rules)
    cells = sum(cell.route == where for cell in loaded.cells())
    if not cells:
        raise UsageProblem(f"--route {where}: no cell of {loaded.source} is on that route; add it to the matrix")
    single = loaded.retry.model_copy(update={"max_retries": 0})
    swept = loaded.model_copy(update={"repeats": -(-dearest // cells) + most, "retry": single})
    whole = make_plan(swept)
    plan = replace(whole, jobs=tuple(job for job in whole.jobs if job.cell.route == where))
    prices = [job.estimate_usd for job in plan.jobs[:dearest]]
    most_usd = None if any(price is None for price in prices) else sum(price or 0.0 for price in prices)
    simulated = loaded.routes[where].simulated
    cap = loaded.budget.usd if loaded.budget.usd is not None else most_usd
    swept = swept.model_copy(update={"budget": loaded.budget.model_copy(update={"usd": cap})})
    if not quiet:
        cost = "an unknown amount" if most_usd is None else f"{most_usd:.2f} USD"
        played = "; nothing is billed, the embedded API answers" if simulated else ""
        print(
            f"sweep of route {where}: at most {dearest} jobs in {trials} trials, at most {cost}{played}",
            file=sys.stderr,
        )
    upper = most_usd if cap is None or most_usd is None else min(cap, most_usd)
    confirm(upper, simulated=simulated, above_usd=confirm_above, yes=yes, what="this sweep")
    fresh = SweepRecord(run_id="", scenario_sha256=loaded.sha256, route=where, rules=rules)
    options = Options(out, quiet=quiet, time_scale=time_scale)
    run_dir, record = run_sweep(
        swept, plan, fresh, options, lambda line: None if quiet else print(line, file=sys.stderr)
    )
    if form == "json":
        emit_json({"run": str(run_dir), "sweep": record})
    else:
        print("\n".join(lines(record)))
        print(f"run: {run_dir}")
    if record.status != "complete":
        if record.stopped_by == "failures":
            raise Inconclusive(
                f"the sweep was stopped by failures other than 429 (`harness diagnose {run_dir}` says which); mend the "
                "route or the shape, and sweep anew"
            )
        if record.stopped_by == "user":
            raise Interrupted(f"stopped by you; run again with --out {run_dir} to go on")
        more = " and a larger --usd" if record.stopped_by == "budget" else ""
        raise Inconclusive(
            f"the sweep was stopped by {record.stopped_by}; run again with --out {run_dir}{more} to go on"
        )


def _route(scenario: Scenario, asked: str | None) -> str:
    """The route to sweep: the one that was named, else the only one, else the direct one."""
    if asked is not None:
        if asked not in scenario.routes:
            raise UsageProblem(f"--route: {scenario.source} has no route {asked}; it has {', '.join(scenario.routes)}")
        return asked
    direct = [name for name, spec in scenario.routes.items() if spec.direct]
    names = list(scenario.routes) if len(scenario.routes) == 1 else direct
    if not names:
        raise UsageProblem(f"{scenario.source} has several routes: say with --route which to sweep")
    return names[0]
