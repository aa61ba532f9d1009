"""A run from its folder, or from a journal alone. Nothing is ever written."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from harness.api.run import Run
from harness.conditions import CONDITIONS_FILE, EVENTS_FILE, read_conditions
from harness.diagnosis.judge import bare_conditions, judge, judge_run
from harness.diagnosis.model import DIAGNOSIS_FILE, Diagnosis, read_diagnosis
from harness.diagnosis.verdicts import Verdicts
from harness.errors import UsageProblem
from harness.frame import load_frame
from harness.journal_lines import BadLine, read_link_checks


def load_run(path: str | os.PathLike[str]) -> Run:
    """Read a run into a `Run`; see there for what can be asked of it.

    Args:
        path: the folder that ``harness run`` wrote; or a journal (``events.jsonl``). A journal in its run's folder
            stands for the run. One by itself knows nothing of chains, plans and objectives.

    The diagnosis is the one in the folder (``harness diagnose``). Where there is none, or it was made before the last
    job was, the jobs are judged here in memory, and `Run.diagnosed` says so. Needs no key and no network, and writes
    nothing.

    Raises:
        UsageProblem: there is no run, or a file of it cannot be read; the message says which, and what to do.
    """
    given = Path(path)
    if given.is_dir():
        return _of_folder(given)
    if not given.exists():
        raise UsageProblem(f"{given}: there is no such run; give a directory that `harness run` wrote")
    if given.name == EVENTS_FILE and (given.parent / CONDITIONS_FILE).exists():
        return _of_folder(given.parent)
    return _of_journal(given)


def _of_folder(folder: Path) -> Run:
    conditions = read_conditions(folder)
    frame, bad_lines = _frame(folder / EVENTS_FILE)
    stored = _stored(folder, frame)
    diagnosis, verdicts = stored or judge_run(folder, conditions, frame, len(bad_lines))
    return Run(
        path=folder,
        conditions=conditions,
        diagnosis=diagnosis,
        diagnosed="before" if stored else "now",
        planned=conditions.planned_jobs,
        bad_lines=tuple(bad_lines),
        _frame=frame,
        _verdicts=verdicts,
        _link_checks=tuple(read_link_checks(folder / EVENTS_FILE)),
    )


def _of_journal(journal: Path) -> Run:
    frame, bad_lines = _frame(journal)
    conditions = bare_conditions(frame)
    diagnosis, verdicts = judge(frame, conditions, unreadable_lines=len(bad_lines))
    return Run(
        path=journal,
        conditions=conditions,
        diagnosis=diagnosis,
        diagnosed="now",
        planned=None,
        bad_lines=tuple(bad_lines),
        _frame=frame,
        _verdicts=verdicts,
        _link_checks=tuple(read_link_checks(journal)),
    )


def _frame(journal: Path) -> tuple[pd.DataFrame, list[BadLine]]:
    frame, bad_lines = load_frame(journal)
    if frame.empty and bad_lines:
        first = bad_lines[0]
        raise UsageProblem(
            f"{journal}:{first.line}: {first.reason}, nor is any other line a job; "
            f"give a run's folder or the {EVENTS_FILE} in it"
        )
    return frame, bad_lines


def _stored(folder: Path, frame: pd.DataFrame) -> tuple[Diagnosis, Verdicts] | None:
    """The diagnosis in the folder; None where there is none, or a job has come since."""
    if not (folder / DIAGNOSIS_FILE).exists():
        return None
    diagnosis, found = read_diagnosis(folder)
    verdicts = Verdicts.of(found)
    return (diagnosis, verdicts) if frame["job_id"].isin(verdicts.table["job_id"]).all() else None
