"""harness recommend"""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.common import allow_option, document_format_option, emit_json
from harness.errors import Inconclusive


@click.command("recommend")
@click.argument("run_dirs", metavar="RUN...", nargs=-1, required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--volume", metavar="N/PERIOD", help="Images to pay for: 10000/month, 300/day or 20/hour.")
@allow_option("Of several runs: a setting that differs on purpose (prompts, model, …); may be given more than once.")
@document_format_option("Output on stdout.")
def command(run_dirs: tuple[Path, ...], volume: str | None, allow: tuple[str, ...], form: str) -> None:
    """Say for each use which cell of RUN to take, with its timeout, how many at once, and what a month costs.

    Uses are those of docs/recommend.md and of the scenario's own `uses:`. The cells of several runs stand side by side,
    each under its run's name, when the runs share model, prompts and world. Exit code 0 when something is recommended,
    4 when nothing is.
    """
    from harness.compare.candidates import recommend_runs
    from harness.diagnosis.judge import diagnose_run
    from harness.diagnosis.model import DIAGNOSIS_FILE
    from harness.recommend.cost import per_month
    from harness.report.recommendation_text import printed, summary_sentence

    images = None if volume is None else per_month(volume)
    for run_dir in run_dirs:
        if not (run_dir / DIAGNOSIS_FILE).exists():
            diagnose_run(run_dir)
    found = recommend_runs(run_dirs, volume=images, allow=allow)
    if form == "json":
        emit_json(found)
    else:
        click.echo(printed(found, plain=form == "text"), nl=False)
    if not any(use.state == "recommended" for use in found.uses):
        raise Inconclusive(f"nothing is recommended. {summary_sentence(found)}")
