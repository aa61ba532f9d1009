"""harness watch"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.common import Number, format_option, load, scenario_argument, time_scale_option
from harness.cli.confirm import confirm, confirm_options
from harness.cli.watch_parts import Tellers, conditions_of, open_tellers, row_of, weather
from harness.errors import HarnessError, Interrupted, UsageProblem

if TYPE_CHECKING:
    from harness.history.desk import Desk
    from harness.history.model import Standing


@click.command("watch")
@scenario_argument
@click.option("--every", default="15m", show_default=True, metavar="PERIOD",
              help="A round every 90s, 15m, 1h …; in time of the measured world, as in a scenario.")  # fmt: skip
@click.option("--history", type=click.Path(file_okay=False, path_type=Path), help="Where the history is kept.  "
              "[default: reports/watch-NAME]")  # fmt: skip
@click.option("--rounds", "most", type=click.IntRange(1), help="Stop after so many rounds.")
@click.option("--once", is_flag=True, help="One round now, whenever the last one was, and out: for cron, "
              "with --every saying how often.")  # fmt: skip
@click.option("--usd-per-day", type=Number(min=0), help="No round beyond that on a day (UTC).")
@click.option("--usd-total", type=Number(min=0), help="No round beyond that, over the whole history.")
@confirm_options
@click.option("--metrics", metavar="[HOST:]PORT", help="Serve /metrics for Prometheus; on loopback without a HOST.")
@click.option("--webhook", metavar="URL", help="Post alerts there, as Alertmanager's /api/v2/alerts takes them.")
@click.option("--webhook-token-env", metavar="NAME", help="The variable that holds the webhook's bearer token.")
@click.option("--otlp", metavar="URL", help="Send the same figures to an OpenTelemetry collector (OTLP/HTTP).")
@click.option("--false-alarm", default="30d", show_default=True, metavar="PERIOD",
              help="How rarely the detection of change may be wrong, all cells together.")  # fmt: skip
@click.option("--links-live", default="24h", show_default=True, metavar="PERIOD",
              help="How long result links are promised to live; later checks are no alert.")  # fmt: skip
@click.option("--quiet", is_flag=True, help="Say nothing but alerts.")
@time_scale_option
@format_option
def command(
    scenario: str,
    every: str,
    history: Path | None,
    most: int | None,
    once: bool,
    usd_per_day: float | None,
    usd_total: float | None,
    yes: bool,
    confirm_above: float,
    metrics: str | None,
    webhook: str | None,
    webhook_token_env: str | None,
    otlp: str | None,
    false_alarm: str,
    links_live: str,
    quiet: bool,
    time_scale: float | None,
    form: str,
) -> None:
    """Run SCENARIO again and again on a schedule, keep a history, and raise alerts. Says first what it will cost.

    Every round is an ordinary run below HISTORY/runs, with the scenario's own budget. Rounds never overlap; a failed
    one is recorded and the watch goes on. Killed and started again it goes on with the history, and sends no more than
    one that ran through. Alerts come from the scenario's objectives, from changes of level, sustained 429s, failures
    above baseline and dead links. `harness trend` shows the history. docs/watch.md has the rules.
    """
    from harness.history.change import false_alarm_words
    from harness.history.desk import Desk
    from harness.history.judging import not_watched
    from harness.plan import make_plan
    from harness.run.session import Options, run_scenario
    from harness.watching.money import Bounds, Purse, at_most, check, dearest_round, lines
    from harness.watching.rounds import Ended, Ran, WallClock, rounds, strays
    from harness.watching.schedule import LEAST_S, period

    loaded = load(scenario)
    plan = make_plan(loaded)
    scale = time_scale or loaded.time_scale
    every_s = period(every, "--every")
    if every_s / scale < LEAST_S:
        raise UsageProblem(f"--every {every}: less than a second between rounds, in a world {scale:g} times faster")
    bounds = Bounds(1 if once else most, usd_per_day, usd_total)
    round_usd = dearest_round(plan, loaded.retry.max_retries)
    check(plan, bounds, round_usd, loaded.source)
    watch = conditions_of(
        loaded, every_s, scale, period(false_alarm, "--false-alarm"), period(links_live, "--links-live")
    )
    tellers = open_tellers(loaded.name, metrics, webhook, webhook_token_env, otlp)

    def say(line: str) -> None:
        if not quiet:
            print(line, file=sys.stderr, flush=True)

    def do_round(run_dir: Path) -> Ran:
        done = run_scenario(weather(loaded, run_dir.name), plan, Options(run_dir, quiet=True, time_scale=time_scale))
        return Ran(done.ending.stopped_by, done.ending.message)

    root = history or Path("reports") / f"watch-{loaded.name}"
    with ExitStack() as stack:
        desk = stack.enter_context(Desk(root, watch))
        known = desk.rounds()
        purse = Purse()
        for one in known:
            purse.pay(one.began_s, one.spent_usd)
        clock = WallClock()
        say(f"{loaded.name} → {root}: {len(known)} rounds so far")
        for line in lines(plan, every_s, bounds, purse, clock.now_s(), once=once):
            say(line)
        say(false_alarm_words(desk.watch))
        for objective in watch.objectives:
            if (why := not_watched(objective)) is not None:
                say(f"not watched: {objective.text}: {why}")
        if desk.changed_scenario:
            say("the scenario is another version than in the last round; cells of the same name go on as one")
        most_usd, what = at_most(bounds, round_usd, purse)
        confirm(most_usd, simulated=plan.simulated, above_usd=confirm_above, yes=yes, what=what)
        tellers.open(stack, say)
        each_usd = {job.job_id: job.estimate_usd for job in plan.jobs}
        for stray in strays(root, [one.round_id for one in known], each_usd):
            say(f"round {stray.round_id}: {stray.why}; what its journal holds is taken in")
            desk.take(row_of(stray, plan, scale), stray.run_dir)
            purse.pay(stray.began_s, stray.spent_usd)
        # A round that a clock set wrong put into the future says nothing of when the last one was.
        last_s = max((one.began_s for one in desk.rounds() if one.began_s <= clock.now_s()), default=None)
        going = rounds(
            do_round, root, every_s / scale, bounds, purse, round_usd, each_usd, last_s, clock, say, at_once=once
        )
        why_failed: list[str | None] = []  # of each round; null for one that did not
        for found in going:
            if isinstance(found, Ended):
                _finish(found, root, why_failed)
                return
            why_failed.append(found.why if found.status == "failed" else None)
            if loaded.link_check and not loaded.simulated:  # our own embedded API is gone with its round, and its links
                _look_at_links(desk, max(loaded.link_check) / scale, found.ended_s)
            standing = desk.take(row_of(found, plan, scale), found.run_dir)
            tell(standing, tellers, quiet=quiet, form=form)


def tell(standing: Standing, tellers: Tellers, *, quiet: bool, form: str) -> None:
    """A round to the person and to the monitors. What a monitor does not take never ends a watch."""
    import msgspec

    from harness.history.text import alert_lines, round_line

    if form == "json":
        print(msgspec.json.encode(standing).decode(), flush=True)  # a line a round
    elif not quiet:
        print(round_line(standing), flush=True)
    for line in alert_lines(standing):
        print(line, file=sys.stderr, flush=True)
    for problem in tellers.tell(standing):
        print(problem, file=sys.stderr, flush=True)


def _finish(ended: Any, root: Path, why_failed: list[str | None]) -> None:
    if ended.by == "user":
        raise Interrupted(f"stopped by you; the history in {root} is kept, the same command goes on")
    if ended.by == "cap":
        print(f"stopped: {ended.message}", file=sys.stderr)
    if why_failed and all(why_failed):  # cron looks at the exit code alone
        raise HarnessError(f"no round was run: {why_failed[-1]}")


def _look_at_links(desk: Desk, longest_s: float, now_s: float) -> None:
    """Links of earlier rounds that are due, as `harness links` would look at them. Costs nothing."""
    from harness.history.rows import link_rows
    from harness.run.linkcheck import check_links

    for one in desk.store.rounds(now_s - longest_s - 2 * 86_400):
        run_dir = desk.root / (one.run or "")
        if one.run is None or not (run_dir / "run.json").exists():
            continue
        try:
            looked = check_links(run_dir)
        except HarnessError as error:  # somebody's `harness links` is at it, say: they are looked at next time
            print(f"links of {one.round_id}: {error}", file=sys.stderr)
            continue
        if looked.done:
            desk.store.add_links(one.began_s, one.round_id, link_rows(run_dir, one.round_id))
