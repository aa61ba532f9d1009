"""harness diagnose"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import click

from harness.cli.common import emit_json, format_option
from harness.conditions import RouteConditions
from harness.errors import Inconclusive, UsageProblem


@click.command("diagnose")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
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
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="For logs: keep what was read as a run's folder, for `harness report` and `harness packet`.",
)
@click.option("--log-format", metavar="NAME", help="The format of the logs, instead of sniffing it.")
@click.option(
    "--mapping",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Which key or column is what, for logs in no known format (docs/intake.md).",
)
@click.option("--only", metavar="REGEX", help="Paths of image requests, where they are not the usual ones.")
@click.option("--route", metavar="NAME", help="The route of --scenario that the logs are of.")
@click.option(
    "--scenario",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A scenario whose routes declare the chain of layers with their caps.",
)
@format_option
def command(
    paths: tuple[Path, ...],
    backend_log: Path | None,
    layers: tuple[Path, ...],
    out: Path | None,
    log_format: str | None,
    mapping: Path | None,
    only: str | None,
    route: str | None,
    scenario: Path | None,
    form: str,
) -> None:
    """Give every job of a run, or of somebody's logs, a verdict, and all of it one decision. No key, no network.

    PATH is a directory that `harness run` wrote, - for events on standard input, or any mix of logs: HAR, nginx,
    HAProxy, Caddy, Envoy, ALB, CloudFront, LiteLLM, OTLP and more (docs/intake.md), packed or not, with runs of ours
    among them. Records of one job are joined by ids, else by time and shape, and the ground is said.
    """
    from harness.diagnosis.judge import diagnose_events, diagnose_run
    from harness.diagnosis.text import lines
    from harness.ingest.intake import Intake, take_in, told

    intake: Intake | None = None
    first = paths[0]
    if len(paths) == 1 and str(first) == "-" and log_format is None and mapping is None:
        diagnosis, _ = diagnose_events(sys.stdin.buffer, backend_log, layers)
    elif len(paths) == 1 and (first / "run.json").exists():
        diagnosis, _ = diagnose_run(first, backend_log, layers)
    else:
        if out is not None and out.exists() and any(out.iterdir()):
            raise UsageProblem(f"--out {out}: is not empty; give a new folder")
        if (route is None) != (scenario is None):
            raise UsageProblem("--route and --scenario go together: the scenario declares the route's chain")
        with tempfile.TemporaryDirectory(prefix="harness-") as scratch:
            folder = out or Path(scratch) / "intake"
            intake = take_in(
                paths, folder, log_format=log_format, mapping=mapping, only=only, route=route,
                routes=_routes(scenario, route),
            )  # fmt: skip
            diagnosis, _ = diagnose_run(folder, backend_log, layers)
    if form == "json":
        emit_json(diagnosis if intake is None else {"intake": intake, "diagnosis": diagnosis})
    else:
        for line in [*(told(intake) if intake is not None else ()), *lines(diagnosis)]:
            print(line)
    if not diagnosis.conclusive:
        why = "most jobs end in a way that this evidence does not explain" if diagnosis.counts else "there is no job"
        raise Inconclusive(f"inconclusive: {why}")


def _routes(scenario: Path | None, route: str | None) -> tuple[RouteConditions, ...]:
    if scenario is None:
        return ()
    from harness.cli.common import load

    declared = load(str(scenario), check_env=False).route_conditions()
    if route not in {one.name for one in declared}:
        raise UsageProblem(f"--route {route}: {scenario} declares {', '.join(one.name for one in declared)}")
    return declared
