"""Two logs of one world whose truth is known: a proxy with a cap in front of a backend whose clock is off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.ingest.sightings import complete

CAP_S = 60.0


@dataclass(frozen=True)
class World:
    """`table` as `join` takes it; `truth`: for every row, which job it is of; `cut`: for every job."""

    table: pd.DataFrame
    truth: np.ndarray
    cut: np.ndarray


def world(
    jobs: int, *, seed: int = 0, skew_s: float = 90.0, gap_s: float = 40.0, ids: bool = False, beat: bool = False
) -> World:
    """`gap_s`: mean time between jobs; `beat`: exactly that, and all alike."""
    dice = np.random.default_rng(seed)
    start = 1.79e9 + (np.arange(jobs) * gap_s if beat else np.cumsum(dice.exponential(gap_s, jobs)))
    took = np.full(jobs, 50.0) if beat else dice.lognormal(np.log(50), 0.3, jobs)
    cut = took > CAP_S
    seen = np.where(cut, CAP_S, took)
    names = [f"client-{number:05d}" if ids else None for number in range(jobs)]
    proxy = complete(
        {
            "line": np.arange(1.0, jobs + 1),
            # As nginx writes it: the end in whole seconds, less the time that it took.
            "started_at_s": np.floor(start + seen) - seen,
            "started_step_s": np.full(jobs, 1.0),
            "duration_ms": seen * 1000,
            "status": np.where(cut, 504, 200),
            "gave_up": np.where(cut, "self", None),  # type: ignore[call-overload]
            "client_request_id": names,
        },
        rows=jobs,
        side="proxy",
        writer="nginx",
    ).assign(file=0)
    order = dice.permutation(jobs)
    backend = complete(
        {
            "line": np.arange(1.0, jobs + 1),
            "started_at_s": start + skew_s + dice.exponential(0.05, jobs),
            "duration_ms": took * 1000,
            "status": np.full(jobs, 200),
            "client_request_id": names,
        },
        rows=jobs,
        side="upstream",
        writer="api",
    ).assign(file=1)
    table = pd.concat([proxy, backend.iloc[order]], ignore_index=True)
    return World(table, np.concatenate([np.arange(jobs), order]), cut)
