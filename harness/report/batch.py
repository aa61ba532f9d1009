"""A batch: how long after it was begun its N-th image was here, in the order in which the run went."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.report.jobs import is_in, numbers

BATCH_COLUMNS = frozenset({"request_started_at"})
"""Columns that `time_of_image` needs beyond those of a lean reading."""


@dataclass(frozen=True)
class BatchTime:
    """`at_ms` the moment of the image, else `beyond_ms` what it is larger than, in ms of the measured world."""

    at_ms: float | None
    beyond_ms: float | None
    jobs: int
    why: str


def time_of_image(jobs: pd.DataFrame, number: int) -> BatchTime:
    """When the `number`-th image of these jobs was here, since the first of them was started.

    An image is here at its job's start plus `final_image_ms`; a job's images count as here together, with the last of
    them. Starts are of the wall clock and are scaled to the measured world. Order, pauses between blocks, retries and
    other jobs that the run made in between are in it, as they were. Jobs without the image that was asked for give
    none, and their time passes all the same. A run that was stopped and gone on with has the pause in it.
    """
    if "request_started_at" not in jobs.columns:
        return BatchTime(None, None, len(jobs), "the starts of the jobs were not read")
    moments = pd.to_datetime(jobs["request_started_at"].astype(object), utc=True, format="ISO8601", errors="coerce")
    if moments.isna().any():
        return BatchTime(None, None, len(jobs), "a job has no start")
    since = (moments - moments.min()).dt.total_seconds().to_numpy(dtype=np.float64) * 1000
    began = since * numbers(jobs, "time_scale")
    final, images = numbers(jobs, "final_image_ms"), numbers(jobs, "image_count")
    came = is_in(jobs, "outcome", ("image",)) & ~np.isnan(final) & (images > 0)
    here = (began + final)[came]
    order = np.argsort(here, kind="stable")
    counted = np.cumsum(images[came][order])
    made = int(counted[-1]) if counted.size else 0
    if made >= number:
        at = float(here[order][int(np.searchsorted(counted, number))])
        return BatchTime(at, None, len(jobs), f"image {number} of {made} that came, of {len(jobs)} jobs")
    ended = began + np.nan_to_num(numbers(jobs, "total_ms"))
    beyond = float(ended.max()) if len(jobs) else None
    return BatchTime(None, beyond, len(jobs), f"only {made} of {number} images came, of {len(jobs)} jobs")
