"""A history read whole: what `harness trend` shows, as plain data. Pages and texts render this and nothing else."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import pandas as pd

from harness.history.baseline import Period, Usual, hours, length_of_periods, periods, weekdays
from harness.history.change import CellChart, charts, false_alarm_words
from harness.history.desk import cell_figures, read_alerts
from harness.history.judging import curve_of
from harness.history.model import AlertState, CellFigures, RoundRow, WatchConditions, read_watch
from harness.history.store import Store
from harness.stats.cusum import Over

CLOCK = "final_image_ms"


class ChangeSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A change of level of one cell. Levels are medians of rounds, null where too many were cut to tell."""

    cell: str
    direction: Literal["slower", "faster"]
    since_s: float  # when it seems to have begun
    alarm_s: float  # and when there was enough to say so
    ended_s: float | None
    over: Over | None
    before_ms: float | None
    after_ms: float | None


class CellTrend(CellFigures, frozen=True, kw_only=True):
    """One cell over the whole time that is shown."""

    cut: int
    rate_limited: int
    periods: tuple[Period, ...]
    changes: tuple[ChangeSeen, ...]


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the page says. Hours and weekdays are empty in a world with a clock of its own."""

    schema_version: int = 1
    made_s: float
    watch: WatchConditions
    began_s: float | None
    ended_s: float | None
    rounds: dict[str, int]  # by status
    missed: int
    jobs: int
    spent_usd: float
    period_s: float
    cells: tuple[CellTrend, ...]
    hours: tuple[Usual, ...]
    weekdays: tuple[Usual, ...]
    alerts: tuple[AlertState, ...]
    failed: tuple[RoundRow, ...]  # the newest rounds that did not come to their end
    detection: str
    unreadable: dict[str, str]

    @property
    def firing(self) -> list[AlertState]:
        return [one for one in self.alerts if one.state == "firing"]

    @property
    def changes(self) -> list[ChangeSeen]:
        return sorted((one for cell in self.cells for one in cell.changes), key=lambda one: one.since_s)


def read_trend(history: Path, since_s: float | None = None, now_s: float | None = None) -> Trend:
    """Read a history, from a moment on or whole.

    Raises:
        UsageProblem: the directory holds none.
    """
    watch = read_watch(history)
    store = Store(history)
    rounds = store.rounds(since_s)
    jobs = store.jobs(since_s)
    jobs = jobs[jobs["round_id"].isin([one.round_id for one in rounds])]
    drawn = {chart.cell: chart for chart in charts(jobs, rounds, watch)} if len(jobs) else {}
    span_s = rounds[-1].ended_s - rounds[0].began_s if rounds else 0.0
    period_s = length_of_periods(span_s)
    own_clock = watch.time_scale != 1
    return Trend(
        made_s=time.time() if now_s is None else now_s,
        watch=watch,
        began_s=rounds[0].began_s if rounds else None,
        ended_s=rounds[-1].ended_s if rounds else None,
        rounds=dict(Counter(one.status for one in rounds)),
        missed=sum(one.missed for one in rounds),
        jobs=len(jobs),
        spent_usd=sum(one.spent_usd for one in rounds),
        period_s=period_s,
        cells=tuple(_cells(jobs, drawn, period_s)),
        hours=() if own_clock else hours(jobs),
        weekdays=() if own_clock else weekdays(jobs),
        alerts=read_alerts(history),
        failed=tuple([one for one in rounds if one.status != "complete"][-10:]),
        detection=false_alarm_words(watch),
        unreadable=dict(store.unreadable),
    )


def _cells(jobs: pd.DataFrame, drawn: dict[str, CellChart], period_s: float) -> list[CellTrend]:
    found = []
    for cell, mine in jobs.groupby("cell", sort=True) if len(jobs) else ():
        (figures,) = cell_figures(mine)
        found.append(
            CellTrend(
                **msgspec.structs.asdict(figures),
                cut=curve_of(mine, CLOCK).censored,
                rate_limited=int(np.count_nonzero(mine["rate_limited"].to_numpy(dtype=bool))),
                periods=periods(mine, period_s),
                changes=_changes(drawn[str(cell)]) if str(cell) in drawn else (),
            )
        )
    return found


def _changes(chart: CellChart) -> tuple[ChangeSeen, ...]:
    found = []
    starts: Sequence[int] = [0, *((one.ended or one.alarm) + 1 for one in chart.followed.changes)]
    for start, one in zip(starts, chart.followed.changes, strict=False):
        last = len(chart.values) if one.ended is None else one.ended + 1
        found.append(
            ChangeSeen(
                cell=chart.cell,
                direction="slower" if one.direction == "up" else "faster",
                since_s=chart.at_s[one.since],
                alarm_s=chart.at_s[one.alarm],
                ended_s=None if one.ended is None else chart.at_s[one.ended],
                over=one.over,
                before_ms=chart.level_ms(min(start, one.since), one.since),
                after_ms=chart.level_ms(one.since, last),
            )
        )
    return tuple(found)
