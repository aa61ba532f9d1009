"""Caddy's JSON logs: access lines (``handled request``) and what its error handler says of the same request.

An access line alone does not say who gave up: a 504 of Caddy's own and one that it passed on look alike but for the
answer's headers. The line of ``http.log.error`` before it (same connection, same path) does, in Go's words. Where a
file has both they are one record; where it has only error lines, those are the records. `ts` is when the line was
written, so the beginning is `duration` before it. Durations are seconds, or as `duration_format` was set.
"""

from __future__ import annotations

from harness.ingest.lines import any_moment, json_text, moment, number, path_of, read_json_lines, trace_of
from harness.ingest.sightings import Batch
from harness.ingest.source import Source

# Of the answer's headers, those by which a layer is recognised; nothing with a name, an account or a cookie in it.
_KEPT = (
    "Server", "Via", "Content-Type", "Content-Length", "Retry-After", "Openai-Processing-Ms", "Cf-Cache-Status",
    "X-Cache", "X-Vercel-Error", "X-Envoy-Upstream-Service-Time", "X-Squid-Error", "X-Timeout-Reason",
)  # fmt: skip
# Go's words (a part of the message) → who ended it, and the word that is kept: never the message, which has addresses.
_WORDS = (
    ("timeout awaiting response headers", "self", "timeout awaiting response headers"),
    ("dial tcp %: i/o timeout", "self", "dial tcp …: i/o timeout"),
    ("%context deadline exceeded", "self", "context deadline exceeded"),
    ("connection refused", "upstream", "connection refused"),
    ("connection reset by peer", "upstream", "connection reset by peer"),
    ("EOF", "upstream", "EOF"),
    ("context canceled", "client", "context canceled"),
    ("read tcp %: i/o timeout", "self", "read tcp …: i/o timeout"),
)


def fits(head: str) -> bool:
    """Whether one of the first lines is an access or error line of Caddy's."""
    lines = head.splitlines()[:50]
    marks = ('"http.log.access', '"http.log.error', '"msg":"handled request"')
    return any(line.startswith("{") and '"request":{' in line and any(m in line for m in marks) for line in lines)


