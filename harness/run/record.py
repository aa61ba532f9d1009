"""From attempts to one `JobEvent`: what became of the job, and what it cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from harness.events import Attempt, CostBasis, Ended, ImageCheck, JobEvent, Marks, Outcome
from harness.metrics import job_clocks, phase_reached
from harness.plan import Job
from harness.prices import REFUSED, usage_usd
from harness.run.attempt import Exchange
from harness.wire.clock import WorldClock

# Where a cap of our own side stands that is not one of the client's timeouts.
TIMEOUT_LAYERS = {"abort": "browser.abort", "poll": "client.poll"}

LONGEST_INPUT_CHECK_MS = 10_000.0


@dataclass(frozen=True)
class JobFacts:
    """What is known of a job before it goes out."""

    run_id: str
    job: Job
    model: str
    endpoint: str
    route_kind: str
    route_owner: str
    started_at: str
    timezone: str
    prompt_hash: str
    prompt_text: str | None
    in_flight: int
    reference_bytes: int = 0


def make_event(
    facts: JobFacts,
    exchanges: Sequence[Exchange],
    attempts: Sequence[Attempt],
    *,
    clock: WorldClock,
    host_lag_ns: int,
    retry_reason: str | None,
    scheduled_at_ms: float | None = None,
    notes: Sequence[str] = (),
) -> JobEvent:
    """The event of a job that is over. Its cost is that of all its attempts; `notes` are those of the host."""
    last, final, answer = attempts[-1], exchanges[-1], exchanges[-1].answer
    checks = tuple(image.check for image in final.images)
    outcome = outcome_of(final, last.ended, facts.job.cell.n)
    took_ms = last.marks.ended_at_ms - last.marks.started_at_ms
    cost_usd, basis = cost_of(facts, final, outcome, last.http_status, took_ms)
    if last.cache_hit:
        cost_usd, basis = 0.0, "not_billed"
    cost_usd, earlier_usd = cost_of_all(_earlier_usd(facts, exchanges[:-1], attempts[:-1]), cost_usd)
    clocks: dict[str, Any] = {**job_clocks(attempts, scheduled_at_ms)}
    told = [*answer.notes, *notes]
    if final.images and len(final.images) != facts.job.cell.n:
        told.append("image_count_differs")
    return JobEvent(
        **_shape(facts),
        time_scale=clock.time_scale,
        scheduled_at_ms=scheduled_at_ms,
        outcome=outcome,
        phase=phase_reached(last.marks),
        ended=last.ended,
        http_status=last.http_status,
        error_type=answer.error.type if answer.error else None,
        error_code=answer.error.code if answer.error else None,
        request_id=last.request_id,
        retry_count=len(attempts) - 1,
        retry_reason=retry_reason,
        text_model=answer.text_model,
        deployment=answer.deployment,
        gateway=last.gateway,
        gateway_retries=last.gateway_retries,
        gateway_fallbacks=last.gateway_fallbacks,
        cache_hit=last.cache_hit,
        timeout_layer=TIMEOUT_LAYERS.get(last.cap, f"client.{last.cap}") if last.cap else None,
        **clocks,
        host_lag_ms=clock.ms(0, host_lag_ns),
        bytes_up=sum(attempt.bytes_up for attempt in attempts),
        bytes_down=sum(attempt.bytes_down for attempt in attempts),
        images=checks,
        resolved_size=answer.resolved_size,
        resolved_quality=answer.resolved_quality,
        resolved_format=answer.resolved_format,
        usage=answer.usage,
        cost_usd=cost_usd,
        cost_basis=basis,
        earlier_attempts_usd=earlier_usd,
        notes=tuple(told),
        attempts=tuple(attempts),
    )


def _earlier_usd(facts: JobFacts, exchanges: Sequence[Exchange], attempts: Sequence[Attempt]) -> list[float | None]:
    """What each attempt before the last one may have been billed.

    A retry orders the image a second time: where the first order may have been carried out, both may be billed.
    """
    costs = []
    for exchange, attempt in zip(exchanges, attempts, strict=True):
        outcome = outcome_of(exchange, attempt.ended, facts.job.cell.n)
        took_ms = attempt.marks.ended_at_ms - attempt.marks.started_at_ms
        costs.append(cost_of(facts, exchange, outcome, attempt.http_status, took_ms)[0])
    return costs


def cost_of_all(earlier_usd: Sequence[float | None], last_usd: float | None) -> tuple[float | None, float | None]:
    """What all attempts cost, and those before the last one of it; null when there were none. A price that nobody knows
    is not 0: with it the sum is not known either."""
    if not earlier_usd:
        return last_usd, None
    known = [usd for usd in earlier_usd if usd is not None]
    before = math.fsum(known) if len(known) == len(earlier_usd) else None
    return (None if before is None or last_usd is None else before + last_usd), before


def unknown_event(facts: JobFacts, clock: WorldClock, client_request_id: str) -> JobEvent:
    """A job that was sent by a process that died: nobody saw the answer, and it may have been billed."""
    seen_nothing = Attempt(
        number=1,
        client_request_id=client_request_id,
        marks=Marks(started_at_ms=0.0, ended_at_ms=0.0),
        ended="unseen",
    )
    return JobEvent(
        **_shape(facts),
        time_scale=clock.time_scale,
        outcome="unknown",
        phase="started",
        ended="unseen",
        cost_usd=facts.job.estimate_usd,
        cost_basis="maybe_billed",
        notes=("in_flight_when_the_run_died",),
        attempts=(seen_nothing,),
    )


def ordered_often(event: JobEvent, number: int, orders: int) -> JobEvent:
    """An unknown job that had come to this attempt: so many of its orders may have been billed."""
    if event.outcome != "unknown" or number < 2:
        return event
    each_usd = event.cost_usd
    return msgspec.structs.replace(
        event,
        retry_count=number - 1,
        cost_usd=None if each_usd is None else each_usd * orders,
        earlier_attempts_usd=None if each_usd is None else each_usd * (orders - 1),
    )


def may_be_billed(attempt: Attempt) -> bool:
    """Whether this order may have been carried out: it reached somebody, who did not refuse it before any work."""
    return attempt.ended != "connect_failed" and attempt.http_status not in REFUSED


def _shape(facts: JobFacts) -> dict[str, Any]:
    job, cell = facts.job, facts.job.cell
    return {
        "run_id": facts.run_id,
        "job_id": job.job_id,
        "cell": cell.id,
        "block": job.block,
        "position": job.position,
        "request_started_at": facts.started_at,
        "timezone": facts.timezone,
        "route": cell.route,
        "route_kind": facts.route_kind,
        "route_owner": facts.route_owner,
        "endpoint": facts.endpoint,
        "model": facts.model,
        "quality": cell.quality,
        "size": cell.size,
        "output_format": cell.output_format,
        "output_compression": cell.output_compression,
        "n": cell.n,
        "stream": cell.stream,
        "partial_images": cell.partial_images,
        "background": cell.background,
        "moderation": cell.moderation,
        "prompt_chars": len(job.prompt.text),
        "prompt_complexity": job.prompt.complexity,
        "prompt_hash": facts.prompt_hash,
        "prompt_text": facts.prompt_text,
        "reference_images": cell.reference_images,
        "reference_bytes": facts.reference_bytes,
        "mask": cell.mask,
        "edit_form": (cell.edit_form or "multipart") if cell.edits else None,
        "in_flight": facts.in_flight,
    }


def outcome_of(exchange: Exchange, ended: Ended, asked_n: int) -> Outcome:
    """What became of the job, from its last attempt."""
    trace, answer = exchange.trace, exchange.answer
    deciding = trace.deciding()
    status = trace.http_status if deciding is None else deciding.trace.http_status
    if ended == "cancelled":
        return "cancelled"
    if trace.http_status is None and trace.request_sent_ns is None and trace.bytes_up == trace.bytes_down == 0:
        return "unreachable"
    # A redirect is not followed: a key is for the address that it was given for, and for no other.
    if answer.error is not None or (status or 0) >= 300:
        return "error"
    if exchange.images:
        checks: list[ImageCheck] = [image.check for image in exchange.images]
        if any(check.format is None for check in checks):
            return "bad_image"
        right = len(checks) == asked_n and not any(check.problems for check in checks)
        return "image" if right else "wrong_image"
    return "empty" if ended == "complete" else "cut"


def cost_of(
    facts: JobFacts, exchange: Exchange, outcome: Outcome, status: int | None, took_ms: float
) -> tuple[float | None, CostBasis]:
    """USD and on what ground. What was cut may have been made and billed: it is counted, and marked."""
    answer, trace = exchange.answer, exchange.trace
    # Cut in its upload: half a request is nothing that anybody can carry out.
    unsent = outcome == "cut" and trace.request_sent_ns is None and trace.first_byte is None
    stated = usage_usd(facts.model, answer.usage)
    if stated is not None:
        return stated, "usage"
    estimate = facts.job.estimate_usd
    if outcome in {"image", "wrong_image"}:
        return estimate, "estimate"
    refused = outcome == "error" and status in REFUSED
    error = answer.error
    # A gateway may lose the stage; what took longer than any check of a prompt was filtered after it was made.
    unsaid = error is not None and error.moderation_stage is None and error.type == "image_generation_user_error"
    filtered_late = error is not None and (
        error.moderation_stage == "output" or (unsaid and took_ms > LONGEST_INPUT_CHECK_MS)
    )
    if outcome == "unreachable" or unsent or (refused and not filtered_late):
        return 0.0, "not_billed"
    return estimate, "maybe_billed"
