"""Audits over a run: one verdict a job, findings, a headline and one decision."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from harness.conditions import (
    BACKEND_FILE,
    EVENTS_FILE,
    LAYERS_FILE,
    Host,
    RouteConditions,
    RunConditions,
    read_conditions,
)
from harness.diagnosis.audit import Audit, Rows
from harness.diagnosis.case import Case
from harness.diagnosis.catalog import Layer, load_catalog
from harness.diagnosis.culprit import culprit
from harness.diagnosis.decision import decide
from harness.diagnosis.headline import answer, headline
from harness.diagnosis.model import Diagnosis, EvidenceRow, Finding, Grade, JobVerdict, write_diagnosis
from harness.diagnosis.registry import AUDITS
from harness.diagnosis.verdicts import COLUMNS, EXPLAIN_ALL, Verdicts, as_table
from harness.errors import UsageProblem
from harness.frame import load_frame
from harness.ingest.backend import BackendLog, read_backend_log

EXAMPLES = 5
GRADES: tuple[Grade, ...] = ("proven", "attributed", "inferred", "undetermined")


def diagnose_run(
    run_dir: Path, backend_log: Path | None = None, layers: Sequence[Path] = ()
) -> tuple[Diagnosis, Verdicts]:
    """Diagnose a run's directory and write ``diagnosis.json`` and ``verdicts.jsonl`` there.

    `backend_log` is the other side's own record; without it, one that lies in the directory is used. `layers` are files
    of further layers, beside those that the run's own scenario named.

    Raises:
        UsageProblem: the directory holds no run.
    """
    conditions = read_conditions(run_dir)
    jobs, bad_lines = load_frame(run_dir / EVENTS_FILE, lean=True)
    diagnosis, verdicts = judge_run(run_dir, conditions, jobs, len(bad_lines), backend_log, layers)
    write_diagnosis(run_dir, diagnosis, verdicts.lines())
    return diagnosis, verdicts


def judge_run(
    run_dir: Path,
    conditions: RunConditions,
    jobs: pd.DataFrame,
    unreadable_lines: int,
    backend_log: Path | None = None,
    layers: Sequence[Path] = (),
) -> tuple[Diagnosis, Verdicts]:
    """Judge a run that has been read, with what else lies in its directory. Nothing is written."""
    beside = run_dir / BACKEND_FILE
    source = backend_log or (beside if beside.exists() else None)
    backend = read_backend_log(source) if source is not None else None
    own = [run_dir / LAYERS_FILE] if (run_dir / LAYERS_FILE).exists() else []
    catalog = load_catalog((*layers, *own))
    return judge(jobs, conditions, backend, unreadable_lines=unreadable_lines, catalog=catalog)


def diagnose_events(
    lines: BinaryIO, backend_log: Path | None = None, layers: Sequence[Path] = ()
) -> tuple[Diagnosis, Verdicts]:
    """Diagnose events without their run: nothing is known of chains and of which route is the direct one."""
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as copy:
        shutil.copyfileobj(lines, copy)
        copy.flush()
        jobs, bad_lines = load_frame(Path(copy.name))
    if bad_lines and not len(jobs):
        raise UsageProblem(
            "standard input: no line of it is an event of ours; of a log say with --log-format what it is, or give "
            "its file"
        )
    backend = read_backend_log(backend_log) if backend_log is not None else None
    catalog = load_catalog(tuple(layers))
    return judge(jobs, bare_conditions(jobs), backend, unreadable_lines=len(bad_lines), catalog=catalog)


def bare_conditions(jobs: pd.DataFrame) -> RunConditions:
    """What events alone say of their run: its routes, and no chains."""
    routes = jobs[["route", "route_kind", "route_owner"]].astype(object).drop_duplicates("route")
    first = jobs.iloc[0] if len(jobs) else None
    return RunConditions(
        run_id="none" if first is None else str(first["run_id"]),
        scenario="",
        why="",
        scenario_sha256="",
        seed=0,
        started_at="" if first is None else str(first["request_started_at"]),
        timezone="",
        planned_jobs=len(jobs),
        blocks=int(jobs["block"].max()) if len(jobs) else 0,
        routes=tuple(
            RouteConditions(name=name, kind=kind, owner=owner)
            for name, kind, owner in routes.itertuples(index=False, name=None)
        ),
        host=Host(python="", platform="", cpus=0, openai_sdk="", harness=""),
    )


def judge(
    jobs: pd.DataFrame,
    conditions: RunConditions,
    backend: BackendLog | None = None,
    *,
    unreadable_lines: int = 0,
    catalog: tuple[Layer, ...] | None = None,
) -> tuple[Diagnosis, Verdicts]:
    """Verdicts for every job, in the order of `jobs`, and the run's diagnosis. No I/O but for the shipped catalog."""
    case = Case(jobs, conditions, backend, load_catalog() if catalog is None else catalog)
    by_audit = _assign(case)
    verdicts = Verdicts(_table(case, by_audit), {})
    if len(jobs) <= EXPLAIN_ALL:
        _explain(case, by_audit, verdicts, np.flatnonzero(by_audit >= 0).tolist())
    counted = verdicts.table["verdict"].value_counts()
    counts = {str(name): int(count) for name, count in counted.items() if count}
    findings = tuple(finding for audit in AUDITS for finding in _findings(case, audit, by_audit, verdicts))
    failed = ~case.is_in("outcome", "cancelled", "unknown")
    unexplained = int((failed & (verdicts.table["verdict"] == "undetermined").to_numpy(dtype=bool)).sum())
    name = headline(counts, len(jobs), unexplained)
    most = culprit(case, verdicts) if name == "false_timeout" else None
    # What names the run comes first, then what holds, then what was looked for and not found.
    findings = tuple(sorted(findings, key=lambda one: (one.verdict != name, one.verdict is None)))
    return (
        Diagnosis(
            run_id=conditions.run_id,
            headline=name,
            answer=answer(name, case, verdicts, findings, most),
            conclusive=bool(len(jobs)) and counts.get("undetermined", 0) * 2 <= len(jobs),
            counts=dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))),
            findings=findings,
            decision=decide(name, case, verdicts, most),
            unreadable_lines=unreadable_lines,
            backend_records=backend.records if backend is not None else 0,
            explained_jobs=None if len(jobs) <= EXPLAIN_ALL else len(verdicts.told),
        ),
        verdicts,
    )