def read(source: Source) -> Batch:
    """Lines of Caddy's access log and of its error log, in one file or each alone."""
    took = _duration(json_text("$.duration"))
    ended = f"coalesce({any_moment(json_text('$.ts'))}, {_walls(json_text('$.ts'))})"
    status = number(json_text("$.status"))
    said = "coalesce(before, own)"
    who = " ".join(f"WHEN {said} LIKE '%{part}%' THEN '{side}'" for part, side, _ in _WORDS)
    word = " ".join(f"WHEN {said} LIKE '%{part}%' THEN '{kept}'" for part, _, kept in _WORDS)
    # Caddy's own 502 and 504 have no body and nobody's Server beside its own; a client that left is a 0 or a 499.
    bare = f"({number(json_text('$.size'))} = 0 AND {_header('resp_headers', 'Server')} = 'Caddy')"
    left = f"(is_access AND coalesce({status}, 0) IN (0, 499))"
    columns = {
        "started_at_s": f"{ended} - coalesce({took}, 0) / 1000",
        "started_step_s": "0.001",
        "duration_ms": took,
        "status": f"nullif({status}, 0)",
        "gave_up": f"""CASE WHEN {left} THEN 'client' {who} WHEN is_access AND {status} = 504 AND {bare} THEN 'self'
            WHEN is_access AND {status} = 502 AND {bare} THEN 'upstream' END""",
        "gave_up_word": f"CASE WHEN {left} THEN 'status ' || ({status}::INT) {word} "
        f"WHEN is_access AND {status} IN (502, 504) AND {bare} THEN ({status}::INT)::VARCHAR END",
        "client_request_id": _header("request.headers", "X-Client-Request-Id"),
        "request_id": f"coalesce({_header('resp_headers', 'X-Request-Id')}, "
        f"{_header('resp_headers', 'Apim-Request-Id')})",
        "call_id": f"coalesce({json_text('$.uuid')}, {json_text('$.request_id')})",
        "trace_id": f"coalesce({trace_of(_header('request.headers', 'Traceparent'))}, {json_text('$.traceID')})",
        "method": json_text("$.request.method"),
        "path": path_of(json_text("$.request.uri")),
        "bytes_up": f"coalesce({number(json_text('$.bytes_read'))}, "
        f"{number(_header('request.headers', 'Content-Length'))})",
        "bytes_down": number(json_text("$.size")),
        "server_ms": number(_header("resp_headers", "Openai-Processing-Ms")),
        "reply_headers": _reply_headers(),
    }
    message = json_text("$.msg")
    same = f"{json_text('$.request.remote_ip')}, {json_text('$.request.remote_port')}, {json_text('$.request.uri')}"
    beside = {
        "is_access": f"coalesce(({message} = 'handled request'), false)",
        "own": f"CASE WHEN {message} <> 'handled request' THEN {message} END",
        "before": f"CASE WHEN lag({message}) OVER same <> 'handled request' THEN lag({message}) OVER same END",
        "told_later": f"coalesce(lead({message}) OVER same = 'handled request', false)",
    }
    window = f"(PARTITION BY {same} ORDER BY line_number)"
    request = "json_exists(doc, '$.request.uri') AND json_exists(doc, '$.status')"
    return read_json_lines(
        source, columns, format="Caddy", side="proxy", writer="caddy",
        fits=f"{request} AND (is_access OR NOT told_later)",
        # Its other lines: starting, certificates, warnings; and error lines that their access line takes up.
        passed_over=f"doc IS NOT NULL AND {json_text('$.level')} IS NOT NULL AND {message} IS NOT NULL",
        beside={name: sql.replace("OVER same", f"OVER {window}") for name, sql in beside.items()},
    )  # fmt: skip


def _duration(text: str) -> str:
    """SQL for ms from Caddy's `duration`: seconds, whole nanoseconds, or Go's words (``1m2.5s``, ``929µs``)."""
    units = (("h", 3.6e6), ("m", 6e4), ("s", 1e3), ("ms", 1.0), ("µs", 1e-3), ("us", 1e-3), ("ns", 1e-6))
    parts = " + ".join(
        f"coalesce(try_cast(regexp_extract({text}, '(?:^|[a-zµ])([0-9.]+){unit}(?:[0-9]|$)', 1) AS DOUBLE), 0) * {ms!r}"
        for unit, ms in units
    )
    bare = f"try_cast({text} AS DOUBLE)"
    worded = f"CASE WHEN regexp_matches({text}, '^([0-9.]+(h|m|s|ms|µs|us|ns))+$') THEN {parts} END"
    # No request took a million seconds; a whole number as large as that is nanoseconds.
    plain = f"CASE WHEN {bare} >= 1e6 THEN {bare} / 1e6 WHEN {bare} >= 0 THEN {bare} * 1e3 END"
    return f"coalesce({plain}, {worded})"


def _walls(text: str) -> str:
    """SQL for the time formats of Caddy's that are not ISO 8601; those without a zone are taken as UTC."""
    return f"coalesce({moment(text, '%Y/%m/%d %H:%M:%S.%g')}, {moment(text, '%Y/%m/%d %H:%M:%S')}, " + (
        f"{moment(text, '%d/%b/%Y:%H:%M:%S %z')})"
    )


def _header(of: str, name: str) -> str:
    """SQL for a header's last value. Caddy writes a list of values, a later one by whoever is further in."""
    return json_text(f'$.{of}."{name}"[#-1]')


def _reply_headers() -> str:
    pairs = ", ".join(f"'{name.lower()}', substr({_header('resp_headers', name)}, 1, 200)" for name in _KEPT)
    return f"json_merge_patch('{{}}'::JSON, json_object({pairs}))::VARCHAR"  # a merge leaves out what is null
