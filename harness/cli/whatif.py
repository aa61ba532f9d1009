"""harness whatif"""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.common import emit_json


@click.command("whatif")
@click.argument("sources", metavar="[RUN] POLICIES", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--profile", metavar="NAME", help="Published times instead of a run's; beside a RUN, those beyond its last image."
)
@click.option("--jobs", type=click.IntRange(1, 1_000_000), help="Jobs of a replication, instead of the file's.")
@click.option("--replications", type=click.IntRange(4, 10_000), default=40, show_default=True, help="For the ranges.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Same seed, same figures.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="Output on stdout.",
)
def command(
    sources: tuple[Path, ...], profile: str | None, jobs: int | None, replications: int, seed: int, form: str
) -> None:
    """Say what retrying, hedging, falling back, streaming … would do to the jobs of RUN; nothing is sent.

    POLICIES is a YAML file of policies (docs/whatif.md). Each is simulated in virtual time over the times that RUN
    measured, cut ones included: share of jobs with an image, p50 and p95 of what users see, cost per image, duplicates,
    orphans and 429s, with ranges. Without RUN give --profile: then times are published ones.

    \b
    harness whatif reports/<run> scenarios/policies/retry-storm.yaml
    harness whatif scenarios/policies/retry-storm.yaml --profile tuning-article
    """
    from harness.policies.build import build_world
    from harness.policies.read import read_policies
    from harness.policies.text import printed
    from harness.policies.whatif import what_if

    if len(sources) > 2:
        raise click.UsageError("give a RUN and one file of policies")
    run_dir = sources[0] if len(sources) == 2 else None
    file = read_policies(sources[-1])
    if jobs is not None:
        file = file.model_copy(update={"load": file.load.model_copy(update={"jobs": jobs})})
    world = build_world(file, run_dir=run_dir, profile=profile)
    found = what_if(file, world, seed=seed, replications=replications)
    if form == "json":
        emit_json(found)
    else:
        click.echo(printed(found, markdown=form == "markdown"), nl=False)
