"""The machine that measured was the trouble: it slept, or it was too late to know when bytes came."""

from __future__ import annotations

import numpy as np

from harness.diagnosis.audit import Audit, Row
from harness.diagnosis.case import Case, Mask, seconds
from harness.diagnosis.model import EvidenceRow, JobVerdict

BLURRED_MS = 2000.0  # nobody waits for less than this
LAG_SHARE = 0.25  # our own loop late by this share of the whole: distrust the figure
SLEPT = "host_slept"  # the note that `harness.run.hostwatch` leaves


def _client(case: Case) -> Mask:
    # A late loop does not move a kernel stamp: what counts is by how much the stamps may be off. Events from before
    # that was kept have the loop's lateness alone.
    error = case.number("clock_error_ms")
    off = np.where(np.isnan(error), case.number("host_lag_ms"), error)
    blurred = case.answered & (off >= BLURRED_MS) & (off >= LAG_SHARE * case.number("final_image_ms"))
    # Whoever closed, closed on a client that was not there: no layer is to be blamed for it, and no clock holds.
    return blurred | case.matches("notes", SLEPT)


def _explain(case: Case, index: int, row: Row) -> JobVerdict:  # noqa: ARG001
    if isinstance(row["notes"], str) and SLEPT in row["notes"]:
        fact = "this machine slept while the job was under way: its clocks stood still, and nobody read or answered"
        return JobVerdict(job_id=row["job_id"], verdict="client_bound", evidence=(EvidenceRow(fact=fact),))
    known = row["clock_error_ms"] == row["clock_error_ms"] and row["clock_error_ms"] is not None
    blurred = f"a mark of this job may be {seconds(row['clock_error_ms'])} late" if known else "stamps are our own"
    rows = (
        EvidenceRow(fact=f"{blurred}, in a job of {seconds(row['final_image_ms'])}"),
        EvidenceRow(fact=f"our own loop ran up to {seconds(row['host_lag_ms'])} late", points="context"),
    )
    return JobVerdict(job_id=row["job_id"], verdict="client_bound", evidence=rows)


AUDITS = (
    Audit("client_bound", "Our own machine was late, or asleep", "Our own machine kept up",
          "Distrust this measurement first: fewer jobs at once, a machine with less to do, and one that stays awake.",
          _client, _explain),
)  # fmt: skip
