"""harness report"""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.common import emit_json, format_option, min_effect_option, run_argument
from harness.errors import ThresholdFailed
from harness.metrics import METRICS

_CLOCKS = "\b\nClocks:\n" + "\n".join(f"  {m.name}: {m.describe()}" for m in METRICS)


@click.command("report", epilog=_CLOCKS)
@run_argument
@format_option
@min_effect_option("The smallest difference between two settings that matters.")
def command(run_dir: Path, form: str, min_effect: float) -> None:
    """Write RUN/summary.json and RUN/report.html, one file without network. Exit code 3 when an objective failed.

    The text form on stdout is Markdown.
    """
    from harness.diagnosis.judge import diagnose_run
    from harness.diagnosis.model import DIAGNOSIS_FILE
    from harness.report import read_summary, write_report
    from harness.report.text import render

    if not (run_dir / DIAGNOSIS_FILE).exists():
        diagnose_run(run_dir)
    paths = write_report(run_dir, min_effect=min_effect)
    summary = read_summary(paths.summary)
    if form == "json":
        emit_json(summary)
    else:
        print(render(summary))
        print(f"report: {paths.html}")
    missed = [objective.text for objective in summary.objectives if objective.state == "fail"]
    if missed:
        raise ThresholdFailed("objective missed: " + "; ".join(missed))
