"""The embedded API's own record, as the truth of an observation and as what a backend's log would hold."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.layers.observation import Truth

LOGGED = ("client_request_id", "request_id", "finished", "finished_after_client_left", "latency_s")


def records(log: Path) -> list[dict[str, Any]]:
    """Every record, in the order in which the requests came."""
    lines = log.read_bytes().splitlines() if log.exists() else []
    return sorted((json.loads(line) for line in lines), key=lambda one: one["received_ns"])


def told(calls: Sequence[Mapping[str, Any]]) -> Truth:
    """What really happened to one job."""
    left = [one["client_gone_ns"] - one["received_ns"] for one in calls if one["client_gone_ns"] is not None]
    return Truth(
        calls=len(calls),
        finished=any(one["finished"] for one in calls) if calls else None,
        left_after_s=round(max(left) / 1e9, 2) if left else None,
    )


def as_logged(calls: Sequence[Mapping[str, Any]], client_request_id: str) -> list[dict[str, Any]]:
    """The lines of a backend's log; a hop that drops our id is taken to have been traced, so that they can be found."""
    rows = [{name: one[name] for name in LOGGED} for one in calls]
    for row in rows:
        row["client_request_id"] = row["client_request_id"] or client_request_id
    return rows
