"""The verdicts of a run as columns, with words beside them where somebody will read them.

A verdict and what it is about are columns for every job. Evidence is sentences, and sentences for a million jobs are
read by nobody: up to `EXPLAIN_ALL` jobs each has its own, above that those that a finding gives as examples do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

import msgspec
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


_SHARED = tuple(name for name in COLUMNS if name != "censored_at_ms")
_ID, _MOMENT = "the-id-goes-here", 4.25e-300
_encoder = msgspec.json.Encoder()


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

    def lines(self) -> Iterator[bytes]:
        """Each as a JSON line. Without words they differ in their id and moment alone, and are written so."""
        alike = self.table.groupby(list(_SHARED), observed=True, dropna=False, sort=False).ngroup().to_numpy()
        forms: dict[int, tuple[bytes, bytes, bytes]] = {}
        ids, moments = self.table["job_id"].to_numpy(), self.table["censored_at_ms"].to_numpy()
        for at, (id, form, moment) in enumerate(zip(ids, alike.tolist(), moments.tolist(), strict=True)):
            if at in self.told:
                yield _encoder.encode(self.told[at]) + b"\n"
                continue
            if form not in forms:
                bare = msgspec.structs.replace(self._bare(at), job_id=_ID, censored_at_ms=_MOMENT)
                before, _, rest = _encoder.encode(bare).partition(_ID.encode())
                middle, _, after = rest.partition(repr(_MOMENT).encode())
                forms[form] = (before, middle, after + b"\n")
            before, middle, after = forms[form]
            known = b"null" if moment != moment else repr(moment).encode()
            # An id is quoted by the encoder: it may hold anything.
            yield b"".join((before[:-1], _encoder.encode(id), middle[1:], known, after))

    def _bare(self, at: int) -> JobVerdict:
        row = self.table.iloc[at]
        return JobVerdict(job_id=row["job_id"], **{name: plain(row[name]) for name in COLUMNS})


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


def plain(value: Any) -> Any:
    """What a column holds, as Python has it; None where it holds nothing."""
    if isinstance(value, np.generic):
        value = value.item()
    return None if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)) else value
