"""Audits over a run: one verdict a job, findings, a headline and one decision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np
import pandas as pd

from harness.conditions import BACKEND_FILE, EVENTS_FILE, Host, RouteConditions, RunConditions, read_conditions
from harness.diagnosis.audit import Audit
from harness.diagnosis.case import Case
from harness.diagnosis.decision import decide
from harness.diagnosis.headline import answer, headline
from harness.diagnosis.model import Diagnosis, EvidenceRow, Finding, Grade, JobVerdict, write_diagnosis
from harness.diagnosis.registry import AUDITS
from harness.events import JobEvent, from_line
from harness.frame import frame_of, load_frame
from harness.ingest.backend import BackendLog, read_backend_log

EXAMPLES = 5
GRADES: tuple[Grade, ...] = ("proven", "attributed", "inferred", "undetermined")


def diagnose_run(run_dir: Path, backend_log: Path | None = None) -> tuple[Diagnosis, list[JobVerdict]]:
    """Diagnose a run's directory and write ``diagnosis.json`` and ``verdicts.jsonl`` there.

    `backend_log` is the other side's own record; without it, one that lies in the directory is used.

    Raises:
        UsageProblem: the directory holds no run.
    """
    conditions = read_conditions(run_dir)
    jobs, bad_lines = load_frame(run_dir / EVENTS_FILE)
    beside = run_dir / BACKEND_FILE
    source = backend_log or (beside if beside.exists() else None)
    backend = read_backend_log(source) if source is not None else None
    diagnosis, verdicts = judge(jobs, conditions, backend, unreadable_lines=len(bad_lines))
    write_diagnosis(run_dir, diagnosis, verdicts)
    return diagnosis, verdicts


def diagnose_events(lines: BinaryIO, backend_log: Path | None = None) -> tuple[Diagnosis, list[JobVerdict]]:
    """Diagnose events without their run: nothing is known of chains and of which route is the direct one."""
    events: list[JobEvent] = []
    unreadable = 0
    for line in lines:
        if line.strip():
            try:
                events.append(from_line(line))
            except msgspec.MsgspecError:
                unreadable += 1
    backend = read_backend_log(backend_log) if backend_log is not None else None
    return judge(frame_of(events), _bare_conditions(events), backend, unreadable_lines=unreadable)


def _bare_conditions(events: Sequence[JobEvent]) -> RunConditions:
    routes = {
        event.route: RouteConditions(name=event.route, kind=event.route_kind, owner=event.route_owner)
        for event in events
    }
    return RunConditions(
        run_id=events[0].run_id if events else "none",
        scenario="",
        why="",
        scenario_sha256="",
        seed=0,
        started_at=events[0].request_started_at if events else "",
        timezone="",
        planned_jobs=len(events),
        blocks=max((event.block for event in events), default=0),
        routes=tuple(routes.values()),
        host=Host(python="", platform="", cpus=0, openai_sdk="", harness=""),
    )


def judge(
    jobs: pd.DataFrame,
    conditions: RunConditions,
    backend: BackendLog | None = None,
    *,
    unreadable_lines: int = 0,
) -> tuple[Diagnosis, list[JobVerdict]]:
    """Verdicts for every job, in the order of `jobs`, and the run's diagnosis. No I/O."""
    case = Case(jobs, conditions, backend)
    by_audit = _assign(case)
    verdicts = _verdicts(case, by_audit)
    counts = Counter(str(verdict.verdict) for verdict in verdicts)
    findings = tuple(finding for audit in AUDITS for finding in _findings(case, audit, by_audit, verdicts))
    name = headline(counts, len(jobs))
    # What names the run comes first, then what holds, then what was looked for and not found.
    findings = tuple(sorted(findings, key=lambda one: (one.verdict != name, one.verdict is None)))
    return (
        Diagnosis(
            run_id=conditions.run_id,
            headline=name,
            answer=answer(name, case, verdicts, findings),
            conclusive=bool(len(jobs)) and counts["undetermined"] * 2 <= len(jobs),
            counts=dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))),
            findings=findings,
            decision=decide(name, case, verdicts),
            unreadable_lines=unreadable_lines,
            backend_records=backend.records if backend is not None else 0,
        ),
        verdicts,
    )


def _assign(case: Case) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Index of the audit that each job falls to; −1 for none, which is ok."""
    assigned = np.full(len(case.jobs), -1, dtype=np.int64)
    if not len(case.jobs):
        return assigned
    for number, audit in enumerate(AUDITS):
        if audit.applies(case):
            assigned[(assigned == -1) & audit.where(case)] = number
    return assigned


def _verdicts(case: Case, by_audit: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[JobVerdict]:
    verdicts: list[JobVerdict] = []
    ids = case.jobs["job_id"].tolist()
    for index, number in enumerate(by_audit.tolist()):
        if number == -1:
            verdicts.append(JobVerdict(job_id=ids[index], verdict="ok"))
        else:
            verdicts.append(AUDITS[number].explain(case, index, case.row(index)))
    return verdicts


def _findings(
    case: Case,
    audit: Audit,
    by_audit: np.ndarray[tuple[int], np.dtype[np.int64]],
    verdicts: list[JobVerdict],
) -> list[Finding]:
    """One finding for every route on which the audit holds; one that says so where it holds nowhere."""
    if not audit.applies(case) or not len(case.jobs):
        return [Finding(id=audit.verdict, title=audit.title_clear, state="not_applicable")]
    rows = np.flatnonzero(by_audit == AUDITS.index(audit))
    if not len(rows):
        return [Finding(id=audit.verdict, title=audit.title_clear, state="does_not_hold", of_jobs=len(case.jobs))]
    routes = case.jobs["route"].astype(str).to_numpy()
    clock = np.nan_to_num(case.number("total_ms"))
    findings = []
    for route in dict.fromkeys(routes[rows].tolist()):
        here = [int(row) for row in rows if routes[row] == route]
        worst_first = sorted(here, key=lambda row: -clock[row])
        told = [verdicts[row] for row in here]
        grades = Counter(verdict.grade for verdict in told if verdict.grade is not None)
        layers = Counter(verdict.layer for verdict in told if verdict.layer is not None)
        findings.append(
            Finding(
                id=f"{audit.verdict}@{route}",
                title=audit.title_holds,
                state="inconclusive" if audit.verdict == "undetermined" else "holds",
                verdict=audit.verdict,
                route=route,
                jobs=len(here),
                of_jobs=int((routes == route).sum()),
                grade=next((grade for grade in GRADES if grades[grade]), None),
                layer=layers.most_common(1)[0][0] if layers else None,
                evidence=_evidence(told, verdicts[worst_first[0]], grades),
                next_step=audit.next_step,
                job_ids=tuple(verdicts[row].job_id for row in worst_first[:EXAMPLES]),
            )
        )
    return findings


def _evidence(told: list[JobVerdict], worst: JobVerdict, grades: Counter[Grade]) -> tuple[EvidenceRow, ...]:
    """How the jobs are graded, how many the backend finished, and the worst job's own evidence as the example."""
    rows: list[EvidenceRow] = []
    if grades:
        spread = ", ".join(f"{grades[grade]} {grade}" for grade in GRADES if grades[grade])
        rows.append(EvidenceRow(fact=f"grade of evidence: {spread}", points="context"))
    finished = sum(verdict.backend_finished is True for verdict in told)
    if finished:
        rows.append(
            EvidenceRow(fact=f"the backend's own record: {finished} of these {len(told)} images were made anyway")
        )
    return (*rows, *worst.evidence)
