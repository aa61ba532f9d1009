"""A success that is none: the stream ended without its final image, or the answer holds no usable one."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.diagnosis.audit import Audit, Explain, Row, Rows
from harness.diagnosis.case import Case, Mask
from harness.diagnosis.model import EvidenceRow, JobVerdict, VerdictName


def _stream_without_final(case: Case) -> Mask:
    return case.is_in("outcome", "empty", "cut") & case.is_in("body_kind", "sse")


def _nothing_in_it(case: Case) -> Mask:
    # One flat colour decodes, and is no picture.
    return case.is_in("outcome", "empty", "bad_image") | case.matches("image_problems", r"\bblank\b")


def _explain(verdict: VerdictName) -> Explain:
    def explain(case: Case, index: int, row: Row) -> JobVerdict:  # noqa: ARG001
        body = row["body_kind"] if isinstance(row["body_kind"], str) else "unknown"
        status = "no status" if np.isnan(row["http_status"]) else f"HTTP {row['http_status']:.0f}"
        facts = [f"{status}, {body} body, {row['bytes_down']:,} bytes"]
        if isinstance(row["image_problems"], str):
            facts.append(f"image: {row['image_problems']}")
        if isinstance(row["notes"], str):
            facts.append(f"notes: {row['notes']}")
        kept_alive = row["sse_comments"] == row["sse_comments"] and row["sse_comments"] > 0
        if kept_alive or "keepalive_events" in str(row["notes"] or ""):
            # Bytes flowed to the end, so no idle cap on the way could see that nothing was made.
            facts.append("keep-alives flowed until the end: they hide a dead upstream from every idle cap")
        ended = "the response ended in order" if row["ended"] == "complete" else f"ended: {row['ended']}"
        rows = [EvidenceRow(fact=fact) for fact in facts] + [EvidenceRow(fact=ended, points="context")]
        # Cut in the middle: its duration is at least this. Ended in order: it has no duration to speak of.
        censored = None if row["ended"] == "complete" else row["mark_ended_at_ms"]
        return JobVerdict(
            job_id=row["job_id"],
            verdict=verdict,
            censored_at_ms=censored,
            evidence=tuple(rows),
            settle="the backend's record for this job's id: was the image made?",
        )

    return explain


def _details(case: Case, rows: Rows) -> dict[str, Any]:
    in_order = case.is_in("ended", "complete")[rows]
    return {"censored_at_ms": np.where(in_order, np.nan, case.number("mark_ended_at_ms")[rows])}


AUDITS = (
    Audit(
        verdict="incomplete_stream",
        title_holds="Streams end without their final image",
        title_clear="Every stream brought its final image",
        next_step="Count it as a failure: many SDKs say nothing here. Compare with the most direct route.",
        where=_stream_without_final,
        explain=_explain("incomplete_stream"),
        details=_details,
    ),
    Audit(
        verdict="empty_success",
        title_holds="Successes without a usable image",
        title_clear="Every success holds an image",
        next_step="Count it as a failure, and take it up with the route's owner.",
        where=_nothing_in_it,
        explain=_explain("empty_success"),
        details=_details,
    ),
)
