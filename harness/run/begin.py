"""What is known of a run before it begins: its id and its conditions."""

from __future__ import annotations

import os
import platform
import secrets
from datetime import UTC, datetime
from importlib.metadata import version

from harness import __version__
from harness.conditions import Host, RunConditions
from harness.plan import Plan
from harness.run.proofs import last_proof
from harness.scenario import Scenario
from harness.wire.clock import WorldClock


def new_run_id(scenario: str) -> str:
    """Readable, sortable, unique: ``demo-20261121-101500-3f2a``."""
    return f"{scenario}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def conditions_of(scenario: Scenario, plan: Plan, run_id: str, clock: WorldClock) -> RunConditions:
    """What is known of a run before it begins."""
    now = datetime.now().astimezone()
    return RunConditions(
        run_id=run_id,
        scenario=scenario.name,
        why=scenario.why,
        scenario_sha256=scenario.sha256,
        seed=scenario.seed,
        started_at=now.isoformat(timespec="milliseconds"),
        timezone=now.tzname() or "",
        time_scale=clock.time_scale,
        simulated=scenario.simulated or clock.time_scale != 1,
        simulator_profile=(scenario.simulator or {}).get("profile"),
        planned_jobs=len(plan.jobs),
        planned_cost_usd=plan.cost_usd,
        blocks=plan.blocks,
        cells=tuple(cell.cell.id for cell in plan.cells),
        axes=scenario.axes(),
        routes=scenario.route_conditions(),
        caps=scenario.timeouts.caps(),
        retries=scenario.retry.max_retries,
        concurrency=scenario.load.shape().concurrency,
        load=scenario.load.shape(),
        budget_usd=scenario.budget.usd,
        budget_jobs=scenario.budget.jobs,
        objectives=scenario.objective_conditions(),
        hypotheses=scenario.hypothesis_conditions(),
        early_stop=None if scenario.early_stop is None else scenario.early_stop.conditions(scenario.cells()),
        uses=scenario.use_conditions(),
        regions=plan.regions,
        host=Host(
            python=platform.python_version(),
            platform=f"{platform.system()} {platform.release()} {platform.machine()}",
            cpus=os.cpu_count() or 1,
            openai_sdk=version("openai"),
            harness=__version__,
        ),
        clock_proof=last_proof(),
    )
