"""Generations that nobody received: orphans behind a cut, second orders of the same job, answers that nobody saw.

Counted where they may have been made, priced at list price, and called proven only by the backend's own record.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from harness.report.jobs import DELIVERED, NOT_JUDGED, Shapes, is_in, numbers
from harness.report.waste_model import WasteRow

WORDS = {
    "orphan": "Orphans: no image came, and the job may have been made and billed",
    "duplicate": "Duplicates: ordered again by our own retry after an order that may have been carried out",
    "unseen": "Unseen: the run was stopped before the answer came",
    "gateway_retry": "A gateway’s own retries, by its own word; what they cost is not told",
}


def waste(frame: pd.DataFrame, shapes: Shapes) -> tuple[WasteRow, ...]:
    """A row for each route and kind that there is."""
    rows: list[WasteRow] = []
    delivered = is_in(frame, "outcome", DELIVERED)
    unseen = is_in(frame, "outcome", NOT_JUDGED)
    maybe = is_in(frame, "cost_basis", ("maybe_billed",)) & ~delivered
    again = numbers(frame, "earlier_attempts_usd")
    gateway = np.nan_to_num(numbers(frame, "gateway_retries"))
    cost = numbers(frame, "cost_usd") - np.nan_to_num(again)
    for route in shapes.routes:
        here = is_in(frame, "route", (route,))
        for kind, mask in (("orphan", maybe & ~unseen), ("unseen", maybe & unseen)):
            jobs = here & mask
            if jobs.any():
                rows.append(
                    WasteRow(
                        route=route,
                        kind=kind,
                        generations=int(jobs.sum()),
                        proven=_proven(frame, jobs),
                        usd=_sum(cost[jobs]),
                    )
                )
        twice = here & (again > 0)
        if twice.any():
            rows.append(
                WasteRow(
                    route=route,
                    kind="duplicate",
                    generations=int(numbers(frame, "earlier_orders")[twice].sum()),
                    proven=None,
                    usd=_sum(again[twice]),
                )
            )
        retried = int(gateway[here].sum())
        if retried:
            rows.append(WasteRow(route=route, kind="gateway_retry", generations=retried, proven=None, usd=None))
    return tuple(rows)


def _proven(frame: pd.DataFrame, jobs: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> int | None:
    """How many the record shows to be made. None of them is a count only where it speaks of each."""
    known = frame.loc[jobs, "verdict_backend_finished"].dropna()
    made = int(known.astype(bool).sum())
    return made if made or len(known) == int(jobs.sum()) else None


def _sum(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float | None:
    return None if np.isnan(values).any() else round(math.fsum(values.tolist()), 6)