def _assign(case: Case) -> Rows:
    """Index of the audit that each job falls to; −1 for none, which is ok."""
    assigned = np.full(len(case.jobs), -1, dtype=np.int64)
    if not len(case.jobs):
        return assigned
    for number, audit in enumerate(AUDITS):
        if audit.applies(case):
            assigned[(assigned == -1) & audit.where(case)] = number
    return assigned


def _table(case: Case, by_audit: Rows) -> pd.DataFrame:
    """The columns of the verdicts."""
    names = np.array(["ok", *(audit.verdict for audit in AUDITS)], dtype=object)
    columns: dict[str, Any] = {name: np.full(len(by_audit), None, dtype=object) for name in COLUMNS}
    for name in ("cap_s", "censored_at_ms"):
        columns[name] = np.full(len(by_audit), np.nan)
    columns |= {"job_id": case.jobs["job_id"], "verdict": names[by_audit + 1]}
    for number, audit in enumerate(AUDITS):
        rows = np.flatnonzero(by_audit == number)
        for name, values in audit.details(case, rows).items() if len(rows) else ():
            columns[name][rows] = values
    return as_table(columns)


def _explain(case: Case, by_audit: Rows, verdicts: Verdicts, rows: Sequence[int]) -> None:
    """Find the words for these jobs."""
    wanted = [row for row in rows if row not in verdicts.told]
    for row, columns in case.rows(wanted):
        verdicts.told[row] = AUDITS[by_audit[row]].explain(case, row, columns)


def _findings(case: Case, audit: Audit, by_audit: Rows, verdicts: Verdicts) -> list[Finding]:
    """One finding for every route on which the audit holds; one that says so where it holds nowhere."""
    if not audit.applies(case) or not len(case.jobs):
        return [Finding(id=audit.verdict, title=audit.title_clear, state="not_applicable")]
    rows = np.flatnonzero(by_audit == AUDITS.index(audit))
    if not len(rows):
        return [Finding(id=audit.verdict, title=audit.title_clear, state="does_not_hold", of_jobs=len(case.jobs))]
    routes, names = pd.factorize(case.jobs["route"])
    clock = np.nan_to_num(case.number("total_ms"))
    findings = []
    for route in pd.unique(routes[rows]).tolist():
        here = rows[routes[rows] == route]
        worst = here[np.argsort(-clock[here], kind="stable")[:EXAMPLES]].tolist()
        _explain(case, by_audit, verdicts, worst)
        table = verdicts.table.iloc[here]
        grades = Counter({str(grade): int(count) for grade, count in table["grade"].value_counts().items() if count})
        layers = table["layer"].value_counts()
        layer = str(layers.index[0]) if len(layers) and layers.iloc[0] else None
        # Beside a layer stands how well it is shown itself, and not how well another one is.
        of_layer = set(table["grade"] if layer is None else table["grade"][table["layer"] == layer])
        name = str(names[route])
        findings.append(
            Finding(
                id=f"{audit.verdict}@{name}",
                title=audit.title_holds,
                state="inconclusive" if audit.verdict == "undetermined" else "holds",
                verdict=audit.verdict,
                route=name,
                jobs=len(here),
                of_jobs=int((routes == route).sum()),
                grade=next((grade for grade in GRADES if grade in of_layer), None),
                layer=layer,
                evidence=_evidence(table, verdicts[worst[0]], grades),
                next_step=audit.next_step,
                job_ids=tuple(case.jobs["job_id"].iloc[worst]),
            )
        )
    return findings


def _evidence(table: pd.DataFrame, worst: JobVerdict, grades: Counter[str]) -> tuple[EvidenceRow, ...]:
    """How the jobs are graded, how many the backend finished, and the worst job's own evidence as the example."""
    rows: list[EvidenceRow] = []
    if grades:
        spread = ", ".join(f"{grades[grade]} {grade}" for grade in GRADES if grades[grade])
        rows.append(EvidenceRow(fact=f"grade of evidence: {spread}", points="context"))
    finished = int((table["backend_finished"] == True).sum())  # noqa: E712 - None is neither
    if finished:
        rows.append(
            EvidenceRow(fact=f"the backend's own record: {finished} of these {len(table)} images were made anyway")
        )
    return (*rows, *worst.evidence)
