"""The counted parts of a report: totals, cells, layers that gave up, other failures, retries."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from harness.conditions import RunConditions
from harness.report.jobs import (
    DELIVERED,
    NOT_JUDGED,
    Shapes,
    clock_curve,
    estimate,
    is_cut,
    is_in,
    none_if_nan,
    numbers,
    positions_by,
    rounded,
)
from harness.report.model import CellRow, Estimate, FailureKind, FailureRow, LayerRow, RetryRow, Totals
from harness.report.price import spent_per_image
from harness.stats import quantile

_WIRE_WORD = re.compile(r"[^A-Za-z0-9_.:\-]")
_NOTHING = Estimate(value=None)
_CELL_COLUMNS = (
    "cell", "route", "outcome", "http_status", "stream", "image_count", "cost_usd", "cost_basis",
    "earlier_attempts_usd", "final_image_ms", "first_byte_ms", "first_partial_image_ms", "server_ms",
    "verdict_censored_at_ms", "response_ms", "scheduled_at_ms",
)  # fmt: skip
_RETRY_COLUMNS = (
    "rate_limited_attempts", "gateway_retries", "retry_reason", "attempt_count", "retry_count", "http_status",
    "in_flight",
)  # fmt: skip
_CUT_COLUMNS = (
    "route", "outcome", "http_status", "error_type", "error_code", "verdict_verdict", "verdict_layer",
    "verdict_product", "verdict_setting", "verdict_cap_s", "verdict_cap_kind", "verdict_grade",
    "verdict_backend_finished", "verdict_censored_at_ms",
)  # fmt: skip


def totals(frame: pd.DataFrame) -> Totals:
    cut = frame.loc[is_cut(frame), ["verdict_backend_finished"]]
    judged = ~is_in(frame, "outcome", NOT_JUDGED)
    completed = is_in(frame, "outcome", ("image",))
    cost, by_basis = _cost(frame)
    return Totals(
        jobs=len(frame),
        judged=int(judged.sum()),
        completed=int(completed.sum()),
        failed=int((judged & ~completed).sum()),
        censored=len(cut),
        cancelled=int(is_in(frame, "outcome", ("cancelled",)).sum()),
        unseen=int(is_in(frame, "outcome", ("unknown",)).sum()),
        false_timeouts=int(is_in(frame, "verdict_verdict", ("false_timeout",)).sum()),
        finished_behind_a_cut=_finished(cut),
        attempts=int(frame["attempt_count"].sum()),
        images=int(frame.loc[completed, "image_count"].sum()),
        cost_usd=cost,
        cost_by_basis_usd=by_basis,
        cost_per_image_usd=rounded(spent_per_image(frame), 6),
    )


def cells(frame: pd.DataFrame, conditions: RunConditions, shapes: Shapes) -> tuple[CellRow, ...]:
    """A row for each cell that was run, by route and shape; then those that were only planned."""
    labels = pd.Series(shapes.label, index=frame.index, dtype=object)
    rows: list[tuple[Any, CellRow]] = []
    narrow = frame[list(_CELL_COLUMNS)]  # a selection copies whole rows
    for positions in positions_by(narrow, ["cell"]).values():
        jobs = narrow.iloc[positions]
        cell = str(jobs["cell"].iloc[0])
        route, label = str(jobs["route"].iloc[0]), str(labels.loc[jobs.index[0]])
        order = (shapes.routes.index(route), shapes.rank[label], str(cell))
        rows.append((order, _cell(str(cell), route, label, jobs)))
    rows.sort(key=lambda row: row[0])
    taken = Counter((row.route, row.shape) for _, row in rows)
    found = [
        # Two cells that differ in nothing that a label shows are told apart by the plan's own name for them.
        row if taken[row.route, row.shape] == 1 else _renamed(row)
        for _, row in rows
    ]
    run = {row.cell for row in found}
    planned = [_unrun(cell, shapes.routes) for cell in conditions.cells if cell not in run]
    return (*found, *planned)


def _renamed(row: CellRow) -> CellRow:
    from msgspec.structs import replace

    return replace(row, shape=f"{row.shape} ({row.cell})")


def _cell(cell: str, route: str, label: str, jobs: pd.DataFrame) -> CellRow:
    judged = ~is_in(jobs, "outcome", NOT_JUDGED)
    completed = is_in(jobs, "outcome", ("image",))
    cost, by_basis = _cost(jobs)
    final, response = clock_curve(jobs, "final_image_ms"), clock_curve(jobs, "response_ms")
    # What most tools print: as if a job that was cut had never been sent.
    alone = clock_curve(jobs[is_in(jobs, "outcome", DELIVERED)], "final_image_ms") if final.censored else None
    return CellRow(
        cell=cell,
        route=route,
        shape=label,
        planned_only=False,
        n=len(jobs),
        judged=int(judged.sum()),
        completed=int(completed.sum()),
        censored=int(is_cut(jobs).sum()),
        failures=_failure_kinds(jobs[~completed]),
        final_image_p50_ms=estimate(final.quantile(0.5)),
        final_image_p90_ms=estimate(final.quantile(0.9)),
        first_byte_p50_ms=estimate(clock_curve(jobs, "first_byte_ms").quantile(0.5)),
        first_partial_image_p50_ms=estimate(clock_curve(jobs, "first_partial_image_ms").quantile(0.5)),
        server_p50_ms=estimate(clock_curve(jobs[completed], "server_ms").quantile(0.5)),
        successes_p50_ms=estimate(alone.quantile(0.5)) if alone else None,
        successes_p90_ms=estimate(alone.quantile(0.9)) if alone else None,
        response_p50_ms=estimate(response.quantile(0.5)) if response.n else None,
        response_p90_ms=estimate(response.quantile(0.9)) if response.n else None,
        cost_usd=cost,
        cost_per_image_usd=rounded(spent_per_image(jobs), 6),
        cost_basis=tuple(sorted(by_basis)),
    )


def _unrun(cell: str, routes: tuple[str, ...]) -> CellRow:
    words = set(re.split(r"[^\w\-]+", cell))
    named = [route for route in routes if route in words]
    return CellRow(
        cell=cell,
        route=named[0] if len(named) == 1 else "",
        shape=cell,
        planned_only=True,
        n=0,
        judged=0,
        completed=0,
        censored=0,
        failures=(),
        final_image_p50_ms=_NOTHING,
        final_image_p90_ms=_NOTHING,
        first_byte_p50_ms=_NOTHING,
        first_partial_image_p50_ms=_NOTHING,
        server_p50_ms=_NOTHING,
        cost_usd=None,
        cost_per_image_usd=None,
        cost_basis=(),
    )


def _failure_kinds(failed: pd.DataFrame) -> tuple[FailureKind, ...]:
    """How jobs failed, in a word or two each: the status where there was one, else the outcome."""
    kinds: Counter[str] = Counter()
    for members in positions_by(failed, ["outcome", "http_status"]).values():
        outcome, status = (none_if_nan(failed[name].iloc[members[0]]) for name in ("outcome", "http_status"))
        kinds[f"HTTP {int(status)}" if outcome == "error" and status is not None else str(outcome)] += len(members)
    return tuple(FailureKind(kind=kind, jobs=jobs) for kind, jobs in _by_count(kinds))


def layers(frame: pd.DataFrame, shapes: Shapes) -> tuple[LayerRow, ...]:
    """Which layer gave up on which route, worst first. A cut without a known layer is a row of its own."""
    frame = frame[list(_CUT_COLUMNS)]
    named = frame["verdict_layer"].notna().to_numpy() & ~is_in(frame, "outcome", ("image",))
    cut = frame[is_cut(frame) | named]
    judged = frame[~is_in(frame, "outcome", NOT_JUDGED)]
    of_jobs = Counter(str(route) for route in judged["route"])
    fields = ("layer", "product", "setting", "cap_s", "cap_kind", "grade")
    keys = ["route", *(f"verdict_{name}" for name in fields)]
    groups = {
        tuple(none_if_nan(value) for value in cut[keys].iloc[members[0]]): members
        for members in positions_by(cut, keys).values()
    }
    rows = []
    for (route, layer, product, setting, cap_s, cap_kind, grade), members in groups.items():
        jobs = cut.iloc[members]
        times = numbers(jobs, "verdict_censored_at_ms")
        rows.append(
            LayerRow(
                layer=layer or "not known",
                product=product,
                setting=setting,
                cap_s=cap_s,
                cap_kind=cap_kind,
                grade=grade,
                route=str(route),
                jobs=len(jobs),
                of_jobs=of_jobs[str(route)],
                cut_at_p50_ms=rounded(quantile(times[~np.isnan(times)], 0.5).value),
                backend_finished=_finished(jobs),
            )
        )
    return tuple(sorted(rows, key=lambda row: (-row.jobs, shapes.routes.index(row.route), row.layer, str(row))))


def failures(frame: pd.DataFrame, shapes: Shapes) -> tuple[FailureRow, ...]:
    """Failed jobs that no layer's cut explains, by verdict, status and code, most frequent first."""
    frame = frame[list(_CUT_COLUMNS)]
    failed = frame[
        ~is_in(frame, "outcome", ("image", *NOT_JUDGED))
        & ~is_cut(frame)
        & frame["verdict_layer"].isna().to_numpy(dtype=np.bool_)
    ]
    groups: dict[tuple[Any, ...], Counter[str]] = {}
    names = ["route", "verdict_verdict", "outcome", "http_status", "error_type", "error_code"]
    for members in positions_by(failed, names).values():
        route, *key = (none_if_nan(value) for value in failed[names].iloc[members[0]])
        groups.setdefault(tuple(key), Counter())[str(route)] += len(members)
    rows = [
        FailureRow(
            verdict=verdict,
            outcome=str(outcome),
            http_status=None if status is None else int(status),
            error_type=_wire_word(type_),
            error_code=_wire_word(code),
            routes=tuple(route for route in shapes.routes if route in routes),
            jobs=routes.total(),
        )
        for (verdict, outcome, status, type_, code), routes in groups.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.jobs, str(row))))


