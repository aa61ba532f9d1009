"""One run → one file. It is there whole, or not at all."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from harness.conditions import EVENTS_FILE
from harness.errors import UsageProblem
from harness.events import JobEvent
from harness.export import har, otlp
from harness.journal_lines import iter_events

SUFFIXES = {"parquet": ".parquet", "csv": ".csv", "har": ".har", "otlp": ".otlp.jsonl"}
FORMS = tuple(SUFFIXES)


@dataclass(frozen=True)
class Exported:
    """`out` null: standard output. `bad`: lines of the journal that are no events, and so are not in the file."""

    out: Path | None
    jobs: int
    bad: int


def export(run: Path, form: str, out: Path | None = None) -> Exported:
    """Write the events of a run (its folder, or its journal) in one of `FORMS`; beside the journal by default.

    Raises:
        UsageProblem: there is no journal, or the file cannot be written.
    """
    journal = run / EVENTS_FILE if run.is_dir() else run
    if not journal.is_file():
        raise UsageProblem(f"{run}: no {EVENTS_FILE} there; give the folder of a run")
    target = journal.with_name(f"events{SUFFIXES[form]}") if out is None else out
    to_stdout = str(target) == "-"
    place = None if to_stdout else target.parent
    try:
        # Beside its place, so that it can be put there in one step.
        with tempfile.TemporaryDirectory(prefix=".harness-", dir=place) as scratch:
            fresh = Path(scratch) / f"export{SUFFIXES[form]}"
            jobs, bad = _write(journal, form, fresh)
            if bad and not jobs:
                raise UsageProblem(
                    f"{journal}: no line of it is an event; give the folder of a run, or its {EVENTS_FILE}"
                )
            if to_stdout:
                with fresh.open("rb") as whole:
                    shutil.copyfileobj(whole, sys.stdout.buffer)
            else:
                fresh.replace(target)
    except BrokenPipeError:
        raise  # the reader of our standard output went away: that is its right
    except OSError as error:
        raise UsageProblem(f"{target}: cannot be written ({error.strerror or type(error).__name__})") from None
    return Exported(None if to_stdout else target, jobs, bad)


def _write(journal: Path, form: str, fresh: Path) -> tuple[int, int]:
    if form in ("parquet", "csv"):
        from harness.export.tables import write_table

        return write_table(journal, fresh, form)
    bad = [0]
    with fresh.open("wb") as lines:
        jobs = (_as_har if form == "har" else _as_otlp)(_events(journal, bad), lines)
    return jobs, bad[0]


def _events(journal: Path, bad: list[int]) -> Iterator[JobEvent]:
    """Events in their order; of a job that was sent again on request, the later. Counts what is none into `bad`."""
    last = {event.job_id: number for number, event in iter_events(journal) if isinstance(event, JobEvent)}
    for number, event in iter_events(journal):
        if not isinstance(event, JobEvent):
            bad[0] += 1
        elif last[event.job_id] == number:
            yield event


def _as_har(events: Iterator[JobEvent], lines: BinaryIO) -> int:
    jobs, began = 0, False
    lines.write(har.HEAD)
    for event in events:
        jobs += 1
        for entry in har.pieces(event):
            lines.write(har.BETWEEN + entry if began else entry)
            began = True
    lines.write(har.TAIL)
    return jobs


def _as_otlp(events: Iterator[JobEvent], lines: BinaryIO) -> int:
    jobs = 0
    spans: list[dict[str, object]] = []
    for event in events:
        jobs += 1
        spans += otlp.spans_of(event)
        if jobs % otlp.JOBS_A_LINE == 0:
            lines.write(otlp.line_of(spans))
            spans = []
    if spans or jobs == 0:
        lines.write(otlp.line_of(spans))
    return jobs
