"""nginx access logs: the combined format with any ``name=value`` behind it, and JSON lines with nginx's variable names.

``log_format timed '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" '
'"$http_user_agent" rt=$request_time uct=$upstream_connect_time uht=$upstream_header_time urt=$upstream_response_time '
'us=$upstream_status rid=$request_id crid=$http_x_client_request_id up_rid=$upstream_http_x_request_id';``

nginx writes a line when a request is over, in whole seconds; `$request_time` takes it back to its beginning. A 499 is
nginx's own word for a client that closed first. It writes its own 504 as `$upstream_status` too: what tells it from
one that the upstream sent is that no header ever came, so `$upstream_header_time` has to be in the format.
"""

from __future__ import annotations

import re

from harness.ingest.lines import iso_moment, json_text, last_number, moment, number, read_json_lines, read_text_lines
from harness.ingest.sightings import Batch
from harness.ingest.source import Source

_COMBINED = (
    r'^(?P<who>\S+) \S+ \S+ \[(?P<at>[^\]]+)\] "(?P<method>[A-Z]+) (?P<path>[^ ?"]*)[^"]*" (?P<status>[0-9]{3}) '
    r'(?P<bytes>[0-9]+|-)(?: "[^"]*" "[^"]*")?(?P<rest>.*)$'
)
# Short names that people give these variables, and the variables' own.
_NAMES = {
    "request_time": ("rt", "request_time"),
    "upstream_connect_time": ("uct", "upstream_connect_time"),
    "upstream_header_time": ("uht", "upstream_header_time"),
    "upstream_response_time": ("urt", "upstream_response_time"),
    "upstream_status": ("us", "upstream_status"),
    "request_id": ("rid", "req_id", "request_id"),
    "client_request_id": ("crid", "http_x_client_request_id", "x_client_request_id"),
    "upstream_request_id": ("up_rid", "upstream_http_x_request_id"),
    "request_length": ("rl", "request_length"),
    "trace": ("tp", "http_traceparent", "traceparent"),
}


def _named(name: str) -> str:
    """SQL for a ``name=value`` behind the combined part; quotes around the value are taken off, lists kept whole."""
    alternatives = "|".join(_NAMES[name])
    value = '("[^"]*"|[0-9.-]+(?:(?:, | : )[0-9.-]+)+|\\S+)'
    return (
        f"nullif(nullif(trim(regexp_extract(part.rest, '(?:^|[ ,])(?:{alternatives})[=:]{value}', 1), '\"'), ''), '-')"
    )


def _json(name: str) -> str:
    return f"coalesce({', '.join(json_text(f'$.{alias}') for alias in _NAMES[name])})"


def _columns(field: dict[str, str], status: str, started: str, logs_header_time: str) -> dict[str, str]:
    """What both forms share. `field`: the variables of `_NAMES` as SQL text."""
    upstream_status = last_number(field["upstream_status"])
    no_header = f"({logs_header_time} AND {last_number(field['upstream_header_time'])} IS NULL)"
    return {
        "started_at_s": started,
        "started_step_s": "1.0",
        "duration_ms": number(field["request_time"], 1000),
        "connect_ms": last_number(field["upstream_connect_time"], 1000),
        "upstream_first_byte_ms": last_number(field["upstream_header_time"], 1000),
        "upstream_ms": last_number(field["upstream_response_time"], 1000),
        "upstream_status": upstream_status,
        # A list of several: nginx asked one server after the other.
        "upstream_calls": f"len(regexp_extract_all({field['upstream_status']}, '[0-9]+'))",
        "status": status,
        "gave_up": f"CASE WHEN {status} = 499 THEN 'client' "
        f"WHEN {status} = 504 AND {no_header} THEN 'self' "
        f"WHEN {status} = 502 AND {no_header} THEN 'upstream' END",
        "gave_up_word": f"CASE WHEN {status} = 499 OR ({status} IN (502, 504) AND {no_header}) "
        f"THEN {status}::INT::VARCHAR END",
        "client_request_id": field["client_request_id"],
        "request_id": field["upstream_request_id"],
        "call_id": field["request_id"],
        "trace_id": f"nullif(regexp_extract({field['trace']}, '^[0-9a-f]{{2}}-([0-9a-f]{{32}})-', 1), '')",
        "bytes_up": number(field["request_length"]),
    }


def read_combined(source: Source) -> Batch:
    """Lines in the combined (or common) format. Without `$request_time` a record has no duration, and is told so."""
    field = {name: _named(name) for name in _NAMES}
    ended = moment("part.at", "%d/%b/%Y:%H:%M:%S %z")
    started = f"{ended} - coalesce(try_cast({field['request_time']} AS DOUBLE), 0)"
    logged = "regexp_matches(part.rest, '(^|[ ,])(uht|upstream_header_time)[=:]')"
    columns = _columns(field, number("part.status"), started, logged) | {
        "method": "part.method",
        "path": "part.path",
        "bytes_down": number("part.bytes"),
    }
    return read_text_lines(source, _COMBINED, columns, format="nginx", side="proxy", writer="nginx")


def read_json(source: Source) -> Batch:
    """JSON lines whose keys are nginx's variables (``time_iso8601`` or ``msec``, ``status``, ``request_time``, …)."""
    field = {name: _json(name) for name in _NAMES}
    ended = f"coalesce({number(json_text('$.msec'))}, {iso_moment(json_text('$.time_iso8601'))}, " + (
        f"{moment(json_text('$.time_local'), '%d/%b/%Y:%H:%M:%S %z')})"
    )
    started = f"{ended} - coalesce(try_cast({field['request_time']} AS DOUBLE), 0)"
    uri = f"coalesce({json_text('$.uri')}, {json_text('$.request_uri')}, split_part({json_text('$.request')}, ' ', 2))"
    logged = "json_exists(doc, '$.upstream_header_time')"
    columns = _columns(field, number(json_text("$.status")), started, logged) | {
        "method": f"coalesce({json_text('$.request_method')}, split_part({json_text('$.request')}, ' ', 1))",
        "path": f"split_part({uri}, '?', 1)",
        "bytes_down": f"coalesce({number(json_text('$.bytes_sent'))}, {number(json_text('$.body_bytes_sent'))})",
    }
    return read_json_lines(
        source, columns, format="nginx (JSON)", side="proxy", writer="nginx",
        fits=f"{json_text('$.status')} IS NOT NULL",
    )  # fmt: skip


def is_combined(head: str) -> bool:
    """Whether the first lines look like it."""
    lines = [line for line in head.splitlines()[:20] if line.strip()]
    return bool(lines) and sum(re.match(_COMBINED, line) is not None for line in lines) * 2 > len(lines)


def is_json(head: str) -> bool:
    """Whether the first line has nginx's variables for keys."""
    first = next((line for line in head.splitlines() if line.strip()), "")
    return first.startswith("{") and '"request_time"' in first and '"status"' in first and '"upstream' in first
