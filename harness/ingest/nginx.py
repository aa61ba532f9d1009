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

from harness.ingest.lines import (
    any_moment,
    json_text,
    last_number,
    method_of,
    moment,
    number,
    path_of,
    read_json_lines,
    read_text_lines,
    requested,
    trace_of,
)
from harness.ingest.named import ID_NAMES, has, named
from harness.ingest.sightings import Batch
from harness.ingest.source import Source

# Before the moment: an address of either kind, a user (who may have blanks), a virtual host, what syslog puts there.
# A request is one quoted text: a client may send anything, and "-" or "\x16\x03" with a 400 is a line like any other.
COMBINED = (
    r"^[^\[]*(?:\[[0-9a-fA-F:.]+\][^\[]*)?\[(?P<at>[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[^\]]{8,16})\] "
    r'"(?P<request>(?:[^"\\]|\\.)*)" (?P<status>[0-9]{3}) (?P<bytes>[0-9]+|-)'
    r'(?: "(?:[^"\\]|\\.)*" "(?:[^"\\]|\\.)*")?(?P<rest>.*)$'
)
FORM = "%d/%b/%Y:%H:%M:%S %z"
# Short names that people give these variables, and the variables' own.
_NAMES = {
    "request_time": ("rt", "request_time"),
    "upstream_connect_time": ("uct", "upstream_connect_time"),
    "upstream_header_time": ("uht", "upstream_header_time"),
    "upstream_response_time": ("urt", "upstream_response_time"),
    "upstream_status": ("us", "upstream_status"),
    "request_length": ("rl", "request_length"),
    **ID_NAMES,
}


def _json(name: str) -> str:
    return f"coalesce({', '.join(json_text(f'$.{alias}') for alias in _NAMES[name])})"


def _columns(field: dict[str, str], status: str, ended: str, logs_header_time: str) -> dict[str, str]:
    """What both forms share. `field`: the variables of `_NAMES` as SQL text."""
    no_header = f"({logs_header_time} AND {last_number(field['upstream_header_time'])} IS NULL)"
    return {
        "started_at_s": f"{ended} - coalesce(try_cast({field['request_time']} AS DOUBLE), 0)",
        "duration_ms": number(field["request_time"], 1000),
        "connect_ms": last_number(field["upstream_connect_time"], 1000),
        "upstream_first_byte_ms": last_number(field["upstream_header_time"], 1000),
        "upstream_ms": last_number(field["upstream_response_time"], 1000),
        "upstream_status": last_number(field["upstream_status"]),
        # A list of several: nginx asked one server after the other.
        "upstream_calls": f"nullif(len(regexp_extract_all({field['upstream_status']}, '[0-9]+')), 0)",
        "status": f"nullif({status}, 0)",
        "gave_up": f"CASE WHEN {status} = 499 THEN 'client' "
        f"WHEN {status} = 504 AND {no_header} THEN 'self' "
        f"WHEN {status} = 502 AND {no_header} THEN 'upstream' END",
        "gave_up_word": f"CASE WHEN {status} = 499 OR ({status} IN (502, 504) AND {no_header}) "
        f"THEN {status}::INT::VARCHAR END",
        "client_request_id": field["client_request_id"],
        "request_id": field["upstream_request_id"],
        "call_id": field["request_id"],
        "trace_id": trace_of(field["trace"]),
        "bytes_up": number(field["request_length"]),
    }


def read_combined(source: Source) -> Batch:
    """Lines in the combined (or common) format. Without `$request_time` a record has an end, but no duration."""
    field = {name: named("part.rest", names) for name, names in _NAMES.items()}
    logged = has("part.rest", _NAMES["upstream_header_time"])
    columns = _columns(field, number("part.status"), moment("part.at", FORM), logged) | {
        "started_step_s": "1.0",
        "method": method_of("part.request"),
        "path": requested("part.request"),
        "bytes_down": number("part.bytes"),
    }
    return read_text_lines(source, COMBINED, columns, format="nginx", side="proxy", writer="nginx")


def read_json(source: Source) -> Batch:
    """JSON lines whose keys are nginx's variables (``time_iso8601`` or ``msec``, ``status``, ``request_time``, …)."""
    field = {name: _json(name) for name in _NAMES}
    fine = number(json_text("$.msec"))
    ended = f"coalesce({fine}, {any_moment(json_text('$.time_iso8601'))}, " + (
        f"{moment(json_text('$.time_local'), FORM)}, {any_moment(json_text('$.time'))})"
    )
    logged = "(json_exists(doc, '$.upstream_header_time') OR json_exists(doc, '$.uht'))"
    request = json_text("$.request")
    uri = path_of(f"coalesce({json_text('$.uri')}, {json_text('$.request_uri')})")
    columns = _columns(field, number(json_text("$.status")), ended, logged) | {
        "started_step_s": f"CASE WHEN {fine} IS NULL THEN 1.0 ELSE 0.001 END",
        "method": f"coalesce({json_text('$.request_method')}, {method_of(request)})",
        "path": f"coalesce(nullif({uri}, ''), {requested(request)})",
        "bytes_down": f"coalesce({number(json_text('$.bytes_sent'))}, {number(json_text('$.body_bytes_sent'))})",
    }
    return read_json_lines(
        source, columns, format="nginx (JSON)", side="proxy", writer="nginx",
        fits=f"{json_text('$.status')} IS NOT NULL",
    )  # fmt: skip


def fits_most(head: str, pattern: str) -> bool:
    """Whether more than half of the first lines are of a pattern."""
    lines = [line for line in head.splitlines()[:20] if line.strip() and len(line) < 20_000]
    return bool(lines) and sum(re.match(pattern, line) is not None for line in lines) * 2 > len(lines)


def is_combined(head: str) -> bool:
    """Whether the first lines look like it."""
    return fits_most(head, COMBINED)


def is_json(head: str) -> bool:
    """Whether the first line has nginx's variables for keys."""
    first = next((line for line in head.splitlines() if line.strip()), "")
    nginxs = '"upstream' in first or '"request_uri"' in first or '"body_bytes_sent"' in first
    return first.startswith("{") and '"request_time"' in first and '"status"' in first and nginxs