def retries(frame: pd.DataFrame, shapes: Shapes) -> tuple[RetryRow, ...]:
    rows = []
    for route in shapes.routes:
        jobs = frame.loc[is_in(frame, "route", (route,)), list(_RETRY_COLUMNS)]
        if jobs.empty:
            continue
        limited = numbers(jobs, "rate_limited_attempts")
        gateway = numbers(jobs, "gateway_retries")
        reasons = Counter(str(reason) for reason in jobs["retry_reason"].dropna())
        rows.append(
            RetryRow(
                route=route,
                jobs=len(jobs),
                attempts=int(jobs["attempt_count"].sum()),
                retries=int(jobs["retry_count"].sum()),
                jobs_with_429=int((limited > 0).sum()),
                attempts_with_429=int(limited.sum()),
                jobs_failed_429=int((numbers(jobs, "http_status") == 429).sum()),
                gateway_retries=None if np.isnan(gateway).all() else int(np.nansum(gateway)),
                reasons={_wire_word(reason) or "": count for reason, count in _by_count(reasons)},
                most_in_flight=int(jobs["in_flight"].max()),
            )
        )
    return tuple(rows)


def _cost(jobs: pd.DataFrame) -> tuple[float | None, dict[str, float]]:
    """What these jobs cost, and the same by how it is known. Null when no job has a price.

    The basis of a job is that of its last attempt; what earlier ones may have cost is maybe billed in any case.
    """
    costs, earlier = numbers(jobs, "cost_usd"), np.nan_to_num(numbers(jobs, "earlier_attempts_usd"))
    known = ~np.isnan(costs)
    if not known.any():
        return None, {}
    codes, bases = pd.factorize(jobs["cost_basis"])
    parts = {
        str(basis): (costs - earlier)[known & (codes == code)].tolist()
        for code, basis in enumerate(bases)
        if (known & (codes == code)).any()
    }
    if again := earlier[known & (earlier > 0)].tolist():
        parts["maybe_billed"] = [*parts.get("maybe_billed", []), *again]
    by_basis = {basis: round(math.fsum(part), 6) for basis, part in parts.items()}
    return round(math.fsum(costs[known].tolist()), 6), dict(sorted(by_basis.items()))


def _finished(cut: pd.DataFrame) -> int | None:
    """How many of these the backend finished anyway; null when its record says nothing of any of them."""
    known = cut["verdict_backend_finished"].dropna()
    return int(known.astype(bool).sum()) if len(known) else None


def _wire_word(value: Any) -> str | None:
    """A type or code as the other side wrote it, cut down to what such words are made of."""
    return None if value is None else _WIRE_WORD.sub("", str(value))[:64]


def _by_count(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
