"""harness report"""

from __future__ import annotations

import sys
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

    The text form on stdout is Markdown. With kept images (`harness run --keep-images`) the page holds small pictures of
    them, and `harness pictures` is done first unless it was.
    """
    from harness.diagnosis.judge import diagnose_run
    from harness.diagnosis.model import DIAGNOSIS_FILE
    from harness.gallery import is_current, kept_files, look, read_pictures, write_pictures
    from harness.report import read_summary, write_report
    from harness.report.text import render

    if not (run_dir / DIAGNOSIS_FILE).exists():
        diagnose_run(run_dir)
    looked = read_pictures(run_dir)
    if kept_files(run_dir) and (looked is None or not is_current(run_dir, looked)):
        write_pictures(run_dir, look(run_dir, progress=lambda line: print(line, file=sys.stderr)))
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
