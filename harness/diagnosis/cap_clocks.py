"""How long each job kept each kind of cap waiting: the times that a timeout budget is made of, cut jobs censored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.conditions import BACKEND_FILE, EVENTS_FILE, RunConditions, read_conditions
from harness.diagnosis.case import ANSWERED, Mask
from harness.diagnosis.judge import judge
from harness.diagnosis.verdicts import Verdicts
from harness.frame import load_frame
from harness.ingest.backend import read_backend_log

SHAPE = (
    "quality", "size", "output_format", "output_compression", "n", "stream", "partial_images", "background",
    "reference_images",
)  # fmt: skip
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Clock:
    """Seconds of each job, and which of them were cut then: their true value is larger."""

    times: Floats
    censored: Mask


@dataclass(frozen=True)
class Jobs:
    """A run's jobs with their verdicts, row by row."""

    conditions: RunConditions
    frame: pd.DataFrame
    verdicts: Verdicts

    def on(self, route: str) -> Mask:
        """The jobs of a route."""
        return np.asarray(self.frame["route"] == route, dtype=bool)

    def shapes(self) -> NDArray[np.int64]:
        """A number for each request shape, whatever its route."""
        names = [name for name in SHAPE if name in self.frame.columns]
        found = self.frame.groupby(names, observed=True, dropna=False, sort=False).ngroup()
        return np.asarray(found, dtype=np.int64)

    def clock(self, kind: str, where: Mask) -> Clock:
        """The clock of a kind of cap over some jobs. Refusals count not at all: a fast 401 is not a fast image."""
        answered = np.asarray(self.frame["outcome"].isin(ANSWERED), dtype=bool)
        cut_at = self.verdicts.table["censored_at_ms"].to_numpy(dtype=np.float64)
        cut = ~answered & ~np.isnan(cut_at)
        began, sent = self._number("mark_started_at_ms"), self._number("mark_request_sent_at_ms")
        if kind == "total":
            done, until = self._number("mark_last_byte_at_ms") - began, cut_at - began
        elif kind == "first_byte":
            done, until = self._number("mark_first_byte_at_ms") - sent, cut_at - sent
            status = self._number("http_status")
            # A success that was cut later had its first byte in time.
            had_it = cut & ~np.isnan(done) & (status >= 200) & (status < 300)
            answered, cut = answered | had_it, cut & ~had_it
        else:
            done = until = self._number("longest_silence_ms")
        times = np.where(answered, done, np.where(cut, until, np.nan)) / 1000
        kept = where & ~np.isnan(times)
        return Clock(np.maximum(times[kept], 0.0), cut[kept])

    def left_out(self, where: Mask) -> int:
        """Jobs that brought no image and were not cut by a cap: none of these clocks knows them."""
        answered = np.asarray(self.frame["outcome"].isin(ANSWERED), dtype=bool)
        uncut = self.verdicts.table["censored_at_ms"].isna().to_numpy(dtype=bool)
        return int(np.count_nonzero(where & ~answered & uncut))

    def _number(self, name: str) -> Floats:
        return self.frame[name].to_numpy(dtype=np.float64)


def load_jobs(run_dir: Path) -> Jobs:
    """A run's jobs, judged anew; nothing is written.

    Raises:
        UsageProblem: the directory holds no run.
    """
    conditions = read_conditions(run_dir)
    frame, bad = load_frame(run_dir / EVENTS_FILE, lean=True)
    beside = run_dir / BACKEND_FILE
    backend = read_backend_log(beside) if beside.exists() else None
    _, verdicts = judge(frame, conditions, backend, unreadable_lines=len(bad))
    return Jobs(conditions, frame, verdicts)
