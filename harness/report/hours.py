"""A run by hour of the local day: a provider that is slow in its busy hours, or a link that is, shows here."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd

from harness.conditions import RunConditions
from harness.report.jobs import (
    NOT_JUDGED,
    FloatArray,
    Shapes,
    clock_curve,
    clock_times,
    estimate,
    in_order,
    is_in,
    none_if_nan,
    positions_by,
    word,
)
from harness.report.maps_model import HourRow, HourView
from harness.stats import Curve, survival

HOUR_COLUMN = "started_hour"
_LEAST_HOURS = 3  # two are touched by any run that passes a full hour
_COLUMNS = ("cell", "route", "quality", "outcome", "http_status", "stream", "final_image_ms", "verdict_censored_at_ms")


def hours(frame: pd.DataFrame, conditions: RunConditions, shapes: Shapes) -> HourView | None:
    """Null unless jobs were started in three hours or more, and null in a world with a clock of its own: its seconds
    are not those of our day."""
    if conditions.time_scale != 1:
        return None
    begun = _hour_starts(frame[HOUR_COLUMN])
    known = np.array([at is not None for at in begun], dtype=np.bool_)
    moments = [at for at in begun if at is not None]
    if len({(at.date(), at.hour) for at in moments}) < _LEAST_HOURS:
        return None
    jobs = frame.loc[known, list(_COLUMNS)].reset_index(drop=True)
    jobs["hour"] = [at.hour for at in moments]
    days = np.array([at.date().toordinal() for at in moments])
    medians = _against_cell(jobs)
    qualities = sorted({none_if_nan(value) for value in jobs["quality"].unique()}, key=lambda q: in_order("quality", q))
    rows = []
    for members in positions_by(jobs, ["route", "hour"]).values():
        here = jobs.iloc[members]
        judged = ~is_in(here, "outcome", NOT_JUDGED)
        rows.append(
            HourRow(
                route=str(here["route"].iloc[0]),
                hour=int(here["hour"].iloc[0]),
                days=len(set(days[members].tolist())),
                jobs=len(here),
                judged=int(judged.sum()),
                failed=int((judged & ~is_in(here, "outcome", ("image",))).sum()),
                against_cell_p50_ratio=estimate(_curve(here, medians[members]).quantile(0.5)),
                final_image_p50_ms=tuple(
                    estimate(clock_curve(_of_quality(here, quality), "final_image_ms").quantile(0.5))
                    for quality in qualities
                ),
            )
        )
    return HourView(
        offsets=tuple(sorted({_offset(at) for at in moments if at.tzinfo})),
        qualities=tuple(word("quality", quality) or "no quality given" for quality in qualities),
        rows=tuple(sorted(rows, key=lambda row: (shapes.routes.index(row.route), row.hour))),
    )


def _hour_starts(words: pd.Series) -> list[datetime | None]:
    """When each job's hour began, in its own local time; null where the journal does not say it readably."""
    read: dict[object, datetime | None] = {}
    for text in words.dropna().unique():
        try:
            read[text] = datetime.fromisoformat(str(text))
        except ValueError:
            read[text] = None
    return [read.get(word) for word in words.astype(object)]


def _offset(at: datetime) -> str:
    return at.strftime("UTC%z")[:6] + ":" + at.strftime("%z")[3:5]


def _against_cell(jobs: pd.DataFrame) -> FloatArray:
    """What to divide each job's time by: the median of its cell over the whole run; nan where that is not estimable.

    An hour that happened to get more of the slow requests is not a slow hour."""
    medians = np.full(len(jobs), np.nan)
    for members in positions_by(jobs, ["cell"]).values():
        median = clock_curve(jobs.iloc[members], "final_image_ms").quantile(0.5).value
        medians[members] = median or np.nan
    return medians


def _curve(jobs: pd.DataFrame, medians: FloatArray) -> Curve:
    times, censored, counts = clock_times(jobs, "final_image_ms")
    counts = counts & ~np.isnan(medians)
    return survival(times[counts] / medians[counts], censored[counts])


def _of_quality(jobs: pd.DataFrame, quality: object) -> pd.DataFrame:
    return jobs[jobs["quality"].isna() if quality is None else jobs["quality"] == quality]
