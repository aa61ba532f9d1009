"""harness compare"""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.common import allow_option, document_format_option, emit_json, min_effect_option
from harness.errors import Inconclusive, ThresholdFailed


@click.command("compare")
@click.argument("run_a", metavar="RUN_A", type=click.Path(file_okay=False, path_type=Path))
@click.argument("run_b", metavar="RUN_B", type=click.Path(file_okay=False, path_type=Path))
@click.option("--metric", default="final_image_ms", show_default=True, help="The clock to compare.")
@min_effect_option("The smallest change of a median or p90 that matters.")
@allow_option("A setting that differs on purpose (route, model, caps, …); may be given more than once.")
@document_format_option("Output on stdout; markdown is for a pull request.")
def command(run_a: Path, run_b: Path, metric: str, min_effect: float, allow: tuple[str, ...], form: str) -> None:
    """Compare RUN_B with RUN_A, the baseline, cell by cell: two hours, two releases, two regions.

    Runs that differ in a setting are refused, unless it is named with --allow. Exit code 0 when B is no worse, 3 when
    it is worse beyond the smallest effect (or more jobs fail), 4 when that cannot be told.
    """
    from harness.compare import compare_runs
    from harness.compare.text import markdown, text
    from harness.diagnosis.judge import diagnose_run
    from harness.diagnosis.model import DIAGNOSIS_FILE

    for run_dir in (run_a, run_b):
        if not (run_dir / DIAGNOSIS_FILE).exists():
            diagnose_run(run_dir)
    found = compare_runs(run_a, run_b, metric=metric, min_effect=min_effect, allow=allow)
    if form == "json":
        emit_json(found)
    else:
        click.echo(markdown(found) if form == "markdown" else text(found), nl=False)
    if found.verdict == "worse":
        raise ThresholdFailed(found.sentence)
    if found.verdict == "inconclusive":
        raise Inconclusive(found.sentence)
