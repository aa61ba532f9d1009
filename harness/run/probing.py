"""Jobs one after another, each decided by what became of the one before. What decides is not this half's business."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.events import JobEvent
from harness.plan import Job
from harness.run.begin import new_run_id
from harness.run.job import run_job
from harness.run.lag import LagMeter
from harness.run.lanes import close_lanes, embedded, make_setting, warm_up
from harness.run.session import Options
from harness.scenario import Scenario
from harness.wire import watch
from harness.wire.clock import WorldClock

Decide = Callable[[JobEvent | None], Job | None]


def probe_scenario(
    scenario: Scenario, options: Options, decide: Decide, log: Path, env: Mapping[str, str] = os.environ
) -> None:
    """Send what `decide` gives until it gives None. It is told the event of the job before, None at first.

    Nothing is sent twice: the scenario's own retries are off, for each would count in no budget. `log`: where an
    embedded API appends its own record.

    Raises:
        UsageProblem: the embedded API cannot be started.
    """
    single = scenario.model_copy(update={"retry": scenario.retry.model_copy(update={"max_retries": 0})})
    clock = WorldClock(options.time_scale or scenario.time_scale)

    async def all_of_them(entries: Mapping[str, str]) -> None:
        async with LagMeter() as lag:
            setting = make_setting(single, env, new_run_id(scenario.name), clock, entries, lag, None)
            try:
                await warm_up(setting, [])
                job = await asyncio.to_thread(decide, None)
                while job is not None:
                    await asyncio.to_thread(setting.references.prepare, [job.cell])
                    event = await run_job(setting, job, 1)
                    job = await asyncio.to_thread(decide, event)
            finally:
                await close_lanes(setting)

    with embedded(single, log=log) as entries:
        watch.run(all_of_them(entries))
