"""Envoy's access log: its default text (Istio's too) and JSON lines with the usual keys.

Response flags say who ended a request
(https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage#response-flags). A status of 0
means that no answer was begun.
"""

from __future__ import annotations

from harness.ingest.lines import (
    any_moment,
    json_key,
    method_of,
    number,
    path_of,
    read_json_lines,
    read_text_lines,
    requested,
    trace_of,
)
from harness.ingest.nginx import fits_most
from harness.ingest.sightings import Batch
from harness.ingest.source import Source

_LINE = (
    r'^[^\[]*\[(?P<at>[0-9]{4}-[0-9]{2}-[0-9]{2}T[^\]]{8,24})\] "(?P<request>[^"]*)" (?P<status>[0-9]+|-) '
    r'(?P<flags>[A-Za-z,]+|-) (?:(?P<details>[^ "]*) [^ "]+ (?:"[^"]*"|-) )?(?P<up>[0-9]+) (?P<down>[0-9]+) '
    r'(?P<took>[0-9]+|-) (?P<service>[0-9]+|-) "[^"]*" "[^"]*" "(?P<id>[^"]*)"(?P<rest>.*)$'
)
# Flag, its long name, who ended it, the word as the layer catalog has it. The first that is there counts.
_FLAGS = (
    ("DC", "DownstreamConnectionTermination", "client", "DC"),
    ("DR", "DownstreamRemoteReset", "client", "DR"),
    ("UT", "UpstreamRequestTimeout", "self", "response_flags UT"),
    ("SI", "StreamIdleTimeout", "self", "SI"),
    ("DT", "DurationTimeout", "self", "DT"),
    ("UMSDR", "UpstreamMaxStreamDurationReached", "self", "UMSDR"),
    ("UC", "UpstreamConnectionTermination", "upstream", "UC"),
    ("UR", "UpstreamRemoteReset", "upstream", "UR"),
    ("UF", "UpstreamConnectionFailure", "upstream", "UF"),
)
_KEYS = {
    "at": ("start_time", "startTime", "timestamp"),
    "status": ("response_code", "responseCode", "status"),
    "flags": ("response_flags", "responseFlags", "flags"),
    "details": ("response_code_details", "responseCodeDetails"),
    "took": ("duration", "duration_ms"),
    "service": ("upstream_service_time", "x_envoy_upstream_service_time", "x-envoy-upstream-service-time"),
    "id": ("request_id", "x_request_id", "x-request-id"),
    "client_id": ("x_client_request_id", "x-client-request-id", "client_request_id"),
    "trace": ("traceparent", "x_traceparent"),
    "method": ("method",),
    "path": ("path", "x_envoy_original_path", "x-envoy-original-path"),
    "up": ("bytes_received",),
    "down": ("bytes_sent",),
}


def fits_text(head: str) -> bool:
    """Whether the first lines look like the default format."""
    return fits_most(head, _LINE)


def fits_json(head: str) -> bool:
    """Whether the first line has a response code and flags for keys."""
    first = next((line for line in head.splitlines() if line.strip()), "")
    return first.startswith("{") and any(f'"{key}"' in first for key in _KEYS["flags"][:2])


def read_text(source: Source) -> Batch:
    """Lines of the default text format, Envoy's or Istio's."""
    field = {name: f"nullif(nullif(part.{name}, ''), '-')" for name in ("at", "status", "details", "took", "service",
             "id", "up", "down")}  # fmt: skip
    columns = _columns(field, "part.flags", method_of("part.request"), requested("part.request"))
    return read_text_lines(source, _LINE, columns, format="Envoy", side="proxy", writer="envoy")


def read_json(source: Source) -> Batch:
    """JSON lines under the names that Envoy's and Istio's examples use."""
    field = {name: f"coalesce({', '.join(map(json_key, keys))}, NULL)" for name, keys in _KEYS.items()}
    flags = f"coalesce({field['flags']}, '-')"
    columns = _columns(field, flags, field["method"], path_of(field["path"]))
    columns |= {"client_request_id": field["client_id"], "trace_id": trace_of(field["trace"])}
    return read_json_lines(
        source, columns, format="Envoy (JSON)", side="proxy", writer="envoy",
        fits=f"{field['status']} IS NOT NULL OR {field['flags']} IS NOT NULL",
    )  # fmt: skip


def _columns(field: dict[str, str], flags: str, method: str, path: str) -> dict[str, str]:
    listed = f"string_split({flags}, ',')"
    # A connection that took too long is Envoy's timer; one that was refused is not. The flag alone does not say which.
    timed_out = f"coalesce({field['details']} LIKE '%connection_timeout%', false)"
    has = [(f"list_has_any({listed}, ['{short}', '{long}'])", who, word) for short, long, who, word in _FLAGS]
    who = " ".join(f"WHEN {test} THEN '{side}'" for test, side, _ in has)
    word = " ".join(f"WHEN {test} THEN '{word}'" for test, _, word in has)
    late = f"list_has_any({listed}, ['UF', 'UpstreamConnectionFailure']) AND {timed_out}"
    status = number(field["status"])
    service = number(field["service"])
    return {
        "started_at_s": any_moment(field["at"]),
        "started_step_s": "0.001",
        "duration_ms": number(field["took"]),
        "upstream_first_byte_ms": service,
        "upstream_status": f"CASE WHEN {service} IS NOT NULL THEN {status} END",
        "status": f"nullif({status}, 0)",
        "gave_up": f"CASE WHEN {late} THEN 'self' {who} WHEN {flags} = '-' THEN 'nobody' END",
        "gave_up_word": f"CASE WHEN {late} THEN 'UF connection_timeout' {word} END",
        "call_id": field["id"],
        "method": method,
        "path": path,
        "bytes_up": number(field["up"]),
        "bytes_down": number(field["down"]),
    }
