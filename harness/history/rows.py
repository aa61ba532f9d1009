"""A run's journal → what the history keeps of each job: its cell, its outcome, its clocks with their cuts, its cost."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from harness.conditions import EVENTS_FILE
from harness.events import JobEvent, LinkCheck
from harness.history.model import CHOSEN_BY, CLOCKS
from harness.journal_lines import iter_events, read_link_checks
from harness.observed import observed

NOT_JUDGED = frozenset({"cancelled", "unknown"})  # neither success nor failure of the other side

# column → DuckDB's type. A clock has its value and whether it was cut there; null is no observation.
JOB_COLUMNS: dict[str, str] = {
    "round_id": "VARCHAR",
    "job_id": "VARCHAR",
    "at_s": "DOUBLE",
    "hour": "INTEGER",  # of the local day, 0 to 23
    "weekday": "INTEGER",  # Monday is 0
    "model": "VARCHAR",
    "route_kind": "VARCHAR",
    **dict.fromkeys(CHOSEN_BY, "VARCHAR"),
    "outcome": "VARCHAR",
    "judged": "BOOLEAN",
    "good": "BOOLEAN",
    "http_status": "INTEGER",
    "rate_limited": "BOOLEAN",
    "images": "INTEGER",
    "cost_usd": "DOUBLE",
    **{name: kind for clock in CLOCKS for name, kind in ((clock, "DOUBLE"), (f"{clock}_cut", "BOOLEAN"))},
}
LINK_COLUMNS: dict[str, str] = {
    "round_id": "VARCHAR",
    "job_id": "VARCHAR",
    "link": "INTEGER",
    "route": "VARCHAR",
    "at_s": "DOUBLE",
    "due_s": "DOUBLE",
    "age_s": "DOUBLE",
    "alive": "BOOLEAN",
    "http_status": "INTEGER",
}


def job_rows(run_dir: Path, round_id: str) -> list[tuple[Any, ...]]:
    """A row for each job that the run's journal knows the end of, under `JOB_COLUMNS`. Torn lines are passed over."""
    latest: dict[str, JobEvent] = {}
    if (run_dir / EVENTS_FILE).exists():
        for _, event in iter_events(run_dir / EVENTS_FILE):
            if isinstance(event, JobEvent):
                latest[event.job_id] = event
    return [_row(event, round_id) for event in latest.values()]


def link_rows(run_dir: Path, round_id: str) -> list[tuple[Any, ...]]:
    """A row for each later look at a result link of that run."""
    if not (run_dir / EVENTS_FILE).exists():
        return []
    return [_link(check, round_id) for check in read_link_checks(run_dir / EVENTS_FILE)]


def _row(event: JobEvent, round_id: str) -> tuple[Any, ...]:
    began = datetime.fromisoformat(event.request_started_at)
    clocks: list[Any] = []
    for clock in CLOCKS:
        seen = observed(event, clock)
        clocks += [None, None] if seen is None else [seen[0], seen[1] != seen[0]]
    return (
        round_id,
        event.job_id,
        began.timestamp(),
        began.hour,
        began.weekday(),
        event.model,
        event.route_kind,
        *(word(getattr(event, name)) for name in CHOSEN_BY),
        event.outcome,
        event.outcome not in NOT_JUDGED,
        event.outcome == "image",
        event.http_status,
        any(one.http_status == 429 for one in event.attempts) or event.http_status == 429,
        len(event.images),
        event.cost_usd,
        *clocks,
    )


def _link(check: LinkCheck, round_id: str) -> tuple[Any, ...]:
    at = datetime.fromisoformat(check.checked_at).timestamp()
    return (
        round_id, check.job_id, check.link, check.route, at, check.due_s, check.age_s, check.alive, check.http_status,
    )  # fmt: skip


def word(value: object) -> str | None:
    """A field's value as a selector writes it."""
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)
