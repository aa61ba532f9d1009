"""harness rate"""

from __future__ import annotations

import re
from pathlib import Path

import click

from harness.cli.common import run_argument
from harness.errors import UsageProblem


def _rater(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:  # noqa: ARG001
    if value is not None and not re.fullmatch(r"[A-Za-z0-9_.-]{1,32}", value):
        raise click.BadParameter("up to 32 letters, digits and _ . - are allowed")
    return value


@click.command("rate")
@run_argument
@click.option(
    "--pairs", type=click.IntRange(1, 5000), help="How many pairs; 15 for each cell unless said, at most 200."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the pairs and their order.")
@click.option("--cells", metavar="PATTERN", multiple=True,
              help="Only cells whose name fits, like 'direct/high/*'; may be given more than once.")  # fmt: skip
@click.option("--rater", metavar="NAME", callback=_rater, help="Who votes: each name has votes of its own.")
@click.option("--show-prompts", is_flag=True, help="Show the prompt above each pair, where the run recorded it.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="On loopback; 0: a free one.")
@click.option("--page", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path),
              help="Write one self-contained page for somebody else instead of serving it.")  # fmt: skip
@click.option("--import", "imported", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path),
              help="Add the votes that such a page saved.")  # fmt: skip
def command(
    run_dir: Path,
    pairs: int | None,
    seed: int,
    cells: tuple[str, ...],
    rater: str | None,
    show_prompts: bool,
    port: int,
    page: Path | None,
    imported: Path | None,
) -> None:
    """Ask people which of two pictures is better, without telling whose they are. Needs `run --keep-images`.

    Serves a page on loopback until all pairs are voted on, or until Ctrl-C; the same command goes on where it stopped.
    Votes are in RUN/votes.jsonl, and `harness report` turns them into scores.
    """
    if page is not None and imported is not None:
        raise UsageProblem("--page and --import: give one of them")
    if imported is not None:
        _import(run_dir, imported)
        return
    from harness.rating.sitting import open_sitting

    sitting = open_sitting(run_dir, count=pairs, seed=seed, cells=cells, show_prompts=show_prompts)
    for left in sitting.left_out:
        click.echo(f"left out: {left.file}: {left.why}", err=True)
    if pairs is not None and len(sitting.pairs) < pairs:
        click.echo(f"the run has {len(sitting.pairs)} pairs of the same prompt and block, not {pairs}", err=True)
    if page is not None:
        from harness.rating.page import write_page

        try:
            write_page(run_dir, sitting, page)
        except OSError as error:
            raise UsageProblem(f"{page}: cannot be written ({error.strerror or error})") from None
        click.echo(f"{page}: {len(sitting.pairs)} pairs, {page.stat().st_size / 1e6:.1f} MB")
        click.echo(f"which is which: {run_dir / f'rating-{sitting.id}.json'}; keep it, and do not send it along")
        click.echo(f"then: harness rate {run_dir} --import votes-{sitting.id}-….json")
        return
    _serve(run_dir, sitting, rater, port)


def _serve(run_dir: Path, sitting: object, rater: str | None, port: int) -> None:
    import asyncio

    from harness.rating.serve import Desk, serve
    from harness.rating.sitting import Sitting
    from harness.rating.votes import VOTES_FILE

    assert isinstance(sitting, Sitting)
    total = len(sitting.pairs)

    async def sit() -> int:
        desk = Desk(run_dir, sitting, rater)
        if len(desk.done) == total:
            return total

        def ready(address: str) -> None:
            left = f"{total - len(desk.done)} of {total} pairs are open" if desk.done else f"{total} pairs"
            click.echo(f"open {address} in a browser: {left}; Ctrl-C stops, and the same command goes on")

        await serve(desk, port, ready)
        return len(desk.done)

    done = asyncio.run(sit())
    click.echo(f"{done} of {total} pairs are voted on: {run_dir / VOTES_FILE}")
    click.echo(
        f"all pairs done; another --seed draws others. Scores: harness report {run_dir}"
        if done == total
        else f"scores so far: harness report {run_dir}"
    )


def _import(run_dir: Path, path: Path) -> None:
    from harness.rating.imported import import_votes

    done = import_votes(run_dir, path)
    for line in done.bad:
        click.echo(line, err=True)
    click.echo(
        f"{done.added} votes added, {done.known_already} known already"
        + (f", {len(done.bad)} not taken" if done.bad else "")
    )
    if done.bad and not done.added and not done.known_already:
        raise UsageProblem(f"{path}: no vote in it can be taken")
