"""What is usual at an hour of the day and on a day of the week, cell by cell; and how the days went."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec
import numpy as np
import pandas as pd

from harness.estimate import Estimate
from harness.history.judging import curve_of, estimate, success_of, usd_per_image
from harness.stats import survival

CLOCK = "final_image_ms"
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LEAST_DAYS = 3  # on which an hour or a weekday was seen before it is called usual


class Usual(msgspec.Struct, frozen=True, kw_only=True):
    """One hour or weekday of one route. `against_cell_p50_ratio`: times over the median of their own cell, so that an
    hour with more of the slow requests is not a slow hour."""

    route: str
    place: int  # the hour, 0 to 23, or the weekday, Monday 0
    days: int
    jobs: int
    success: Estimate
    against_cell_p50_ratio: Estimate
    usual: bool  # seen on enough days


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """One stretch of time of one cell. Clocks in ms, `success` a share, cost in USD per image."""

    began_s: float
    jobs: int
    cut: int
    p50_ms: Estimate
    p95_ms: Estimate
    success: Estimate
    usd_per_image: Estimate


def hours(jobs: pd.DataFrame) -> tuple[Usual, ...]:
    """By hour of the local day, in which each job was started."""
    return tuple(_usual(jobs, "hour"))


def weekdays(jobs: pd.DataFrame) -> tuple[Usual, ...]:
    """By day of the week, likewise."""
    return tuple(_usual(jobs, "weekday"))


def _usual(jobs: pd.DataFrame, name: str) -> Iterator[Usual]:
    if not len(jobs):
        return
    medians = {
        cell: curve_of(mine, CLOCK).quantile(0.5).value for cell, mine in jobs.groupby("cell", sort=False)
    }  # null where too many were cut to tell
    scaled = jobs.assign(day=_local_day(jobs), own=jobs["cell"].map(lambda cell: medians[cell] or np.nan))
    for keys, mine in scaled.groupby(["route", name], sort=True):
        route, place = keys
        seen = mine[mine[CLOCK].notna() & mine["own"].notna()]
        ratios = seen[CLOCK].to_numpy(dtype=np.float64) / seen["own"].to_numpy(dtype=np.float64)
        days = int(mine["day"].nunique())
        yield Usual(
            route=str(route),
            place=int(str(place)),
            days=days,
            jobs=len(mine),
            success=success_of(mine),
            against_cell_p50_ratio=estimate(survival(ratios, seen[f"{CLOCK}_cut"].to_numpy(dtype=bool)).quantile(0.5)),
            usual=days >= LEAST_DAYS,
        )


def _local_day(jobs: pd.DataFrame) -> np.ndarray:
    """A number for each local day: a Monday of Berlin or Shanghai lies on two days of UTC, and is one."""
    at_s = jobs["at_s"].to_numpy(dtype=np.float64)
    ahead = (jobs["hour"].to_numpy(dtype=np.float64) - np.floor(at_s / 3600) % 24 + 11) % 24 - 11  # hours, -11 to 12
    return np.asarray(np.floor(at_s / 86_400 + ahead / 24))


def periods(jobs: pd.DataFrame, length_s: float) -> tuple[Period, ...]:
    """The jobs of one cell by stretches of that length, oldest first; a stretch without jobs is not there."""
    starts = np.floor(jobs["at_s"].to_numpy(dtype=np.float64) / length_s) * length_s
    return tuple(_period(float(began), jobs[starts == began]) for began in np.unique(starts))


def _period(began_s: float, mine: pd.DataFrame) -> Period:
    curve = curve_of(mine, CLOCK)
    quantile: Callable[[float], Estimate] = lambda p: estimate(curve.quantile(p))  # noqa: E731
    return Period(
        began_s=began_s,
        jobs=len(mine),
        cut=curve.censored,
        p50_ms=quantile(0.5),
        p95_ms=quantile(0.95),
        success=success_of(mine),
        usd_per_image=usd_per_image(mine),
    )


def length_of_periods(span_s: float, most: int = 60) -> float:
    """A stretch that people think in, so that at most `most` of them span that time."""
    choices: Sequence[float] = (300, 900, 3600, 3 * 3600, 6 * 3600, 86_400, 7 * 86_400)
    return next((one for one in choices if span_s / one <= most), choices[-1])
