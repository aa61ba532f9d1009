"""The verdicts of a run as columns, with words beside them where somebody will read them.

A verdict and what it is about are columns for every job. Evidence is sentences, and sentences for a million jobs are
read by nobody: up to `EXPLAIN_ALL` jobs each has its own, above that those that a finding gives as examples do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
import pandas as pd

from harness.diagnosis.model import JobVerdict

EXPLAIN_ALL = 20_000

COLUMNS = (
    "verdict",
    "grade",
    "layer",
    "product",
    "setting",
    "cap_s",
    "cap_kind",
    "backend_finished",
    "censored_at_ms",
)


class Verdicts(Sequence[JobVerdict]):
    """One verdict a job, in the order of the jobs. `table` has ``job_id`` and `COLUMNS`; `told` those with words."""

    def __init__(self, table: pd.DataFrame, told: dict[int, JobVerdict]) -> None:
        self.table = table
        self.told = told

    @classmethod
    def of(cls, verdicts: Sequence[JobVerdict]) -> Verdicts:
        """Columns from records in hand."""
        if isinstance(verdicts, Verdicts):
            return verdicts
        columns: dict[str, Any] = {
            name: pd.Series([getattr(one, name) for one in verdicts], dtype=object) for name in ("job_id", *COLUMNS)
        }
        return cls(as_table(columns), dict(enumerate(verdicts)))

    def __len__(self) -> int:
        return len(self.table)

    @overload
    def __getitem__(self, index: int) -> JobVerdict: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[JobVerdict]: ...

    def __getitem__(self, index: int | slice) -> JobVerdict | Sequence[JobVerdict]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        at = index + len(self) if index < 0 else index
        if not 0 <= at < len(self):
            raise IndexError(index)
        return self.told.get(at) or self._bare(at)

    def __iter__(self) -> Iterator[JobVerdict]:
        return (self[at] for at in range(len(self)))

    def _bare(self, at: int) -> JobVerdict:
        row = self.table.iloc[at]
        return JobVerdict(job_id=row["job_id"], **{name: _plain(row[name]) for name in COLUMNS})


def as_table(columns: dict[str, Any]) -> pd.DataFrame:
    """Columns of `COLUMNS` and ``job_id`` as a frame of fixed kinds."""
    table = {"job_id": columns["job_id"]}
    for name in COLUMNS:
        if name in ("cap_s", "censored_at_ms"):
            table[name] = np.asarray(columns[name], dtype=np.float64)
        elif name == "backend_finished":
            table[name] = pd.Series(columns[name], dtype=object)
        else:
            table[name] = pd.Categorical(columns[name])
    return pd.DataFrame(table)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    return None if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)) else value
