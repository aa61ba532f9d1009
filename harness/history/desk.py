"""A history that is being written: takes a round in, judges the whole, and says how it stands."""

from __future__ import annotations

import fcntl
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import msgspec
import pandas as pd

from harness.errors import UsageProblem
from harness.history.alerts import newly, update
from harness.history.baseline import CLOCK
from harness.history.change import charts, first_round
from harness.history.judging import curve_of, estimate, success_of, usd_per_image
from harness.history.model import (
    ALERTS_FILE,
    WATCH_FILE,
    AlertState,
    CellFigures,
    FreshJob,
    RoundRow,
    Standing,
    WatchConditions,
    read_watch,
    write_json,
)
from harness.history.rows import JOB_COLUMNS, job_rows, link_rows
from harness.history.rules import AT_ONCE, findings
from harness.history.store import Store, day_of

LOCK_FILE = ".lock"
FIGURES_S = 86_400.0  # of this machine: what the figures of cells look at
WINDOW_S = 7 * 86_400.0  # how old a job may be that an objective is judged by; it takes the newest, as many as it needs


class Desk:
    """One writer per history. Use as a context manager."""

    def __init__(self, root: Path, watch: WatchConditions) -> None:
        self.root, self.watch = root, watch
        self.store = Store(root)
        self.changed_scenario = False

    def __enter__(self) -> Self:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self._lock = (self.root / LOCK_FILE).open("w")
        except OSError as error:
            raise UsageProblem(f"{self.root}: cannot be written ({error.strerror}); give another --history") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise UsageProblem(
                f"{self.root}: another `harness watch` is at work here; rounds never overlap. "
                "Wait for it, or give another --history"
            ) from None
        try:
            self._join_earlier()
        except BaseException:
            self._lock.close()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._lock.close()

    def _join_earlier(self) -> None:
        mine = self.watch
        versions: tuple[str, ...] = ()
        if (self.root / WATCH_FILE).exists():
            before = read_watch(self.root)
            if before.scenario != mine.scenario:
                raise UsageProblem(
                    f"{self.root}: holds the history of {before.scenario}, not of {mine.scenario}; "
                    "give another --history"
                )
            if before.simulated != mine.simulated:
                kinds = ("an embedded API", "a real route")
                held, now = kinds if before.simulated else kinds[::-1]
                raise UsageProblem(
                    f"{self.root}: holds rounds of {held}, and these would be of {now}; times and money of the two "
                    "make no one history. Give another --history"
                )
            versions = before.versions
            self.changed_scenario = before.scenario_sha256 != mine.scenario_sha256
            mine = msgspec.structs.replace(mine, began_at=before.began_at)
        if mine.scenario_sha256 not in versions[-1:]:
            versions = (*versions, mine.scenario_sha256)
        self.watch = msgspec.structs.replace(mine, versions=versions)
        write_json(self.root / WATCH_FILE, self.watch)

    def rounds(self) -> list[RoundRow]:
        return self.store.rounds()

    def take(self, row: RoundRow, run_dir: Path | None) -> Standing:
        """Add a round with what its journal holds, and judge everything anew.

        Raises:
            HarnessError: the history cannot be written.
        """
        rows = job_rows(run_dir, row.round_id) if run_dir is not None else []
        links = link_rows(run_dir, row.round_id) if run_dir is not None else []
        row = msgspec.structs.replace(row, jobs=len(rows))
        self.store.append(row, rows, links)
        self.store.compact(day_of(row.began_s))
        return self.stand(row, rows)

    def stand(self, row: RoundRow, rows: list[tuple[Any, ...]]) -> Standing:
        """How things stand after the round `row`. Writes the alerts."""
        rounds = self.store.rounds()
        since = first_round(rounds)
        jobs, links = self.store.jobs(since), self.store.links(since)
        seen = [one for one in rounds if since is None or one.began_s >= since]
        window_s = row.ended_s - WINDOW_S
        at = datetime.fromtimestamp(row.ended_s).astimezone().isoformat(timespec="seconds")
        found = findings(self.watch, seen, jobs, links, charts(jobs, seen, self.watch), window_s)
        before = read_alerts(self.root)
        after = update(before, found, at, AT_ONCE)
        write_json(self.root / ALERTS_FILE, after)
        today = day_of(row.ended_s)
        return Standing(
            at=at,
            scenario=self.watch.scenario,
            every_s=self.watch.every_s / self.watch.time_scale,
            round=row,
            cells=cell_figures(
                jobs[(jobs["at_s"] >= row.ended_s - FIGURES_S).to_numpy(dtype=bool)] if len(jobs) else jobs
            ),
            alerts=after,
            fresh=tuple(_fresh(dict(zip(JOB_COLUMNS, one, strict=True))) for one in rows),
            resolved=tuple(newly(before, after)[1]),
            spent_today_usd=sum(one.spent_usd for one in rounds if day_of(one.began_s) == today),
            spent_total_usd=sum(one.spent_usd for one in rounds),
            unreadable=tuple(sorted(self.store.unreadable)),
        )


def read_alerts(root: Path) -> tuple[AlertState, ...]:
    """The alerts as the last round left them; none where there is no file, or one that cannot be read."""
    try:
        return msgspec.json.decode((root / ALERTS_FILE).read_bytes(), type=tuple[AlertState, ...])
    except (OSError, msgspec.MsgspecError):
        return ()


def cell_figures(jobs: pd.DataFrame) -> tuple[CellFigures, ...]:
    """Each cell's figures over these jobs."""
    found = []
    for cell, mine in jobs.groupby("cell", sort=False) if len(jobs) else ():
        curve = curve_of(mine, CLOCK)
        found.append(
            CellFigures(
                cell=str(cell),
                route=str(mine["route"].iloc[0]),
                quality=str(mine["quality"].iloc[0] or ""),
                jobs=len(mine),
                p50_ms=estimate(curve.quantile(0.5)),
                p95_ms=estimate(curve.quantile(0.95)),
                success=success_of(mine),
                usd_per_image=usd_per_image(mine),
            )
        )
    return tuple(found)


def _fresh(job: Mapping[str, Any]) -> FreshJob:
    came, cut = job["final_image_ms"], bool(job["final_image_ms_cut"])
    return FreshJob(
        cell=job["cell"],
        route=job["route"],
        quality=job["quality"] or "",
        outcome=job["outcome"],
        rate_limited=job["rate_limited"],
        cost_usd=job["cost_usd"],
        images=job["images"],
        final_image_ms=None if cut else came,
        cut=cut,
    )
