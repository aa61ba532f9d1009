"""What each route tells of itself, and what it keeps to itself: counted over the jobs that it delivered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from harness.conditions import RunConditions
from harness.events import LinkCheck
from harness.gateways import Drop, gateway_named
from harness.report.jobs import DELIVERED, Shapes, is_in, numbers, rounded
from harness.report.model import ToldRow

_COLUMNS = (
    "route", "outcome", "text_model", "deployment", "gateway", "cache_hit",
    "server_ms", "queue_ms", "usage_output_tokens", "resolved_size", "has_request_id", "poll_error_ms", "callback_ms",
    "download_ms", "mark_download_began_at_ms", "gateway_overhead_ms",
)  # fmt: skip


def told(
    frame: pd.DataFrame, conditions: RunConditions, shapes: Shapes, checks: Sequence[LinkCheck]
) -> tuple[ToldRow, ...]:
    """A row for each route that has jobs."""
    narrow = frame[list(_COLUMNS)]
    alive = Counter(check.route for check in checks if check.alive)
    looked = Counter(check.route for check in checks)
    declared = {route.name: route for route in conditions.routes}
    rows = []
    for route in shapes.routes:
        jobs = narrow[is_in(narrow, "route", (route,))]
        if jobs.empty:
            continue
        delivered = jobs[is_in(jobs, "outcome", DELIVERED)]
        by_link = delivered["mark_download_began_at_ms"].notna()
        gateways = tuple(_words(jobs, "gateway"))
        spec = declared.get(route)
        rows.append(
            ToldRow(
                route=route,
                kind=spec.kind if spec else "",
                owner=spec.owner if spec else "",
                jobs=len(jobs),
                delivered=len(delivered),
                text_models=tuple(_words(jobs, "text_model")),
                deployments=tuple(_words(jobs, "deployment")),
                request_ids=int((numbers(delivered, "has_request_id") > 0).sum()),
                server_times=_known(delivered, "server_ms"),
                queue_times=_known(delivered, "queue_ms"),
                usages=_known(delivered, "usage_output_tokens"),
                sizes=int(delivered["resolved_size"].notna().sum()),
                by_link=int(by_link.sum()),
                download_p50_ms=_median(delivered[by_link], "download_ms"),
                poll_error_p50_ms=_median(delivered, "poll_error_ms"),
                callbacks=_known(jobs, "callback_ms"),
                gateways=gateways,
                overhead_p50_ms=_median(delivered, "gateway_overhead_ms"),
                cache_hits=int((numbers(jobs, "cache_hit") > 0).sum()),
                drops=tuple(f"{drop.what} ({drop.source})" for name in gateways for drop in _drops(name)),
                links_alive=alive[route],
                links_checked=looked[route],
            )
        )
    return tuple(rows)


def _drops(name: str) -> Sequence[Drop]:
    found = gateway_named(name)
    return () if found is None else found.drops


def _words(jobs: pd.DataFrame, name: str) -> list[str]:
    return sorted(str(value) for value in jobs[name].dropna().unique())


def _known(jobs: pd.DataFrame, name: str) -> int:
    return int((~np.isnan(numbers(jobs, name))).sum())


def _median(jobs: pd.DataFrame, name: str) -> float | None:
    values = numbers(jobs, name)
    values = values[~np.isnan(values)]
    return rounded(float(np.median(values))) if values.size else None
