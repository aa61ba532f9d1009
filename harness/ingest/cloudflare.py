"""Cloudflare Logpush, dataset HTTP requests, as JSON lines
(https://developers.cloudflare.com/logs/logpush/logpush-job/datasets/zone/http_requests/).

Its statuses say who gave up: 524 and 522 are its own timers (no answer, no connection), 520, 521, 523, 525 and 526 an
origin that closed, refused or could not be reached, 499 a client that closed first. `OriginResponseStatus` is 0 where
the origin never answered, which tells Cloudflare's own 504 from one that it passed on.
"""

from __future__ import annotations

from harness.ingest.lines import any_moment, json_text, number, path_of, read_json_lines
from harness.ingest.sightings import Batch
from harness.ingest.source import Source


def fits(head: str) -> bool:
    """Whether the first line has Cloudflare's names for keys."""
    first = next((line for line in head.splitlines() if line.strip()), "")
    return first.startswith("{") and '"EdgeResponseStatus"' in first and '"Edge' in first


def read(source: Source) -> Batch:
    """JSON lines. Timestamps in any of Logpush's three forms: RFC 3339, Unix seconds, Unix nanoseconds."""
    began, ended = json_text("$.EdgeStartTimestamp"), json_text("$.EdgeEndTimestamp")
    status, origin = number(json_text("$.EdgeResponseStatus")), number(json_text("$.OriginResponseStatus"))
    coarse = f"(try_cast({began} AS DOUBLE) < 1e11 OR NOT coalesce(contains({began}, '.'), false) AND "
    coarse += f"contains({began}, ':'))"
    silent = f"coalesce({origin}, 0) = 0"
    connect = [number(json_text(f"$.{name}")) for name in
               ("OriginDNSResponseTimeMs", "OriginTCPHandshakeDurationMs", "OriginTLSHandshakeDurationMs")]  # fmt: skip
    parts = " + ".join(f"coalesce({one}, 0)" for one in connect)
    known = f"coalesce({', '.join(connect)})"
    spelled = f"({status}::INT)::VARCHAR"
    took = f"({any_moment(ended)} - {any_moment(began)})"
    columns = {
        "started_at_s": any_moment(began),
        "started_step_s": f"CASE WHEN {coarse} THEN 1.0 ELSE 0.001 END",
        "duration_ms": f"CASE WHEN {took} >= 0 THEN round({took} * 1000, 3) END",
        "connect_ms": f"CASE WHEN {known} > 0 THEN {parts} END",
        "first_byte_at_ms": f"nullif({number(json_text('$.EdgeTimeToFirstByteMs'))}, 0)",
        "upstream_first_byte_ms": f"nullif(coalesce({number(json_text('$.OriginResponseDurationMs'))}, "
        f"{number(json_text('$.OriginResponseTime'), 1e-6)}), 0)",
        "upstream_status": f"nullif({origin}, 0)",
        "status": f"nullif({status}, 0)",
        "gave_up": f"""CASE WHEN {status} = 499 THEN 'client' WHEN {status} IN (522, 524) AND {silent} THEN 'self'
            WHEN {status} = 504 AND {silent} AND {origin} IS NOT NULL THEN 'self'
            WHEN {status} IN (520, 521, 523, 525, 526) AND {silent} THEN 'upstream'
            WHEN {status} = {origin} THEN 'nobody' END""",
        "gave_up_word": f"CASE WHEN {status} IN (499, 504, 520, 521, 522, 523, 524, 525, 526) AND {silent} "
        f"THEN 'EdgeResponseStatus ' || {spelled} END",
        "client_request_id": json_text('$.RequestHeaders."x-client-request-id"'),
        "request_id": json_text('$.ResponseHeaders."x-request-id"'),
        "call_id": json_text("$.RayID"),
        "method": json_text("$.ClientRequestMethod"),
        "path": path_of(f"coalesce({json_text('$.ClientRequestPath')}, {json_text('$.ClientRequestURI')})"),
        "bytes_up": number(json_text("$.ClientRequestBytes")),
        "bytes_down": number(json_text("$.EdgeResponseBytes")),
    }
    return read_json_lines(
        source, columns, format="Cloudflare", side="proxy", writer="cloudflare",
        fits=f"{json_text('$.EdgeStartTimestamp')} IS NOT NULL", arrays=True,
    )  # fmt: skip
