"""Asynchronous APIs: a task that failed, a result link that was dead at once, a wait that is mostly the polls' own."""

from __future__ import annotations

import numpy as np

from harness.diagnosis.audit import Audit, Row
from harness.diagnosis.case import Case, Mask, seconds
from harness.diagnosis.model import EvidenceRow, JobVerdict

POLL_SHARE = 0.25  # of the whole wait: how much of it the polls' coarseness may hide before it is what to mend
MIN_POLL_ERROR_MS = 2000.0


def _any_tasks(case: Case) -> bool:
    return bool(case.is_in("route_kind", "task").any())


def _any_links(case: Case) -> bool:
    return bool((~np.isnan(case.number("mark_download_began_at_ms"))).any())


def _failed(case: Case) -> Mask:
    """The API took the task on, and said later that it failed: inside of an HTTP success."""
    taken_on = ~np.isnan(case.number("submit_ms"))
    return taken_on & case.is_in("outcome", "error") & ~(case.number("http_status") >= 400)


def _explain_failed(case: Case, index: int, row: Row) -> JobVerdict:  # noqa: ARG001
    said = [str(row[name]) for name in ("error_code", "error_message") if isinstance(row[name], str)]
    rows = [
        EvidenceRow(fact=f"the task was taken on after {seconds(row['submit_ms'])}"),
        EvidenceRow(
            fact=f"and said to have failed at {seconds(row['total_ms'])}: {'; '.join(said) or 'no reason given'}"
        ),
    ]
    return JobVerdict(
        job_id=row["job_id"],
        verdict="task_failed",
        evidence=tuple(rows),
        settle="the provider's record for this task's id: was it billed?",
    )


def _link_dead(case: Case) -> Mask:
    began = ~np.isnan(case.number("mark_download_began_at_ms"))
    return began & np.isnan(case.number("mark_downloaded_at_ms")) & case.is_in("outcome", "error", "cut", "empty")


def _explain_link(case: Case, index: int, row: Row) -> JobVerdict:  # noqa: ARG001
    status = row["http_status"]
    got = "the fetch came to no end" if status != status or status < 400 else f"HTTP {status:.0f}"
    waited = row["mark_download_began_at_ms"] - row["final_image_ms"]
    rows = (
        EvidenceRow(fact=f"the answer named a link at {seconds(row['final_image_ms'])}"),
        EvidenceRow(fact=f"fetched {seconds(waited)} later: {got}"),
    )
    return JobVerdict(
        job_id=row["job_id"],
        verdict="link_expired",
        evidence=rows,
        settle="the provider's record for this job: how long do its links live?",
    )


def _polled_late(case: Case) -> Mask:
    coarse, whole = case.number("poll_error_ms"), case.number("final_image_ms")
    return case.answered & (coarse >= MIN_POLL_ERROR_MS) & (coarse >= POLL_SHARE * whole)


def _explain_polled(case: Case, index: int, row: Row) -> JobVerdict:  # noqa: ARG001
    rows = [
        EvidenceRow(
            fact=f"seen done at {seconds(row['final_image_ms'])}, and up to {seconds(row['poll_error_ms'])} before that"
        )
    ]
    if row["callback_ms"] == row["callback_ms"]:
        rows.append(EvidenceRow(fact=f"the callback came at {seconds(row['callback_ms'])}"))
    return JobVerdict(job_id=row["job_id"], verdict="poll_delay", evidence=tuple(rows))


FAILED_AUDITS = (
    Audit("task_failed", "Tasks were taken on and failed", "Every task that was taken on came to a result",
          "Read the code and message; a failed task is never polled again nor its id used again.",
          _failed, _explain_failed, _any_tasks),
    Audit("link_expired", "Result links could not be fetched at once", "Every result link could be fetched at once",
          "Fetch links as soon as they are there, and store the file; take it up with the route's owner.",
          _link_dead, _explain_link, _any_links),
)  # fmt: skip

POLL_AUDITS = (
    Audit("poll_delay", "The pauses between polls hold much of the wait", "Polls are fine enough",
          "Poll more often near the expected end, or take callbacks; leave the model alone.",
          _polled_late, _explain_polled, _any_tasks),
)  # fmt: skip
