"""harness shrink"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness.cli.common import Number, emit_json, format_option, load, run_argument, time_scale_option
from harness.errors import Interrupted, UsageProblem


@click.command("shrink")
@run_argument
@click.option("--job", "job_id", help="The job to shrink (default: the one that `harness packet` would take).")
@click.option(
    "--scenario",
    "scenario_file",
    required=True,
    type=click.Path(dir_okay=False, allow_dash=True),
    help="The scenario that the job was sent by: its route, its key's variable, its prompts.",
)
@click.option("--route", help="Route of the scenario to send on (default: the job's).")
@click.option("--tries", type=click.IntRange(1, 10_000), help="Send no more often than this.")
@click.option("--usd", type=Number(0, min_open=True), help="Spend no more than this.")
@click.option(
    "--repeats",
    type=click.IntRange(1, 99),
    default=3,
    show_default=True,
    help="Sends of a shape at most; most of them decide. Raise it where the verdict comes and goes.",
)
@click.option(
    "--factor",
    type=Number(1),
    default=2.0,
    show_default=True,
    help="A slow job is as slow as the run's when it takes no less than that divided by this.",
)
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@time_scale_option
@format_option
def command(
    run_dir: Path,
    job_id: str | None,
    scenario_file: str,
    route: str | None,
    tries: int | None,
    usd: float | None,
    repeats: int,
    factor: float,
    quiet: bool,
    time_scale: float | None,
    form: str,
) -> None:
    """Find the smallest request that still shows a job's verdict, by sending ever simpler ones.

    Drops references, stream, format, background, moderation, size, quality, n and the prompt's words, as long as the
    same layer gives up, the same refusal comes back, or the same clock holds the time. Says first what that will cost.
    Without --tries or --usd it sends nothing and says which experiment it would run next. Every send is written to
    RUN/shrink.json before it goes out; run again to go on. `harness packet` puts the result into repro.sh and repro.py.
    """
    from harness.cli.shrink_drive import drive
    from harness.cli.shrink_sends import Sender, own_prompt, shape_of, sighting_of
    from harness.cli.shrink_views import answer_lines, next_experiment, opening, trial_line
    from harness.packet.choose import choose
    from harness.packet.inputs import read_inputs
    from harness.shrinking.book import Book
    from harness.shrinking.model import Limits, Rule, ShrinkRecord
    from harness.shrinking.symptom import kind_of

    inputs = read_inputs(run_dir)
    event = choose(inputs, job_id)
    verdict = inputs.verdicts.get(event.job_id)
    if verdict is None or verdict.verdict == "ok":
        raise UsageProblem(
            f"{event.job_id}: its verdict is ok, there is nothing to reproduce; choose another with --job"
        )
    budget = tries is not None or usd is not None
    scenario = load(scenario_file, check_env=budget)
    where = route or event.route
    if where not in scenario.routes:
        raise UsageProblem(
            f"{scenario.source}: has no route {where}; say with --route which to send on: {', '.join(scenario.routes)}"
        )
    prompt = own_prompt(event, scenario)
    sender = Sender(run_dir, scenario, where, prompt, inputs)
    target = sighting_of(event, verdict)
    fresh = ShrinkRecord(
        run_id=event.run_id,
        job_id=event.job_id,
        route=where,
        scenario_sha256=scenario.sha256,
        model=scenario.model,
        kind=kind_of(target),
        target=target,
        original=shape_of(event, prompt),
        rule=Rule(repeats=repeats, factor=factor),
        limits=Limits(usd=usd, tries=tries),
    )
    book = Book.open(run_dir, fresh)
    lines = [*opening(book.record, sender.price(book.record.original), scenario.routes[where].simulated)]
    if prompt is None:
        lines.append("the job's own prompt is not in the scenario: a synthetic one of its class stands for it")
    step = book.step()
    if not budget:
        plan = [*lines, next_experiment(step, book.record), "nothing was sent; give --tries, --usd, or both to run it"]
        if form == "json":
            emit_json({"sent": 0, "plan": plan, "record": book.record})
        else:
            print("\n".join(plan))
        return
    if not quiet:
        print("\n".join(lines), file=sys.stderr)
    refusal = None if step.shape is None else book.refuses(sender.price(step.shape))
    if refusal is not None and not book.record.trials:
        raise UsageProblem(f"{refusal}; nothing was sent")
    drive(sender, book, time_scale, lambda trial: None if quiet else print(trial_line(trial), file=sys.stderr))
    if form == "json":
        emit_json(book.record)
    else:
        print("\n".join(answer_lines(book.record)))
        print(f"shrink: {run_dir / 'shrink.json'}; `harness packet {run_dir} --job {event.job_id}` takes it along")
    if book.record.status == "stopped":
        raise Interrupted("stopped by you; shrink.json is kept, run again to go on")
