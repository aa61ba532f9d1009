"""What gateways do behind one answer: tries that nobody asked for, and refusals without any call upstream."""

from __future__ import annotations

import numpy as np

from harness.diagnosis.audit import Audit, Row
from harness.diagnosis.case import Case, Mask, seconds
from harness.diagnosis.model import EvidenceRow, JobVerdict

COOLDOWN_TYPES = ("all_deployments_in_cooldown",)
COOLDOWN_WORDS = r"no deployments? available|deployments? (?:is|are) in cooldown|try again in \d{1,5} seconds?\. passed"


def _cooling(case: Case) -> Mask:
    return case.is_in("outcome", "error") & (
        case.is_in("error_type", *COOLDOWN_TYPES)
        | (case.is_in("http_status", 429) & case.matches("error_message", COOLDOWN_WORDS))
    )


def _explain_cooling(case: Case, index: int, row: Row) -> JobVerdict:  # noqa: ARG001
    rows = (
        EvidenceRow(fact=f"HTTP {row['http_status']:.0f} after {seconds(row['total_ms'])}, in the gateway's own words"),
        EvidenceRow(fact="the gateway refuses by itself: no call went upstream, and none was billed", points="context"),
    )
    return JobVerdict(
        job_id=row["job_id"],
        verdict="gateway_cooldown",
        evidence=rows,
        settle="the gateway's log: which earlier failure put its deployment aside",
    )


def _repeated(case: Case) -> Mask:
    """The gateway says that it tried again, or the other side counted the calls."""
    told = np.nan_to_num(case.number("gateway_retries")) >= 1
    return told | case.upstream_repeated


def _explain_repeated(case: Case, index: int, row: Row) -> JobVerdict:
    rows = []
    if row["gateway_retries"] == row["gateway_retries"] and row["gateway_retries"]:
        rows.append(EvidenceRow(fact=f"the gateway says that it tried {row['gateway_retries']:.0f} more times"))
    calls = case.upstream_calls.get(index)
    if calls is not None:
        rows.append(EvidenceRow(fact=f"the backend's own record: {calls} calls for this one job"))
    rows.append(EvidenceRow(fact=f"our own attempts: {row['attempt_count']:.0f}", points="context"))
    return JobVerdict(
        job_id=row["job_id"],
        verdict="hidden_retries",
        evidence=tuple(rows),
        settle=None if calls is not None else "the backend's record: how many images were made and billed for this job",
    )


REFUSAL_AUDITS = (
    Audit("gateway_cooldown", "A gateway refuses by itself after earlier failures", "No gateway refused by itself",
          "Wait for its cooldown, and mend what put the deployment aside; the provider's limits are not it.",
          _cooling, _explain_cooling),
)  # fmt: skip

RETRY_AUDITS = (
    Audit("hidden_retries", "A gateway tried again behind one answer", "No gateway is known to have tried again",
          "Turn the gateway's retries off, or ours; each try may be a billed image.",
          _repeated, _explain_repeated),
)  # fmt: skip
