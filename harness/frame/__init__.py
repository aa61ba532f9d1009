"""Events as columns: the one place where the reading half turns ``events.jsonl`` into a data frame.

One row a job, in the order of the journal. Columns are

* every flat field of `JobEvent` under its own name (`LEFT_OUT` says which are not, and why),
* ``mark_*`` the marks of the last attempt, in ms since the job's start, under the names that `Marks` gives them,
* a few facts of the last attempt (``cap``, ``body_kind``, ``header_server`` …) and sums over all attempts,
* ``usage_*`` and ``image_*``, what the answer said and what it held.

Numbers that may be missing are float64 with NaN; numbers that never are, int64; words with few values are categories;
ids and the like are objects with None. ``reply_headers``, ``reply_request_id``, ``client_request_id`` and ``other_ids``
are there for jobs that brought no image or met a rate limit; the first and the last of them are JSON text (`parsed`),
and so is ``mark_partial_images``, when each partial image was whole.

Callers take columns and never ask for event objects, so that this reader can change how it reads.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from harness.errors import UsageProblem
from harness.events import JobEvent, to_line
from harness.frame.scan import NotAllEvents, scan
from harness.frame.schema import LEFT_OUT, UNREAD
from harness.journal_lines import BadLine, iter_events

__all__ = ["LEFT_OUT", "UNREAD", "frame_of", "load_frame", "parsed"]


def load_frame(
    path: Path, *, lean: bool = False, also: frozenset[str] = frozenset()
) -> tuple[pd.DataFrame, list[BadLine]]:
    """Read a journal into columns; lines that are not events come back beside them, never silently dropped.

    `lean` leaves out what neither rules nor reports look at (`UNREAD`, but for those in `also`): it would cost time and
    memory.

    Raises:
        UsageProblem: the file cannot be read.
    """
    try:
        bad: list[BadLine] = []
        try:
            frame = scan(path, without=UNREAD - also if lean else frozenset())
        except NotAllEvents:
            frame = _without_bad_lines(path, bad)
        return _once(frame), bad
    except OSError as error:
        raise UsageProblem(f"{path}: cannot be read ({error.strerror or type(error).__name__})") from None


def _once(frame: pd.DataFrame) -> pd.DataFrame:
    """A row a job. One that was sent again on request has two events: the later one is its outcome, and what nobody saw
    of the earlier one may have been billed as well."""
    doubled = frame["job_id"].duplicated(keep="last")
    if not doubled.any():
        return frame
    kept = frame[~doubled].reset_index(drop=True)
    unseen = frame[doubled & frame["outcome"].isin(["unknown", "cancelled"])]
    if unseen.empty:
        return kept
    before = unseen.groupby("job_id", sort=False)
    usd = kept["job_id"].map(before["cost_usd"].agg(lambda costs: costs.sum(skipna=False)))
    again = usd.index[kept["job_id"].isin(unseen["job_id"])]
    kept.loc[again, "cost_usd"] += usd[again]
    kept.loc[again, "earlier_attempts_usd"] = kept.loc[again, "earlier_attempts_usd"].fillna(0.0) + usd[again]
    orders = kept["job_id"].map(before["earlier_orders"].sum() + before.size())
    kept.loc[again, "earlier_orders"] += orders[again].astype("int64")
    return kept


def frame_of(events: Iterable[JobEvent]) -> pd.DataFrame:
    """The same columns from events in hand. No events give the same columns with no rows."""
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as lines:
        lines.writelines(to_line(event) for event in events)
        lines.flush()
        return scan(Path(lines.name))


def parsed(text: object) -> Any:
    """What a column of JSON text holds; nothing for nothing."""
    return msgspec.json.decode(text) if isinstance(text, str) else None


def _without_bad_lines(path: Path, bad: list[BadLine]) -> pd.DataFrame:
    """Set aside, one by one, the lines that are no events, and read the others."""

    def good() -> Iterable[JobEvent]:
        for number, result in iter_events(path):
            if isinstance(result, JobEvent):
                yield result
            else:
                bad.append(BadLine(line=number, reason=result))

    return frame_of(good())
