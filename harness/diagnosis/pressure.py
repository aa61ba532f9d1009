"""Rate limits met, or jobs that needed more than one attempt because of them."""

from __future__ import annotations

from harness.diagnosis.audit import Audit, Row
from harness.diagnosis.case import Case, Mask
from harness.diagnosis.model import EvidenceRow, JobVerdict
from harness.frame import parsed

TOLD = (
    "retry-after",
    "retry-after-ms",
    "x-ratelimit-limit-images",
    "x-ratelimit-remaining-images",
    "x-ratelimit-reset-images",
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "x-ratelimit-limit-input-images",
    "x-ratelimit-remaining-input-images",
    "x-ratelimit-reset-input-images",
)


def _where(case: Case) -> Mask:
    limited: Mask = (
        case.is_in("http_status", 429)
        | case.refused_with(429)
        | case.is_in("error_code", "rate_limit_exceeded", "slow_down")
    )
    # A limit that was met on the way explains a wait, and no failure that came after it.
    retried: Mask = (case.number("rate_limited_attempts") > 0) & case.answered
    return limited | retried


def _explain(case: Case, index: int, row: Row) -> JobVerdict:  # noqa: ARG001
    attempts, limited = int(row["attempt_count"]), int(row["rate_limited_attempts"])
    rows = [EvidenceRow(fact=f"HTTP 429 in {limited} of {attempts} attempts, {int(row['in_flight'])} jobs in flight")]
    told = [f"{name}: {value}" for name, value in (parsed(row["reply_headers"]) or {}).items() if name in TOLD]
    if told:
        rows.append(EvidenceRow(fact="the answer says " + ", ".join(told)))
    return JobVerdict(job_id=row["job_id"], verdict="retry_pressure", evidence=tuple(rows))


AUDITS = (
    Audit(
        verdict="retry_pressure",
        title_holds="The rate limit is met",
        title_clear="No rate limit was met",
        next_step="Send fewer at a time, honour the reset headers, back off with jitter; refused requests count too.",
        where=_where,
        explain=_explain,
    ),
)
