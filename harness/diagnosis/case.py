"""What the audits look at: the jobs as columns, the conditions of the run, and the other side's log if there is one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.conditions import RouteConditions, RunConditions
from harness.diagnosis.attribution import Attributions, attribute
from harness.diagnosis.catalog import Layer, load_catalog
from harness.diagnosis.route_gap import RouteGap, route_gaps
from harness.ingest.backend import BackendLog

Mask = NDArray[np.bool_]

ANSWERED = ("image", "wrong_image")


@dataclass(frozen=True)
class Case:
    """One run, as evidence. Columns are those of `harness.frame`."""

    jobs: pd.DataFrame
    conditions: RunConditions
    backend: BackendLog | None = None
    catalog: tuple[Layer, ...] = field(default_factory=load_catalog)

    def is_in(self, column: str, *values: object) -> Mask:
        """Rows whose `column` is one of `values`."""
        return np.asarray(self.jobs[column].isin(values), dtype=bool)

    def number(self, column: str) -> NDArray[np.float64]:
        """A numeric column as floats; NaN where there is nothing."""
        return self.jobs[column].to_numpy(dtype=np.float64)

    def matches(self, column: str, pattern: str) -> Mask:
        """Rows whose text matches, without case; rows without text do not."""
        searched = re.compile(pattern, re.IGNORECASE)
        codes, texts = pd.factorize(self.jobs[column])  # each text once, however many jobs say it
        found = np.array([searched.search(str(text)) is not None for text in texts] + [False], dtype=bool)
        return np.asarray(found[codes], dtype=bool)

    def refused_with(self, *statuses: int) -> Mask:
        """Rows that were refused with such a status, be it HTTP's own or a code inside of an HTTP success."""
        inside = self.is_in("error_code", *map(str, statuses)) & ~(self.number("http_status") >= 400)
        return self.is_in("outcome", "error") & (self.is_in("http_status", *statuses) | inside)

    @cached_property
    def answered(self) -> Mask:
        """An image came, be it the right one or not."""
        return self.is_in("outcome", *ANSWERED)

    @cached_property
    def routes(self) -> dict[str, RouteConditions]:
        """Declared routes by name."""
        return {route.name: route for route in self.conditions.routes}

    @cached_property
    def upstream_calls(self) -> dict[int, int]:
        """By row number: how often the other side was called for a job, where its record counts more than one.

        Looked for where a gateway named itself, and where a job brought no image.
        """
        if self.backend is None or not self.backend.counts_calls:
            return {}
        counted: dict[int, int] = {}
        for row, ids in enumerate(zip(self.jobs["client_request_id"], self.jobs["reply_request_id"], strict=True)):
            record = self.backend.find(tuple(str(one) for one in ids if isinstance(one, str)))
            if record is not None and (record.upstream_calls or 1) > 1:
                counted[row] = record.upstream_calls or 1
        return counted

    @cached_property
    def upstream_repeated(self) -> Mask:
        """Rows for which the other side counted more than one call."""
        mask = np.zeros(len(self.jobs), dtype=bool)
        mask[list(self.upstream_calls)] = True
        return mask

    @cached_property
    def attributions(self) -> Attributions:
        """For every job that a layer may have cut: which layers fit, and why."""
        return attribute(self.jobs, self.conditions, self.backend, self.catalog)

    @cached_property
    def gaps(self) -> dict[str, RouteGap]:
        """For every route that can be compared: how much slower it is than the most direct one."""
        return route_gaps(self.jobs, self.conditions)

    def rows(self, indices: Sequence[int]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Row number and columns of these jobs, as plain values."""
        for index, row in zip(indices, self.jobs.iloc[list(indices)].to_dict("records"), strict=True):
            yield index, {str(name): _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    """numpy's scalars as Python's own: what is said of a job is written as JSON."""
    return value.item() if isinstance(value, np.generic) else value


def seconds(ms: float | None) -> str:
    """A duration for a person: ``60.2 s``; an em dash where there is none."""
    return "—" if ms is None or np.isnan(ms) else f"{ms / 1000:.1f} s"
