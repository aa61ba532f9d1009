"""The jobs of a run as columns, with their verdicts beside them, and which of them count for which clock."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from harness.conditions import RunConditions
from harness.diagnosis.model import JobVerdict
from harness.diagnosis.verdicts import COLUMNS, Verdicts
from harness.estimate import Estimate
from harness.stats import Curve, Quantile, survival

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
StringArray = npt.NDArray[np.object_]

DELIVERED = ("image", "wrong_image")  # outcomes whose clocks ran to their end
NOT_JUDGED = ("cancelled", "unknown")  # neither success nor failure of the other side

# What explains a verdict, and is in no figure.
NOT_REPORTED = frozenset(
    {
        "run_id", "route_kind", "route_owner", "ended", "request_id", "bytes_down",
        "cap_ms", "failure", "body_kind", "reply_headers", "reply_request_id", "client_request_id", "other_ids",
        "body_head", "error_message", "error_param", "moderation_stage", "image_problems", "notes",
        "mark_first_byte_at_ms", "mark_last_byte_at_ms", "mark_ended_at_ms",
    }
)  # fmt: skip

# Clocks that a cut job would have let run on: its value is known only to be larger.
WAITED_CLOCKS = frozenset(
    {
        "total_ms", "final_image_ms", "delivered_ms", "response_ms", "service_ms", "first_partial_image_ms",
        "first_event_ms", "first_byte_ms", "wait_ms",
    }
)  # fmt: skip
_EARLY_CLOCKS = frozenset({"first_partial_image_ms", "first_event_ms", "first_byte_ms", "wait_ms"})
_STREAM_CLOCKS = frozenset({"first_partial_image_ms", "first_event_ms"})

_QUALITY_ORDER = {"low": 0, "medium": 1, "high": 2}
_POOLED_PANELS = 8

# What a request can differ in, beside its route, in the order in which a label names it; and where it was made from.
_SHAPE = (
    "quality",
    "model",
    "size",
    "output_format",
    "output_compression",
    "n",
    "stream",
    "partial_images",
    "background",
    "moderation",
    "reference_images",
    "mask",
    "edit_form",
    "text_model",
    "region",
    "prompt_complexity",
)


def join_verdicts(
    frame: pd.DataFrame, verdicts: Sequence[JobVerdict], without: frozenset[str] = NOT_REPORTED
) -> pd.DataFrame:
    """The frame with one ``verdict_*`` column for each field of a verdict that the report needs, by ascending job.

    Columns in `without` are left out.
    """
    table = Verdicts.of(verdicts).table
    ordered = np.argsort(frame["job_id"].to_numpy(dtype=object), kind="stable")
    found = pd.Index(table["job_id"]).get_indexer(frame["job_id"].iloc[ordered])  # -1: nobody judged it
    # One column at a time: a copy of the whole beside the whole is more than a large run can afford.
    columns: dict[str, Any] = {
        str(name): frame[name].array.take(ordered) for name in frame.columns if name not in without
    }
    for name in COLUMNS:
        columns[f"verdict_{name}"] = table[name].array.take(found, allow_fill=True)
    joined = pd.DataFrame(columns, copy=False)
    delivered = is_in(joined, "outcome", DELIVERED)
    # An image that came was not cut, whatever the verdict says of it.
    joined.loc[delivered, "verdict_censored_at_ms"] = math.nan
    return joined


def positions_by(frame: pd.DataFrame, names: Sequence[str]) -> dict[int, IntArray]:
    """Row positions of each group of equal values, groups in the order in which they first come."""
    numbered = frame.groupby(list(names), observed=True, dropna=False, sort=False).ngroup().to_numpy()
    order = np.argsort(numbered, kind="stable")
    starts = np.flatnonzero(np.diff(numbered[order], prepend=-1))
    return {int(numbered[part[0]]): part for part in np.split(order, starts[1:]) if len(part)}


def numbers(frame: pd.DataFrame, name: str) -> FloatArray:
    return frame[name].to_numpy(dtype=np.float64)


def is_in(frame: pd.DataFrame, name: str, values: Sequence[str]) -> BoolArray:
    return frame[name].isin(list(values)).to_numpy(dtype=np.bool_)


def is_cut(frame: pd.DataFrame) -> BoolArray:
    return ~np.isnan(numbers(frame, "verdict_censored_at_ms"))


def none_if_nan(value: Any) -> Any:
    """What a column holds, as a plain Python value; null where it holds nothing."""
    if isinstance(value, np.generic):
        value = value.item()
    return None if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)) else value


def clock_times(frame: pd.DataFrame, metric: str) -> tuple[FloatArray, BoolArray, BoolArray]:
    """One clock of each of these jobs in ms, whether it was cut there, and whether the job counts for it at all.

    A job counts as observed when its image came. A cut job counts as censored at its cut, unless this clock had
    already stopped inside a success (the first event of a stream that was cut later). Refusals count not at all:
    a fast 401 is not a fast image. The three arrays are as long as the frame; take the first two where the third holds.
    """
    values = numbers(frame, metric)
    has_value = ~np.isnan(values)
    if metric not in WAITED_CLOCKS:
        return values, np.zeros(len(frame), dtype=np.bool_), has_value
    observed = has_value & is_in(frame, "outcome", DELIVERED)
    censored = is_cut(frame) & ~observed
    if metric in _EARLY_CLOCKS:
        status = numbers(frame, "http_status")
        stopped_before = censored & has_value & (status >= 200) & (status < 300)
        observed, censored = observed | stopped_before, censored & ~stopped_before
    if metric in _STREAM_CLOCKS:
        censored &= frame["stream"].to_numpy(dtype=np.bool_)
    cuts = numbers(frame, "verdict_censored_at_ms")
    if metric == "wait_ms":
        cuts = cuts - np.nan_to_num(numbers(frame, "mark_request_sent_at_ms"))
    if metric == "service_ms":
        cuts = cuts - np.nan_to_num(numbers(frame, "mark_started_at_ms"))
    if metric == "response_ms":
        cuts = cuts - numbers(frame, "scheduled_at_ms")  # before the job's start, so that this adds
        censored &= ~np.isnan(cuts)
    return np.where(observed, values, np.maximum(cuts, 0.0)), censored, observed | censored


def clock_curve(frame: pd.DataFrame, metric: str) -> Curve:
    """The curve of one clock over these jobs, with cut jobs censored where that clock would have run on."""
    times, censored, counts = clock_times(frame, metric)
    return survival(times[counts], censored[counts])


def estimate(found: Quantile, scale: float = 1.0) -> Estimate:
    """A quantile as plain data, divided by `scale`."""

    def scaled(value: float | None) -> float | None:
        return None if value is None else rounded(value / scale)

    return Estimate(
        value=scaled(found.value),
        low=scaled(found.low),
        high=scaled(found.high),
        n=found.n,
        censored=found.censored,
        thin=found.thin and found.n > 0,
        floor=found.floor,
        beyond=scaled(found.beyond),
    )


def rounded(value: float | None, digits: int = 3) -> float | None:
    """Rounded for the file: microseconds of a millisecond are noise, and noise makes diffs."""
    return None if value is None or math.isnan(value) else round(float(value), digits)


class Shapes:
    """What the jobs of a run asked for: which of it all share, and a short name for what differs."""

    def __init__(self, frame: pd.DataFrame, conditions: RunConditions) -> None:
        # A cell rotates through its prompts: what differs inside one cell is no part of what the cell is called.
        mixed = frame.groupby("cell", observed=True, sort=False)["prompt_complexity"].nunique()
        self._inside = ("prompt_complexity",) if bool((mixed > 1).any()) else ()
        present = {name: frame[name].dropna().unique() for name in _SHAPE}
        self.varying = [
            name for name in _SHAPE if len(present[name]) > 1 or (len(present[name]) == 1 and frame[name].isna().any())
        ]
        self.common: tuple[str, ...] = tuple(
            text
            for name in _SHAPE
            if name not in self.varying and len(present[name]) == 1 and (text := word(name, present[name][0]))
        )
        self._named = [
            name for name in _SHAPE if name == "quality" or (name in self.varying and name not in self._inside)
        ]
        self.routes: tuple[str, ...] = tuple(
            dict.fromkeys([*(route.name for route in conditions.routes), *sorted(frame["route"].dropna().unique())])
        )
        shape = frame.groupby(self._named, observed=True, dropna=False, sort=False).ngroup().to_numpy()
        kinds, first = np.unique(shape, return_index=True)
        keys = [tuple(frame[name].iloc[row] for name in self._named) for row in first]
        labels = {kind: self._label(key) for kind, key in zip(kinds.tolist(), keys, strict=True)}
        self.label: StringArray = np.array([labels[kind] for kind in kinds], dtype=object)[
            np.searchsorted(kinds, shape)
        ]
        self.rank: dict[str, tuple[Any, ...]] = {}
        for key in keys:
            self.rank.setdefault(self._label(key), self._rank(key))
        if len(self.rank) > _POOLED_PANELS and "quality" in self.varying:
            quality = frame["quality"].astype(object)
            self.panel: StringArray = (
                quality.where(quality.notna(), "no quality given").astype(str).to_numpy(dtype=object)
            )
            self.pooled: tuple[str, ...] = (*(name for name in self._named if name != "quality"), *self._inside)
            self.by_quality = True
        else:
            self.panel, self.pooled, self.by_quality = self.label, self._inside, False

    def name_of(self, route: str, axes: Sequence[str], values: Sequence[Any]) -> str:
        """A kind of request in words: its route, and what tells it apart on these axes."""
        words = [word(name, value) for name, value in zip(axes, values, strict=True)]
        return " · ".join([route, *(word for word in words if word)])

    def pooled_within(self, apart: Sequence[str]) -> tuple[str, ...]:
        """In what the jobs differ beside their route, when they are told apart by these axes."""
        return tuple(name for name in self.varying if name not in apart)

    def _label(self, key: tuple[Any, ...]) -> str:
        words = [word(name, value) for name, value in zip(self._named, key, strict=True)]
        return " · ".join(word for word in words if word) or "default request"

    def _rank(self, key: tuple[Any, ...]) -> tuple[Any, ...]:
        quality, *rest = key
        return (_QUALITY_ORDER.get(str(quality), 9), *(value_rank(value) for value in rest), str(quality))


def in_order(name: str, value: Any) -> tuple[Any, ...]:
    """Where a quality or a size stands in a row of them: low before high, few pixels before many."""
    value = none_if_nan(value)
    if name == "quality":
        return _QUALITY_ORDER.get(str(value), 9), str(value)
    sides = str(value).split("x")
    area = int(sides[0]) * int(sides[1]) if len(sides) == 2 and all(side.isdecimal() for side in sides) else math.inf
    return area, str(value)


def quality_rank(panel: str) -> tuple[int, str]:
    return _QUALITY_ORDER.get(panel, 9), panel


def value_rank(value: Any) -> tuple[float, str]:
    """The place of a value among others of its kind: what is not there, words, numbers."""
    value = none_if_nan(value)
    if value is None:
        return -1.0, ""
    return (0.0, value) if isinstance(value, str) else (float(value), "")


def word(name: str, value: Any) -> str:
    """One property of a request, short; empty for what goes without saying."""
    value = none_if_nan(value)
    if value is None:
        return ""
    if name == "size":
        return str(value).replace("x", "×")
    if name == "stream":
        return "stream" if value else ""
    if name == "mask":
        return "mask" if value else ""
    if name == "text_model":
        return f"after {value}"  # another job than a bare call, and never under the same label
    if name in ("background", "moderation", "region"):
        return f"{name} {value}"
    if name == "prompt_complexity":
        return f"{value} prompt"
    counted = {
        "output_compression": "compression {}",
        "n": "n {}",
        "partial_images": "partials {}",
        "reference_images": "references {}",
    }.get(name)
    if counted is None:
        return str(value)
    whole = int(value)
    goes_without_saying = (name == "n" and whole == 1) or (name == "reference_images" and whole == 0)
    return "" if goes_without_saying else counted.format(whole)
