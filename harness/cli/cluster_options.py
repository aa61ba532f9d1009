"""``--dask`` and what goes with it: who measures, where it is not this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.common import Number
from harness.errors import UsageProblem

if TYPE_CHECKING:
    from harness.cluster.session import Cluster
    from harness.plan import Plan
    from harness.scenario import Scenario

WAIT_S = 60.0


def cluster_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--dask`, `--region` and `--worker-wait`."""
    command = click.option(
        "--worker-wait",
        type=Number(min=0),
        default=WAIT_S,
        show_default=True,
        metavar="SECONDS",
        help="With --dask: how long to wait for a worker when a region has lost its last one.",
    )(command)
    command = click.option(
        "--region",
        "regions",
        multiple=True,
        metavar="NAME",
        help="With --dask: measure from this region only; may be given several times. By default from all of them.",
    )(command)
    return click.option(
        "--dask", metavar="ADDRESS", help="Measure from the workers of this Dask scheduler: tcp://scheduler:8786."
    )(command)


def cluster_of(address: str | None, regions: Sequence[str], wait_s: float, out: Path | None) -> Cluster | None:
    """Who measures; null when this machine does.

    Raises:
        UsageProblem: regions without a cluster, or as `harness.cluster.session.survey`.
    """
    if address is None:
        if regions:
            raise UsageProblem("--region says which workers of a cluster measure: add --dask tcp://scheduler:8786")
        return None
    from dataclasses import replace

    from harness.cluster.session import survey

    return replace(survey(address, regions, out), patience_s=wait_s)


def plan_over(cluster: Cluster | None, scenario: Scenario, plan: Plan) -> Plan:
    """The plan as it is measured there."""
    if cluster is None:
        return plan
    from harness.cluster.session import plan_for

    return plan_for(scenario, plan, cluster)


def region_lines(plan: Plan) -> list[str]:
    """Which regions measure; nothing where there is one place."""
    return [f"regions: {', '.join(plan.regions)}; each measures the whole scenario"] if plan.regions else []
