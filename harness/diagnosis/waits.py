"""What the cells of an earlier run took, for a chain to be looked at: medians and p95, cut jobs censored."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.chain.model import Wait
from harness.diagnosis.cap_clocks import Clock, Jobs, load_jobs
from harness.diagnosis.case import Mask
from harness.stats import survival


def measured_waits(run_dir: Path) -> dict[str, Wait]:
    """The waits by cell. A cell whose median was cut away takes that of its shape on the direct route; where that is
    not to be had either, it is left out.

    Raises:
        UsageProblem: the directory holds no run.
    """
    jobs = load_jobs(run_dir)
    direct = np.isin(
        jobs.frame["route"].to_numpy(dtype=object), [one.name for one in jobs.conditions.routes if one.direct]
    )
    shapes = jobs.shapes()
    cells = jobs.frame["cell"].to_numpy(dtype=object)
    found: dict[str, Wait] = {}
    for cell in dict.fromkeys(cells):
        own = np.asarray(cells == cell, dtype=bool)
        streamed = bool(jobs.frame["stream"].to_numpy(dtype=bool)[own][0])
        alike = np.isin(shapes, np.unique(shapes[own])) & direct
        for where, whose in ((own, "of its own"), (alike, "on the direct route")):
            wait = _wait(jobs, str(cell), streamed, where, whose)
            if wait is not None:
                found[str(cell)] = wait
                break
    return found


def _wait(jobs: Jobs, cell: str, streamed: bool, where: Mask, whose: str) -> Wait | None:
    whole, silence = jobs.clock("total", where), jobs.clock("idle", where)
    median = _quantile(whole, 0.5)
    if median is None:
        return None
    return Wait(
        cell=cell,
        streamed=streamed,
        whole_s=median,
        silence_s=_quantile(silence, 0.5),
        needed_s=_slow(whole),
        needed_silence_s=_slow(silence),
        basis=f"measured, {len(whole.times)} jobs {whose}",
    )


def _quantile(clock: Clock, p: float) -> float | None:
    return survival(clock.times, clock.censored).quantile(p).value


def _slow(clock: Clock) -> float | None:
    """The 95th percentile; where the curve does not get there, the longest seen, which is less than needed."""
    value = _quantile(clock, 0.95)
    return value if value is not None else float(clock.times.max()) if len(clock.times) else None
