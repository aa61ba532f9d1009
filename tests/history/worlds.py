"""Histories whose truth is known: rounds every hour, what happens in them as a function of time."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from harness.history.model import WATCH_FILE, RoundRow, WatchConditions, write_json
from harness.history.rows import JOB_COLUMNS
from harness.history.store import Store, day_of
from harness.scenario.objectives import parse_objective

START_S = datetime(2026, 3, 2, tzinfo=UTC).timestamp()  # a Monday
HOUR_S = 3600.0
USD = {"low": 0.006, "medium": 0.053}

Ms = Callable[[str, str, int, random.Random], float | None]
"""route, quality, round, dice → ms until the final image; null: an error."""


def watch(objectives: Sequence[str] = (), **changes: Any) -> WatchConditions:
    given = WatchConditions(
        scenario="hourly",
        scenario_sha256="0" * 64,
        began_at="2026-03-02T00:00:00+00:00",
        every_s=HOUR_S,
        objectives=tuple(parse_objective(text) for text in objectives),
        cells=("direct/low", "direct/medium"),
    )
    return msgspec.structs.replace(given, **changes)


def job(round_id: str, number: int, at_s: float, **changes: Any) -> dict[str, Any]:
    """A job of a history as its columns; a good one of 5 s unless said otherwise."""
    at = datetime.fromtimestamp(at_s, UTC)
    given = dict.fromkeys(JOB_COLUMNS) | {
        "round_id": round_id, "job_id": f"b1-{number:03d}", "at_s": at_s, "hour": at.hour, "weekday": at.weekday(),
        "model": "gpt-image-2", "route_kind": "images", "route": "direct", "quality": "low", "cell": "direct/low",
        "outcome": "image", "judged": True, "good": True, "http_status": 200, "rate_limited": False, "images": 1,
        "cost_usd": 0.006, "final_image_ms": 5000.0, "final_image_ms_cut": False,
    }  # fmt: skip
    assert set(changes) <= set(given)
    return given | changes


def failed(row: dict[str, Any], status: int = 500) -> dict[str, Any]:
    nothing = {"images": 0, "cost_usd": None, "final_image_ms": None, "final_image_ms_cut": None}
    return row | nothing | {"outcome": "error", "good": False, "http_status": status, "rate_limited": status == 429}


def cut(row: dict[str, Any], ms: float = 60_000.0) -> dict[str, Any]:
    nothing = {"images": 0, "cost_usd": None, "http_status": None}
    return row | nothing | {"outcome": "cut", "good": False, "final_image_ms": ms, "final_image_ms_cut": True}


def rows_of(jobs: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [tuple(one[name] for name in JOB_COLUMNS) for one in jobs]


def round_row(number: int, every_s: float = HOUR_S, **changes: Any) -> RoundRow:
    began_s = START_S + number * every_s
    given = RoundRow(
        round_id=f"r{number:05d}",
        began_s=began_s,
        ended_s=began_s + 30,
        due_s=began_s,
        status="complete",
        planned_jobs=2,
    )
    return msgspec.structs.replace(given, **changes)


def usual(route: str, quality: str, number: int, dice: random.Random) -> float:  # noqa: ARG001
    """Low takes about 5 s and medium about 27 s, whatever the hour."""
    median = {"low": 5000.0, "medium": 27_000.0}[quality] * (1.4 if route == "gateway" else 1.0)
    return median * math.exp(dice.gauss(0, 0.2))


def history(
    root: Path,
    rounds: int,
    ms: Ms = usual,
    *,
    conditions: WatchConditions | None = None,
    routes: Sequence[str] = ("direct",),
    cap_ms: float = 120_000.0,
) -> Path:
    """Hourly rounds, a low and a medium image on each route in each; what takes longer than the cap is cut."""
    root.mkdir(parents=True, exist_ok=True)
    given = conditions or watch()
    cells = tuple(f"{route}/{quality}" for route in routes for quality in USD)
    write_json(root / WATCH_FILE, msgspec.structs.replace(given, cells=cells))
    dice, store = random.Random(7), Store(root)
    days: dict[str, tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]] = defaultdict(lambda: ([], []))
    for number in range(rounds):
        row = round_row(number, given.every_s, jobs=2 * len(routes))
        jobs = []
        for place, (route, quality) in enumerate((route, quality) for route in routes for quality in USD):
            took = ms(route, quality, number, dice)
            one = job(row.round_id, place, row.began_s + 5 * place, route=route, quality=quality,
                      cell=f"{route}/{quality}", cost_usd=USD[quality], final_image_ms=took)  # fmt: skip
            jobs.append(failed(one) if took is None else cut(one, cap_ms) if took > cap_ms else one)
        mine = days[day_of(row.began_s)]
        mine[0].append(msgspec.structs.astuple(row))
        mine[1].extend(rows_of(jobs))
    for day, (round_rows, job_rows) in days.items():
        store._write("jobs", day, "day", job_rows)
        store._write("rounds", day, "day", round_rows)
    return root
