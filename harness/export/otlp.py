"""A run as OTLP JSON: a trace for each job, a CLIENT span for each attempt, its phases below it.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding, as lines of the file exporter: each is a document that
a collector takes by itself. Attributes follow the semantic conventions for HTTP and GenAI; what these have no name for
stands under ``harness.``. No server.address, no url.full, no message of an error.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import msgspec

from harness import __version__
from harness.events import Attempt, JobEvent
from harness.export.safe import path_of, phases_of

JOBS_A_LINE = 500
_INTERNAL, _CLIENT = 1, 3
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def line_of(spans: list[dict[str, Any]]) -> bytes:
    """Spans as one document on one line."""
    document = {
        "resourceSpans": [
            {
                "resource": {"attributes": _attributes({"service.name": "harness"})},
                "scopeSpans": [{"scope": {"name": "harness", "version": __version__}, "spans": spans}],
            }
        ]
    }
    return msgspec.json.encode(document) + b"\n"


def spans_of(event: JobEvent) -> list[dict[str, Any]]:
    """The job's span, and below it its attempts with their phases and further exchanges."""
    trace = _id(32, event.run_id, event.job_id)
    began = datetime.fromisoformat(event.request_started_at) - _EPOCH
    base_ns = (began.days * 86_400 + began.seconds) * 10**9 + began.microseconds * 1000
    job = _id(16, trace, "job")
    end_ms = max((one.marks.ended_at_ms for one in event.attempts), default=event.total_ms or 0.0)
    spans = [
        _span(trace, job, None, f"image_job {event.model}", _INTERNAL, base_ns, 0.0, end_ms,
              {
                  "gen_ai.output.type": "image", "harness.run": event.run_id, "harness.job": event.job_id,
                  "harness.cell": event.cell, "harness.route": event.route, "harness.outcome": event.outcome,
                  "harness.ended": event.ended, "harness.retry_count": event.retry_count,
              },
              failed=event.outcome != "image")
    ]  # fmt: skip
    for attempt in event.attempts:
        spans += _attempt(event, attempt, trace, job, base_ns, last=attempt is event.attempts[-1])
    return spans


def _attempt(event: JobEvent, attempt: Attempt, trace: str, job: str, base_ns: int, *, last: bool) -> list[Any]:
    marks, own = attempt.marks, _id(16, trace, "attempt", str(attempt.number))
    usage = event.usage if last else None
    error = _error_type(attempt)
    attributes = {
        "http.request.method": "POST",
        "url.path": path_of(event.endpoint),
        "http.response.status_code": attempt.http_status,
        "http.request.resend_count": attempt.number - 1 or None,
        "http.request.body.size": attempt.bytes_up,
        "http.response.body.size": attempt.bytes_down,
        "error.type": error,
        "gen_ai.operation.name": "image_generation",
        "gen_ai.output.type": "image",
        "gen_ai.request.model": event.model,
        "gen_ai.request.choice.count": event.n if event.n != 1 else None,
        "gen_ai.usage.input_tokens": usage.input_tokens if usage else None,
        "gen_ai.usage.output_tokens": usage.output_tokens if usage else None,
        "harness.route": event.route,
        "harness.quality": event.quality,
        "harness.size": event.size,
        "harness.output_format": event.output_format,
        "harness.stream": event.stream,
        "harness.client_request_id": attempt.client_request_id,
        "harness.request_id": attempt.request_id,
        "harness.server_ms": attempt.server_ms,
        "harness.error_code": attempt.error.code if attempt.error else None,
        "harness.images": len(event.images) if last and event.outcome == "image" else None,
        "harness.image_bytes": sum(one.image_bytes for one in event.images) if last and event.images else None,
        "harness.cost_usd": event.cost_usd if last else None,
    }
    events = [("partial_image", span.whole_at_ms) for span in marks.partial_images]
    events += [("final_image", marks.final_image_at_ms)] if marks.final_image_at_ms is not None else []
    spans = [
        _span(trace, own, job, f"POST {path_of(event.endpoint)}", _CLIENT, base_ns, marks.started_at_ms,
              marks.ended_at_ms, attributes, failed=error is not None, events=events)
    ]  # fmt: skip
    for name, begun, ended, cut in _phases(attempt):
        spans.append(_span(trace, _id(16, own, name), own, name, _INTERNAL, base_ns, begun, ended, {}, failed=cut))
    for leg in attempt.legs:
        said = {"http.response.status_code": leg.http_status, "http.response.body.size": leg.bytes_down}
        spans.append(
            _span(trace, _id(16, own, leg.kind, str(leg.number)), own, leg.kind, _INTERNAL, base_ns, leg.started_at_ms,
                  leg.ended_at_ms, said, failed=leg.ended != "complete")
        )  # fmt: skip
    return spans


def _phases(attempt: Attempt) -> list[tuple[str, float, float, bool]]:
    """Name, beginning, end, and whether the attempt ended within it: blocked, dns, connect, send, wait, receive."""
    found = []
    at = attempt.marks.started_at_ms
    given = {name: length for name, length in phases_of(attempt).items() if name != "ssl"}
    for name, length in given.items():
        ended_here = name == next(reversed(given)) and attempt.ended != "complete"
        found.append((name, at, at + length, ended_here))
        at += length
    return found


def _error_type(attempt: Attempt) -> str | None:
    """As the convention has it: the status of an error answer, else a name of what happened."""
    if attempt.ended == "complete":
        return str(attempt.http_status) if attempt.http_status is not None and attempt.http_status >= 400 else None
    if attempt.ended == "local_cap":
        return "timeout"
    return attempt.failure[0] if attempt.failure else attempt.ended


def _span(
    trace: str, own: str, parent: str | None, name: str, kind: int, base_ns: int, begun_ms: float, ended_ms: float,
    attributes: dict[str, Any], *, failed: bool = False, events: list[tuple[str, float]] | None = None,
) -> dict[str, Any]:  # fmt: skip
    def at(moment_ms: float) -> str:
        return str(base_ns + round(moment_ms * 1e6))

    return {
        "traceId": trace,
        "spanId": own,
        **({} if parent is None else {"parentSpanId": parent}),
        "name": name,
        "kind": kind,
        "startTimeUnixNano": at(begun_ms),
        "endTimeUnixNano": at(ended_ms),
        "attributes": _attributes(attributes),
        "events": [{"timeUnixNano": at(moment), "name": said, "attributes": []} for said, moment in events or ()],
        "status": {"code": 2} if failed else {},
    }


def _attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in values.items() if value is not None]


def _value(value: str | float | bool) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": value}


def _id(digits: int, *parts: str) -> str:
    """The same for the same job and run, and of no use for anything else."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:digits]
