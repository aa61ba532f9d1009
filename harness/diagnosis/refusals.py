"""The API said no: account, request or model. Status, type, code and message together, never the status alone."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from harness.diagnosis.audit import Audit, Explain, Row, Where
from harness.diagnosis.case import Case, Mask, seconds
from harness.diagnosis.model import EvidenceRow, JobVerdict, VerdictName

QUOTA_CODES = (
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "billing_hard_limit_reached",
)
AGAIN_WORDS = r"\b(?:retry|try again) (?:in|after) \d"
MODERATION_CODES = ("moderation_blocked", "content_policy_violation", "contentFilter", "content_filter")
MADE_WORDS = r"generated image was filtered"  # Azure's second content-filter shape
# An input check answers within seconds; a filter on the output cannot speak before the image is there.
INPUT_CHECK_MS = 10_000.0
# So many different prompts, in so many jobs, are not all against a policy.
BLOCKED_PROMPTS, BLOCKED_JOBS = 3, 6


# A gateway may put the status in the code's place; the words then still tell.
QUOTA_WORDS = r"exceeded your current quota, please check your plan and billing|insufficient_quota"


def _quota(case: Case) -> Mask:
    insufficient = (
        case.is_in("error_code", "insufficient_quota")
        | case.is_in("error_type", "insufficient_quota")
        | (case.is_in("http_status", 429) & case.matches("error_message", QUOTA_WORDS))
    )
    # Azure calls a mere rate limit so, and says when to come again; credit that is used up has no such moment.
    says_when = case.matches("reply_headers", r'"retry-after(?:-ms)?"') | case.matches("error_message", AGAIN_WORDS)
    comes_again = case.is_in("http_status", 429) & says_when
    return (
        case.is_in("error_code", *QUOTA_CODES)
        | case.is_in("error_type", "billing_limit_user_error")
        | (insufficient & ~comes_again)
        | case.refused_with(402)
        | (case.is_in("http_status", 429) & case.matches("error_message", r"Limit 0,"))
    )


def _auth(case: Case) -> Mask:
    return case.refused_with(401) | case.is_in("error_code", "invalid_api_key")


def _organization(case: Case) -> Mask:
    return case.is_in("http_status", 403) & case.matches("error_message", "organization must be verified")


def _blocked(case: Case) -> Mask:
    """Said in so many words, or dressed as moderation: then every prompt of a route is refused, whatever it says."""
    said = case.is_in("http_status", 403) & case.matches(
        "error_message", "temporarily blocked|account.{0,40}deactivated"
    )
    return said | _every_prompt_refused(case)


def _every_prompt_refused(case: Case) -> Mask:
    moderated = _moderated(case)
    routes, _ = pd.factorize(case.jobs["route"])
    held = np.zeros(len(case.jobs), dtype=bool)
    for route in np.unique(routes[moderated]):
        here = routes == route
        judged = here & ~case.is_in("outcome", "cancelled", "unknown")
        prompts = case.jobs["prompt_hash"][judged].nunique()
        if prompts >= BLOCKED_PROMPTS and judged.sum() >= BLOCKED_JOBS and moderated[judged].all():
            held |= here & moderated
    return held


def _model(case: Case) -> Mask:
    worded = case.is_in("http_status", 404) & case.matches("error_message", r"\bmodel\b.{1,120}\bdoes not exist\b")
    named = case.is_in("error_code", "model_not_found", "DeploymentNotFound")
    return (named | worded) & case.is_in("outcome", "error")


def _moderated(case: Case) -> Mask:
    # A gateway may put the status in the code's place; type and words then still tell.
    worded = case.is_in("error_type", "image_generation_user_error") & case.matches(
        "error_message", r"safety.system|safety_violations"
    )
    return case.is_in("error_code", *MODERATION_CODES) | worded


def _input(case: Case) -> Mask:
    stage_unsaid = ~case.is_in("moderation_stage", "input", "output") & ~case.matches("error_message", MADE_WORDS)
    return _moderated(case) & (
        case.is_in("moderation_stage", "input") | (stage_unsaid & (_checked_ms(case) < INPUT_CHECK_MS))
    )


def _checked_ms(case: Case) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """From the moment the last attempt's request was whole: its upload and earlier attempts are no check's time."""
    took = case.number("mark_ended_at_ms") - case.number("mark_request_sent_at_ms")
    return np.where(np.isnan(took), case.number("total_ms"), took)


def _output(case: Case) -> Mask:
    return _moderated(case) & ~_input(case)


def _mismatch(case: Case) -> Mask:
    return case.is_in("http_status", 400, 404, 405, 413, 415, 422) & case.is_in("outcome", "error")


def _explain(verdict: VerdictName) -> Explain:
    def explain(case: Case, index: int, row: Row) -> JobVerdict:  # noqa: ARG001
        parts = [f"HTTP {row['http_status']:.0f}" if row["http_status"] == row["http_status"] else "in the stream"]
        parts += [
            f"{name} {row[key]}" for name, key in (("type", "error_type"), ("code", "error_code")) if _has(row[key])
        ]
        if _has(row["error_param"]):
            parts.append(f"param {row['error_param']}")
        rows = [
            EvidenceRow(fact=", ".join(parts)),
            EvidenceRow(fact=f"after {seconds(row['total_ms'])}", points="context"),
        ]
        if _has(row["moderation_stage"]):
            rows.append(EvidenceRow(fact=f"the answer names the stage: {row['moderation_stage']}"))
        elif re.search(MADE_WORDS, str(row["error_message"]), re.IGNORECASE):
            rows.append(EvidenceRow(fact="the answer says that an image was made, and filtered"))
        elif verdict in ("moderation_input", "moderation_output"):
            took = row["mark_ended_at_ms"] - row["mark_request_sent_at_ms"]
            when = f" ({seconds(took)} from the whole request on)" if took == took else ""
            rows.append(
                EvidenceRow(
                    fact=f"no stage is named; the time tells{when}: an output filter cannot speak before the image is "
                    "made"
                )
            )
        return JobVerdict(job_id=row["job_id"], verdict=verdict, evidence=tuple(rows))

    return explain


def _has(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _audit(verdict: VerdictName, where: Where, holds: str, clear: str, step: str) -> Audit:
    return Audit(verdict, holds, clear, step, where, _explain(verdict))


AUDITS = (
    _audit("quota", _quota, "The account's credit or spending limit is used up", "No job failed for quota",
           "Raise the limit or add credit; waiting and retrying change nothing."),
    _audit("auth", _auth, "The key is refused", "The key is accepted",
           "Check which key this route uses; do not rotate keys for anything else."),
    _audit("org_unverified", _organization, "The organisation is not verified for this model",
           "No job failed for verification", "Verify the organisation, then wait for access to propagate."),
    _audit("account_block", _blocked, "The account or resource is blocked", "No account block",
           "Take it up with the provider; other prompts will fail as well."),
    _audit("model_not_found", _model, "The model name is not known on this route", "The model name is known",
           "Fix the model or deployment name."),
    _audit("moderation_input", _input, "Prompts are rejected before generation", "No prompt was rejected",
           "Change the prompt; the same one is rejected again."),
    _audit("moderation_output", _output, "Images are filtered after full generation time", "No image was filtered",
           "Change the scene; repeating it costs the whole generation again."),
)  # fmt: skip

# After rate limits and layers have had their say: what is left of the 4xx is the request itself.
LEFTOVER_AUDITS = (
    _audit("parameter_mismatch", _mismatch, "Requests have parameters that the route refuses",
           "No parameter was refused", "Fix the named parameter; no retry."),
)  # fmt: skip
