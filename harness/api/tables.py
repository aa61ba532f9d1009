"""Records as data frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from harness.chain.model import declared
from harness.conditions import RunConditions
from harness.errors import UsageProblem
from harness.report.model import CellRow, Estimate

ASKED = ("quality", "size", "output_format", "stream")
FIGURES = (
    "final_image_p50_ms", "final_image_p90_ms", "first_byte_p50_ms", "first_partial_image_p50_ms", "server_p50_ms",
)  # fmt: skip
_CAPS = ("route", "layer", "product", "setting", "kind", "cap_s")


def cells(rows: Sequence[CellRow], jobs: pd.DataFrame) -> pd.DataFrame:
    """The rows of the report's table of cells; see `harness.api.run.Run.cells`."""
    asked = jobs.drop_duplicates("cell").set_index("cell")[list(ASKED)].astype(object)
    known: dict[str, dict[str, Any]] = {str(cell): dict(row) for cell, row in asked.iterrows()}
    names = _columns()
    table = pd.DataFrame([_cell(row, known.get(row.cell, {})) for row in rows], columns=names)
    # Said for a table without rows too: an empty column of no kind cannot be negated or added up.
    kinds: dict[str, Any] = dict.fromkeys((name for name in names if name.endswith(("_ms", "_usd"))), np.float64)
    kinds |= dict.fromkeys((name for name in names if name == "planned_only" or name.endswith("_thin")), np.bool_)
    kinds |= dict.fromkeys(("jobs", "judged", "completed", "cut"), np.int64)
    return table.astype(kinds)


def _columns() -> list[str]:
    figures = [name for figure in FIGURES for name in _names(figure)]
    counts = ("planned_only", "jobs", "judged", "completed", "cut", "failures")
    return ["cell", "route", "shape", *ASKED, *counts, *figures, "cost_usd", "cost_per_image_usd"]


def _names(figure: str) -> tuple[str, ...]:
    stem = figure.removesuffix("_ms")
    return figure, f"{stem}_low_ms", f"{stem}_high_ms", f"{stem}_beyond_ms", f"{stem}_thin"


def _cell(row: CellRow, asked: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "cell": row.cell,
        "route": row.route,
        "shape": row.shape,
        **{name: asked.get(name) for name in ASKED},
        "planned_only": row.planned_only,
        "jobs": row.n,
        "judged": row.judged,
        "completed": row.completed,
        "cut": row.censored,
        "failures": ", ".join(f"{one.jobs} {one.kind}" for one in row.failures),
        "cost_usd": row.cost_usd,
        "cost_per_image_usd": row.cost_per_image_usd,
    }
    for figure in FIGURES:
        one: Estimate = getattr(row, figure)
        found |= dict(zip(_names(figure), (one.value, one.low, one.high, one.beyond, one.thin), strict=True))
    return found


def caps(conditions: RunConditions, route: str | None) -> pd.DataFrame:
    """Declared caps, a row each; see `harness.api.run.Run.caps`."""
    names = [one.name for one in conditions.routes]
    if route is not None and route not in names:
        raise UsageProblem(f"the run has no route {route!r}; it has {', '.join(names) or 'none'}")
    rows = [
        (one.name, cap.layer, cap.product, cap.setting, cap.kind, cap.cap_s)
        for one in conditions.routes
        if route in (None, one.name)
        for cap in declared(one.chain, conditions.caps)
    ]
    return pd.DataFrame(rows, columns=list(_CAPS)).astype({"cap_s": np.float64})
