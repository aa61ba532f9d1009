"""Logs of AWS: the Application Load Balancer's access log, and CloudFront's standard log.

Load balancer: fields with blanks between them, in the order of
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html; -1 is a step that
was not reached. 460 is its word for a client that closed first; a 504 without a target's status is its own. There
is one 504 for a target that took no connection within ten seconds and for one that was silent for the idle timeout.

CloudFront: tab-separated, fields named by the ``#Fields:`` line (or JSON lines under the same names), as in
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logs-reference.html. Its moment is when it
finished, in whole seconds. `x-edge-detailed-result-type` says who failed.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from harness.ingest.lines import (
    iso_moment,
    json_key,
    method_of,
    number,
    path_of,
    read_cells,
    read_json_lines,
    read_text_lines,
    requested,
)
from harness.ingest.nginx import fits_most
from harness.ingest.sightings import Batch
from harness.ingest.source import Source

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_ALB = (
    r"^(?:https?|h2|grpcs?|wss?) (?P<ended>[0-9]{4}-[0-9T:.-]+Z) \S+ \S+ \S+ (?P<ask>-?[0-9.]+) (?P<target>-?[0-9.]+) "
    r"(?P<reply>-?[0-9.]+) (?P<status>[0-9]{3}|-) (?P<target_status>[0-9]{3}|-) (?P<up>[0-9]+) (?P<down>[0-9]+) "
    rf'"(?P<request>(?:[^"\\]|\\.)*)" {_QUOTED} \S+ \S+ \S+ "(?P<trace>[^"]*)"(?: {_QUOTED} {_QUOTED} \S+ '
    r"(?P<created>[0-9]{4}-\S+Z).*)?$"
)


def fits_alb(head: str) -> bool:
    """Whether the first lines look like it."""
    return fits_most(head, _ALB)


def read_alb(source: Source) -> Batch:
    """Lines of a load balancer's access log; fields that were added at the end over the years may be missing."""
    ended, created = iso_moment("part.ended"), iso_moment("nullif(part.created, '')")
    ask, target, reply = number("part.ask", 1e3), number("part.target", 1e3), number("part.reply", 1e3)
    status, theirs = number("part.status"), number("part.target_status")
    began = f"coalesce({created}, {ended} - (coalesce({ask}, 0) + coalesce({target}, 0) + coalesce({reply}, 0)) / 1000)"
    columns = {
        "started_at_s": began,
        "started_step_s": "0.001",
        # Both moments are of its own clock, and there when no step was reached.
        "duration_ms": f"coalesce(round(({ended} - {created}) * 1000, 3), {ask} + {target} + {reply})",
        "request_sent_at_ms": ask,
        "first_byte_at_ms": f"{ask} + {target}",
        "upstream_first_byte_ms": target,
        "upstream_ms": f"{target} + {reply}",
        "upstream_status": theirs,
        "status": status,
        "gave_up": f"""CASE WHEN {status} IN (408, 460) THEN 'client'
            WHEN {status} = 504 AND {theirs} IS NULL THEN 'self'
            WHEN {status} = 502 AND {theirs} IS NULL THEN 'upstream'
            WHEN {status} = {theirs} THEN 'nobody' END""",
        "gave_up_word": f"CASE WHEN {status} IN (408, 460) OR ({status} IN (502, 504) AND {theirs} IS NULL) "
        f"THEN ({status}::INT)::VARCHAR END",
        "trace_id": "nullif(regexp_extract(part.trace, 'Root=([0-9a-f-]{20,60})', 1), '')",
        "method": method_of("part.request"),
        "path": requested("part.request"),
        "bytes_up": number("part.up"),
        "bytes_down": number("part.down"),
    }
    return read_text_lines(source, _ALB, columns, format="AWS load balancer", side="proxy", writer="aws_alb")


_STANDARD = re.split(
    " +",
    "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) "
    "cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken "
    "x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status "
    "fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len "
    "sc-range-start sc-range-end",
)
_LEFT = ("ClientCommError", "ClientHungUpRequest", "AbortedOrigin")
_LINE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\t[0-9:]{8}\t[A-Z]{3}[0-9A-Z-]*\t"


def fits_cloudfront(head: str) -> bool:
    """Whether there is a line of fields with CloudFront's own, or lines like its lines, or its names as keys."""
    first = next((line for line in head.splitlines() if line.strip()), "")
    return bool(re.search(r"^#Fields:.*x-edge-result-type", head, re.MULTILINE)) or fits_most(head, _LINE) or (
        first.startswith("{") and '"x-edge-result-type"' in first
    )  # fmt: skip


def read_cloudfront(source: Source) -> Batch:
    """Lines of the standard log. Without a ``#Fields:`` line the 33 fields of the documentation are taken."""
    if source.head.lstrip().startswith("{"):
        columns = _cloudfront(json_key)
        return read_json_lines(
            source, columns, format="CloudFront (JSON)", side="proxy", writer="cloudfront",
            fits=f"{json_key('sc-status')} IS NOT NULL",
        )  # fmt: skip
    told = re.search(r"^#Fields:\s*(.*)$", source.head, re.MULTILINE)
    names = told[1].split() if told else _STANDARD

    def cell(name: str) -> str:
        return f"nullif(nullif(cells[{names.index(name) + 1}], '-'), '')" if name in names else "NULL::VARCHAR"

    columns = _cloudfront(cell)
    return read_cells(source, "\t", len(names), columns, format="CloudFront", side="proxy", writer="cloudfront")


def _cloudfront(cell: Callable[[str], str]) -> dict[str, str]:
    took, status = number(cell("time-taken"), 1e3), number(cell("sc-status"))
    result, kind = cell("x-edge-detailed-result-type"), cell("x-edge-result-type")
    ended = iso_moment(f"({cell('date')} || 'T' || {cell('time')})")
    left = f"({result} IN {_LEFT} OR ({status} = 0 AND NOT coalesce(starts_with({result}, 'Origin'), false)))"
    origin = f"(starts_with({result}, 'Origin') AND {result} <> 'OriginError')"
    return {
        "started_at_s": f"{ended} - coalesce({took}, 0) / 1000",
        "started_step_s": "1.0",
        "duration_ms": took,
        "first_byte_at_ms": number(cell("time-to-first-byte"), 1e3),
        "status": f"nullif({status}, 0)",
        "gave_up": f"""CASE WHEN {left} THEN 'client'
            WHEN {origin} AND {status} = 504 THEN 'self' WHEN {origin} THEN 'upstream'
            WHEN {result} = 'OriginError' OR {kind} IN ('Hit', 'Miss', 'RefreshHit') THEN 'nobody'
            END""",
        "gave_up_word": f"CASE WHEN {left} OR {origin} "
        f"THEN coalesce(nullif(regexp_extract({result}, '^[A-Za-z]+$'), ''), '000') END",
        "call_id": cell("x-edge-request-id"),
        "method": cell("cs-method"),
        "path": path_of(cell("cs-uri-stem")),
        "bytes_up": number(cell("cs-bytes")),
        "bytes_down": number(cell("sc-bytes")),
    }
