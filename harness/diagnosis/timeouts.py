"""False timeouts: a layer gave up while the upstream was still working or had finished."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.diagnosis.audit import Audit, Row, Rows, none_of
from harness.diagnosis.case import Case, Mask
from harness.diagnosis.model import EvidenceRow, JobVerdict


def _where(case: Case) -> Mask:
    mask = none_of(case)
    mask[case.attributions.gave_up()] = True
    return mask


def _explain(case: Case, index: int, row: Row) -> JobVerdict:
    found = case.attributions.by_row[index]
    return JobVerdict(
        job_id=row["job_id"],
        verdict="false_timeout",
        grade=found.grade,
        layer=found.layer,
        product=found.product,
        setting=found.setting,
        cap_s=found.cap_s,
        cap_kind=found.cap_kind,
        backend_finished=found.backend_finished,
        censored_at_ms=found.cut_at_ms,
        evidence=found.evidence,
        excluded=found.excluded,
        settle=found.settle,
    )


def _left_over(case: Case) -> Mask:
    """Cuts and gateway errors that nothing ties to a layer, and jobs whose end nobody saw."""
    mask = none_of(case)
    mask[[row for row, found in case.attributions.by_row.items() if found.grade == "undetermined"]] = True
    return mask | ~case.answered


def _explain_left_over(case: Case, index: int, row: Row) -> JobVerdict:
    found = case.attributions.by_row.get(index)
    if found is None:
        words = {
            "cancelled": ("stopped by the user while under way", "nothing: it was not measured to its end"),
            "unknown": ("sent by a run that died; nobody saw the answer", "the backend's record for this job's id"),
            "unreachable": ("no connection came about", "whether the host answers at all from this machine"),
        }
        fact, settle = words.get(row["outcome"], ("an error with nothing to tie it to a cause", "the other side's log"))
        if row["outcome"] == "unknown" and row["http_status"] is not None:
            fact = f"a success of {row['bytes_down']:,} bytes: too small for an image, large enough for a link to one"
            settle = "the answer itself: an image, a link, or the number of a task"
        if 300 <= (row["http_status"] or 0) < 400:
            fact = "the route sends its callers elsewhere, and no key is taken there unasked"
            settle = "a base_url that the redirect does not stand before"
        if isinstance(row["failure"], str):
            fact = f"{fact} ({row['failure']})"
        return JobVerdict(
            job_id=row["job_id"],
            verdict="undetermined",
            evidence=(EvidenceRow(fact=fact, points="context"),),
            settle=settle,
        )
    # The true duration is larger than what was seen, whoever cut it.
    censored = row["mark_ended_at_ms"] if row["outcome"] == "cut" else None
    return JobVerdict(
        job_id=row["job_id"],
        verdict="undetermined",
        grade="undetermined",
        backend_finished=found.backend_finished,
        censored_at_ms=censored,
        evidence=found.evidence,
        excluded=found.excluded,
        settle=found.settle,
    )


def _details(case: Case, rows: Rows) -> dict[str, Any]:
    found = [case.attributions.by_row[row] for row in rows.tolist()]
    same = ("grade", "layer", "product", "setting", "cap_s", "cap_kind", "backend_finished")
    columns: dict[str, Any] = {name: [getattr(one, name) for one in found] for name in same}
    return columns | {"censored_at_ms": [one.cut_at_ms for one in found]}


def _left_over_details(case: Case, rows: Rows) -> dict[str, Any]:
    found = [case.attributions.by_row.get(row) for row in rows.tolist()]
    suspected = np.array([one is not None for one in found], dtype=bool)
    cut = suspected & case.is_in("outcome", "cut")[rows]
    return {
        "grade": [None if one is None else "undetermined" for one in found],
        "backend_finished": [None if one is None else one.backend_finished for one in found],
        "censored_at_ms": np.where(cut, case.number("mark_ended_at_ms")[rows], np.nan),
    }


AUDITS = (
    Audit(
        verdict="false_timeout",
        title_holds="A layer gave up while the upstream was still at work",
        title_clear="No layer gave up",
        next_step="Widen that layer alone, keep the others strict; or make bytes flow. Look the job up before a retry.",
        where=_where,
        explain=_explain,
        details=_details,
    ),
)

LAST_AUDITS = (
    Audit(
        verdict="undetermined",
        title_holds="Some jobs ended in a way that this evidence does not explain",
        title_clear="Every job's end is explained",
        next_step="Get the evidence that each of these jobs names.",
        where=_left_over,
        explain=_explain_left_over,
        details=_left_over_details,
    ),
)
