"""What a packet is made from: the files of a run directory, read once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.conditions import EVENTS_FILE, RunConditions, read_conditions
from harness.diagnosis.model import Diagnosis, JobVerdict, read_diagnosis
from harness.errors import UsageProblem
from harness.events import JobEvent
from harness.journal_lines import read_events
from harness.shrinking.model import ShrinkRecord, read_record


@dataclass(frozen=True)
class RunInputs:
    """The conditions, the events in the journal's order (one a job, the last line wins) and what was diagnosed."""

    conditions: RunConditions
    events: tuple[JobEvent, ...]
    diagnosis: Diagnosis
    verdicts: dict[str, JobVerdict]
    shrunk: ShrinkRecord | None = None  # of one of its jobs


def read_inputs(run_dir: Path) -> RunInputs:
    """Read a run directory that was diagnosed.

    Raises:
        UsageProblem: a file is missing or not ours, or the journal holds no job.
    """
    conditions = read_conditions(run_dir)
    diagnosis, verdicts = read_diagnosis(run_dir)
    try:
        events, _ = read_events(run_dir / EVENTS_FILE)
    except FileNotFoundError:
        raise UsageProblem(f"{run_dir}: no {EVENTS_FILE} here; give a directory that `harness run` wrote") from None
    by_job = {event.job_id: event for event in events}
    if not by_job:
        raise UsageProblem(f"{run_dir}: {EVENTS_FILE} holds no job, so there is nothing to escalate")
    said = {one.job_id: one for one in verdicts}
    return RunInputs(conditions, tuple(by_job.values()), diagnosis, said, read_record(run_dir))
