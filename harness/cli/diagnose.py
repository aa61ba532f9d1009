"""harness diagnose"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness.cli.common import emit_json, format_option
from harness.errors import Inconclusive


@click.command("diagnose")
@click.argument("run_dir", metavar="RUN", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--backend-log",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The other side's own record (JSONL with client_request_id, finished); default: RUN/backend.jsonl.",
)
@click.option(
    "--layers",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file of further layers, in the form of harness/data/layers.yaml; may be given more than once.",
)
@format_option
def command(run_dir: Path, backend_log: Path | None, layers: tuple[Path, ...], form: str) -> None:
    """Give every job of RUN a verdict, and the run one decision. Needs no key and no network.

    RUN is a directory that `harness run` wrote, or - for events on standard input (then nothing is written).
    """
    from harness.diagnosis.judge import diagnose_events, diagnose_run
    from harness.diagnosis.text import lines

    if str(run_dir) == "-":
        diagnosis, _ = diagnose_events(sys.stdin.buffer, backend_log, layers)
    else:
        diagnosis, _ = diagnose_run(run_dir, backend_log, layers)
    if form == "json":
        emit_json(diagnosis)
    else:
        for line in lines(diagnosis):
            print(line)
    if not diagnosis.conclusive:
        raise Inconclusive("inconclusive: most jobs end in a way that this evidence does not explain")
