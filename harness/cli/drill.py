"""harness drill"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness.cli.common import Number, Share, emit_json, format_option, load, scenario_argument, time_scale_option
from harness.cli.confirm import confirm, confirm_options
from harness.errors import Interrupted, UsageProblem


class Seconds(click.ParamType[float]):
    """90, 90s, 2m → seconds."""

    name = "duration"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from harness.scenario.fields import read_duration
        from harness.scenario.words import Mistake

        try:
            text = str(value)
            found = read_duration(float(text) if text.replace(".", "", 1).isdecimal() else text)
        except Mistake as error:
            self.fail(f"{error.what}; {error.fix}", param, ctx)
        if not isinstance(found, float) or not found > 0:
            self.fail("must be longer than nothing", param, ctx)
        return found


@click.command("drill")
@scenario_argument
@click.option(
    "--policies",
    "policy_file",
    required=True,
    type=click.Path(dir_okay=False),
    help="The policy file, as `harness whatif` reads it (docs/whatif.md).",
)
@click.option("--policy", "only", multiple=True, metavar="NAME", help="Drill only this one; may be given again.")
@click.option("--jobs", type=click.IntRange(1, 100_000), help="Jobs of each policy (default: as the scenario plans).")
@click.option("--break", "breaking", metavar="CMD", help="Command that breaks the primary; runs without a shell.")
@click.option("--mend", "mending", metavar="CMD", help="Command that mends it. It runs whatever happens.")
@click.option("--switch-limit", type=Seconds(), default="30s", show_default=True, help="Time limit of either command.")
@click.option(
    "--fault",
    default="503",
    show_default=True,
    help="How the embedded API breaks: a fault of its own.",
)
@click.option("--keep-open", is_flag=True, help="Do not cut what is under way when the embedded API breaks.")
@click.option("--no-break", is_flag=True, help="Break nothing: try the policies as things are.")
@click.option("--break-after", type=Share(), default="33%", show_default=True, help="Share of the jobs before.")
@click.option("--outage", type=Seconds(), help="How long it stays broken, in the measured world (default: a third).")
@click.option("--usd", type=Number(0, min_open=True), help="Spend no more than this, all policies together.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Directory of the drill; a fresh one.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@confirm_options
@time_scale_option
@format_option
def command(
    scenario: str, policy_file: str, only: tuple[str, ...], jobs: int | None, breaking: str | None,
    mending: str | None, switch_limit: float, fault: str, keep_open: bool, no_break: bool, break_after: float,
    outage: float | None, usd: float | None, out: Path | None, quiet: bool, yes: bool, confirm_above: float,
    time_scale: float | None, form: str,
) -> None:  # fmt: skip
    """Break the primary route of SCENARIO under each policy in turn, and measure what users would see.

    Sends real requests: jobs arrive as the policy file's load says, a third of them before the route is broken, a third
    while it is, a third after. Measures time to failover and to recovery, lost jobs, duplicate bills, orphans, 429s,
    cost, and how long users wait. A route of the embedded API is broken by its own switch; any other by your commands:

    \b
      harness drill s.yaml --policies p.yaml --break 'docker stop edge' --mend 'docker start edge'

    Says first what it may cost, and sends nothing beyond the scenario's budget. Ctrl-C once waits for jobs under way,
    twice drops them; the route is mended either way.
    """
    from harness.drills.plan import make_drill
    from harness.drills.running import Switches
    from harness.drills.session import Options, drill
    from harness.drills.switching import Commands, words
    from harness.drills.text import opening
    from harness.plan import make_plan
    from harness.policies.read import read_policies

    if (breaking is None) != (mending is None):
        raise UsageProblem("--break and --mend go together: what is broken has to be mended")
    if no_break and breaking is not None:
        raise UsageProblem("--no-break and --break contradict each other")
    commands = None
    if breaking is not None and mending is not None:
        commands = Commands(words("--break", breaking), words("--mend", mending), switch_limit)
    switches = Switches(commands, fault, drop=not keep_open)
    loaded = load(scenario)
    wanted = make_drill(
        loaded, make_plan(loaded), read_policies(policy_file),
        only=only, jobs=jobs, breaks=not no_break, break_after=break_after, outage_s=outage, usd=usd,
    )  # fmt: skip
    switches.check(loaded, wanted)
    if not quiet:
        print("\n".join(opening(wanted, switches.how)), file=sys.stderr)
    most = [usd for usd in (wanted.most_usd, wanted.budget_usd) if usd is not None]
    confirm(min(most, default=None), simulated=wanted.simulated, above_usd=confirm_above, yes=yes, what="this drill")
    done = drill(loaded, make_plan(loaded), wanted, Options(out, quiet, time_scale, switches))
    if form == "json":
        emit_json({"drill": str(done.run_dir), **_plain(done.result)})
    else:
        _show(done.result)
        print(f"drill: {done.run_dir}")
    if done.result.stopped_by == "user":
        raise Interrupted(f"stopped by you; what was measured is in {done.run_dir}")


def _show(result: object) -> None:
    from rich.console import Console
    from rich.table import Table

    from harness.drills.model import DrillResult
    from harness.drills.text import SEEN, SPENT, notes, seen_rows, spent_rows

    assert isinstance(result, DrillResult)
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=110)  # a file has room
    for columns, rows, title in (
        (SEEN, seen_rows(result), f"What users saw ({result.load})"),
        (SPENT, spent_rows(result), "What it took"),
    ):
        table = Table(*columns, title=title, title_justify="left")
        for row in rows:
            table.add_row(*row)
        console.print(table)
    for line in notes(result):
        console.print(line, markup=False, soft_wrap=True)


def _plain(result: object) -> dict[str, object]:
    import msgspec

    plain: dict[str, object] = msgspec.to_builtins(result)
    return plain
