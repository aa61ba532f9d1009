"""Events as columns: the one place where the reading half turns ``events.jsonl`` into a data frame.

One row a job, in the order of the journal. Columns are

* every flat field of `JobEvent` under its own name (`LEFT_OUT` says which are not, and why),
* ``mark_*`` the marks of the last attempt, in ms since the job's start, under the names that `Marks` gives them,
* a few facts of the last attempt (``cap``, ``body_kind``, ``header_server`` …) and sums over all attempts,
* ``usage_*`` and ``image_*``, what the answer said and what it held.

Numbers that may be missing are float64 with NaN; numbers that never are, int64; words with few values are categories.
Callers take columns and never ask for event objects, so that this reader can change how it reads.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np
import pandas as pd

from harness.errors import UsageProblem
from harness.events import Attempt, BadLine, JobEvent, Marks, iter_events

LEFT_OUT: dict[str, str] = {
    "prompt_text": "a prompt has no business in figures",
    "images": "summed up in image_*",
    "usage": "spread out as usage_*",
    "notes": "joined in notes",
    "attempts": "the last one is spread out, all of them are counted",
}
"""Fields of `JobEvent` that are not a column of that name and kind, and why."""

# Nearly every row has its own value: a category would only cost.
_MANY_VALUES = frozenset({"job_id", "request_id", "request_started_at", "prompt_hash"})
_NAN = float("nan")

_STATUS_TOO_MANY_REQUESTS = 429


class _Column(Protocol):
    def append(self, value: Any) -> None: ...

    def values(self) -> Any: ...


class _Numbers:
    """Floats with NaN, eight bytes each while reading; int64 in the end where no value can be missing."""

    def __init__(self, *, whole: bool) -> None:
        self._data = array("d")
        self._whole = whole

    def append(self, value: float | None) -> None:
        self._data.append(_NAN if value is None else value)

    def values(self) -> Any:
        floats = np.array(self._data, dtype=np.float64)
        return floats.astype(np.int64) if self._whole else floats


class _Flags:
    def __init__(self) -> None:
        self._data = array("b")

    def append(self, value: bool) -> None:
        self._data.append(value)

    def values(self) -> Any:
        return np.array(self._data, dtype=np.bool_)


class _Words:
    """Words of a small vocabulary, kept as codes. Categories stand in the order in which they first came."""

    def __init__(self) -> None:
        self._codes = array("i")
        self._known: dict[str, int] = {}

    def append(self, value: str | None) -> None:
        self._codes.append(-1 if value is None else self._known.setdefault(value, len(self._known)))

    def values(self) -> Any:
        categories = pd.Index(list(self._known), dtype=object)
        return pd.Categorical.from_codes(list(self._codes), categories=categories)


class _Objects:
    """Anything else: ids, times of day, tuples."""

    def __init__(self) -> None:
        self._data: list[Any] = []

    def append(self, value: Any) -> None:
        self._data.append(value)

    def values(self) -> Any:
        column = np.empty(len(self._data), dtype=object)
        column[:] = self._data
        return column


def _column_for(name: str, type_: msgspec.inspect.Type) -> _Column:
    members = type_.types if isinstance(type_, msgspec.inspect.UnionType) else (type_,)
    nullable = any(isinstance(member, msgspec.inspect.NoneType) for member in members)
    if any(isinstance(member, msgspec.inspect.FloatType) for member in members):
        return _Numbers(whole=False)
    if any(isinstance(member, msgspec.inspect.IntType) for member in members):
        return _Numbers(whole=not nullable)
    if any(isinstance(member, msgspec.inspect.BoolType) for member in members):
        return _Flags()
    return _Objects() if name in _MANY_VALUES else _Words()


def _fields(struct: type[msgspec.Struct]) -> dict[str, msgspec.inspect.Type]:
    info = msgspec.inspect.type_info(struct)
    assert isinstance(info, msgspec.inspect.StructType)
    return {field.name: field.type for field in info.fields}


_JOB_FIELDS = {name: type_ for name, type_ in _fields(JobEvent).items() if name not in LEFT_OUT}
_MARKS = tuple(name for name in _fields(Marks) if name.endswith("_at_ms"))


def _ids(last: Attempt) -> tuple[str, ...]:
    """Every id by which another party may know this attempt: ours first, then the API's, then the hops'."""
    return tuple(dict.fromkeys(one for one in (last.client_request_id, last.request_id, *last.ids.values()) if one))


# Columns that take a computation; each function is given the job and its last attempt (None when nothing was tried).
_Derived = Callable[[JobEvent, "Attempt | None"], Any]
_DERIVED: dict[str, tuple[Callable[[], _Column], _Derived]] = {
    "mark_partial_images": (
        _Objects,
        lambda _, last: tuple(span.whole_at_ms for span in last.marks.partial_images) if last else (),
    ),
    "mark_final_first_byte_at_ms": (
        lambda: _Numbers(whole=False),
        lambda _, last: last.marks.final_images[-1].first_byte_at_ms if last and last.marks.final_images else None,
    ),
    "cap": (_Words, lambda _, last: last.cap if last else None),
    "cap_ms": (lambda: _Numbers(whole=False), lambda _, last: last.cap_ms if last else None),
    "failure": (_Words, lambda _, last: " < ".join(last.failure) if last and last.failure else None),
    "http_version": (_Words, lambda _, last: last.http_version if last else None),
    "body_kind": (_Words, lambda _, last: last.body_kind if last else None),
    "stamp_source": (_Words, lambda _, last: last.stamp_source if last else None),
    "connection_reused": (
        lambda: _Numbers(whole=False),
        lambda _, last: last.connection_reused if last else None,
    ),
    "header_server": (_Words, lambda _, last: last.headers.get("server") if last else None),
    "header_via": (_Words, lambda _, last: last.headers.get("via") if last else None),
    "reply_headers": (_Objects, lambda _, last: last.headers if last else {}),
    "ids": (_Objects, lambda _, last: _ids(last) if last else ()),
    "body_head": (_Words, lambda _, last: last.body_head if last else None),
    "error_message": (_Words, lambda _, last: last.error.message if last and last.error else None),
    "error_param": (_Words, lambda _, last: last.error.param if last and last.error else None),
    "moderation_stage": (_Words, lambda _, last: last.error.moderation_stage if last and last.error else None),
    "attempt_count": (lambda: _Numbers(whole=True), lambda job, _: len(job.attempts)),
    "rate_limited_attempts": (
        lambda: _Numbers(whole=True),
        lambda job, _: sum(attempt.http_status == _STATUS_TOO_MANY_REQUESTS for attempt in job.attempts),
    ),
    "attempt_statuses": (
        _Words,
        lambda job, _: " ".join(str(attempt.http_status or "-") for attempt in job.attempts),
    ),
    "image_count": (lambda: _Numbers(whole=True), lambda job, _: len(job.images)),
    "image_bytes": (
        lambda: _Numbers(whole=False),
        lambda job, _: sum(image.image_bytes for image in job.images) if job.images else None,
    ),
    "image_problems": (
        _Words,
        lambda job, _: "; ".join(problem for image in job.images for problem in image.problems) or None,
    ),
    "usage_total_tokens": (lambda: _Numbers(whole=False), lambda job, _: job.usage.total_tokens if job.usage else None),
    "usage_input_tokens": (lambda: _Numbers(whole=False), lambda job, _: job.usage.input_tokens if job.usage else None),
    "usage_output_tokens": (
        lambda: _Numbers(whole=False),
        lambda job, _: job.usage.output_tokens if job.usage else None,
    ),
    "notes": (_Words, lambda job, _: "; ".join(job.notes) or None),
}


def load_frame(path: Path) -> tuple[pd.DataFrame, list[BadLine]]:
    """Read a journal into columns; lines that are not events come back beside them, never silently dropped.

    Raises:
        UsageProblem: the file cannot be read.
    """
    bad: list[BadLine] = []

    def good() -> Iterable[JobEvent]:
        for number, result in iter_events(path):
            if isinstance(result, JobEvent):
                yield result
            else:
                bad.append(BadLine(line=number, reason=result))

    try:
        frame = frame_of(good())
        # A job that was sent again on request has two events; the later one is its outcome.
        return frame.drop_duplicates("job_id", keep="last", ignore_index=True), bad
    except OSError as error:
        raise UsageProblem(f"{path}: cannot be read ({error.strerror or type(error).__name__})") from None


def frame_of(events: Iterable[JobEvent]) -> pd.DataFrame:
    """The same columns from events in hand. No events give the same columns with no rows."""
    flat = {name: _column_for(name, type_) for name, type_ in _JOB_FIELDS.items()}
    marks = {name: _Numbers(whole=False) for name in _MARKS}
    derived = {name: make() for name, (make, _) in _DERIVED.items()}
    flat_appends = [(name, column.append) for name, column in flat.items()]
    mark_appends = [(name, column.append) for name, column in marks.items()]
    derived_appends = [(_DERIVED[name][1], column.append) for name, column in derived.items()]
    for event in events:
        last = event.attempts[-1] if event.attempts else None
        for name, append in flat_appends:
            append(getattr(event, name))
        for name, append in mark_appends:
            append(getattr(last.marks, name) if last else None)
        for compute, append in derived_appends:
            append(compute(event, last))
    columns = {name: column.values() for name, column in flat.items()}
    columns |= {f"mark_{name}": column.values() for name, column in marks.items()}
    columns |= {name: column.values() for name, column in derived.items()}
    return pd.DataFrame(columns)
