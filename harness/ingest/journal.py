"""Our own journals among other people's logs: the client's side of a job as it measured itself.

For joining, a job is a record like any other. What is written in the end is the event itself, with the words of the
hops' logs added: nothing that we measured is told by a poorer record.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd

from harness.errors import UsageProblem
from harness.events import JobEvent, to_line
from harness.frame import frame_of
from harness.ingest.sightings import Batch, Setback, complete
from harness.journal_lines import iter_events

_SAME = (
    "route", "model", "quality", "size", "output_format", "n", "prompt_hash", "prompt_chars", "error_type",
    "error_code", "failure", "bytes_up", "bytes_down", "cost_usd", "server_ms", "request_id",
)  # fmt: skip


def journal_of(path: Path) -> Path | None:
    """The journal that this path is, or holds; null for anything else."""
    if path.is_dir():
        return path / "events.jsonl" if (path / "events.jsonl").exists() else None
    if path.suffix != ".jsonl" or not path.is_file():
        return None
    with path.open("rb") as lines:
        return path if b'"event":"image_job"' in lines.readline(65_536).replace(b": ", b":") else None


def read(path: Path) -> Batch:
    """Jobs of a journal as the client's records. The last attempt is the record.

    Raises:
        UsageProblem: its world ran at another speed than the logs' clocks.
    """
    found = [(number, event) for number, event in iter_events(path)]
    events = [(number, event) for number, event in found if isinstance(event, JobEvent)]
    setbacks = tuple(Setback(number, event) for number, event in found if isinstance(event, str))
    if any(event.time_scale != 1 for _, event in events):
        raise UsageProblem(
            f"{path.name}: its simulated world ran faster than the clock, so no log's times can be held against it; "
            "give the backend's record with --backend-log instead"
        )
    frame = frame_of(event for _, event in events)
    began = pd.to_datetime(frame["request_started_at"], utc=True, errors="coerce", format="ISO8601")
    own = [("self", event.attempts[-1].cap) if event.ended == "local_cap" and event.attempts else (None, None)
           for _, event in events]  # fmt: skip
    columns = {
        "line": np.array([number for number, _ in events], dtype=np.float64),
        "started_at_s": (began - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1),
        "started_step_s": np.full(len(events), 0.001),
        "duration_ms": frame["mark_ended_at_ms"],
        "request_sent_at_ms": frame["mark_request_sent_at_ms"],
        "first_byte_at_ms": frame["mark_first_byte_at_ms"],
        "final_image_at_ms": frame["final_image_ms"],
        "status": frame["http_status"],
        "gave_up": [gave_up for gave_up, _ in own],
        "gave_up_word": [cap for _, cap in own],
        "client_request_id": [event.attempts[-1].client_request_id if event.attempts else None for _, event in events],
        "stream": frame["stream"].astype(float),
        **{name: frame[name] for name in _SAME},
    }
    table = complete(columns, rows=len(events), side="client", writer="harness")
    return Batch("harness journal", table, setbacks, len(setbacks))


def restore(events: Path, journals: Mapping[int, Path]) -> None:
    """Put our own events back where they tell their job. `journals`: number of the file → journal.

    An event that was written from a journal's record is called ``<file>:<line>`` (files from 1); its `log_words` are
    kept, everything else is the journal's own.
    """
    if not journals:
        return
    originals = {
        f"{number + 1}:{line}": event
        for number, path in journals.items()
        for line, event in iter_events(path)
        if isinstance(event, JobEvent)
    }
    fresh = events.with_suffix(".jsonl.tmp")
    with fresh.open("wb") as lines:
        for _, written in iter_events(events):
            assert isinstance(written, JobEvent)
            lines.write(to_line(_worded(originals.get(written.job_id), written)))
    fresh.replace(events)


def _worded(original: JobEvent | None, written: JobEvent) -> JobEvent:
    if original is None or not original.attempts:
        return original or written
    last = msgspec.structs.replace(original.attempts[-1], log_words=written.attempts[-1].log_words)
    return msgspec.structs.replace(original, attempts=(*original.attempts[:-1], last))
