"""harness export"""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command("export")
@click.argument("run", metavar="RUN", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--to",
    "form",
    type=click.Choice(["parquet", "csv", "har", "otlp"]),
    required=True,
    help="Parquet or CSV: a row a job. HAR 1.2: an entry an attempt. OTLP: a trace a job, as JSON lines.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    help="The file; default: beside the journal, events.<form>. - is standard output.",
)
def command(run: Path, form: str, out: Path | None) -> None:
    """Write a run's events for other tools: DuckDB, spreadsheets, HAR viewers, Grafana. No prompt, no body, no host.

    RUN is a directory that `harness run` or `harness diagnose --out` wrote, or a journal (events.jsonl).
    """
    from harness.export.write import export

    done = export(run, form, out)
    if done.out is not None:
        print(f"{done.out}: {done.jobs} jobs")
    if done.bad:
        print(f"{done.bad} lines of the journal are no events and were left out", file=sys.stderr)
