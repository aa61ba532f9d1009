"""HAProxy's HTTP log (``option httplog``, ``option httpslog``), with syslog's prefix or without.

The termination state says who ended a request; its first letter the side, its second the moment
(https://docs.haproxy.org/2.6/configuration.html#8.5):

* ``sH``, ``sD``, ``sC``, ``sQ``: a timer of HAProxy's towards the server ran out → *self*
* ``SH``, ``SD``, ``SC``, and ``D.`` (the server was found down): the server closed or refused → *upstream*
* ``C.``: the client closed → *client*. ``cD``, ``cH``: `timeout client` ran out, so HAProxy closed, but because the
  client neither took nor sent a byte: nothing behind HAProxy was slow, and the place to look is the same → *client*
* ``cR``: `timeout http-request` ran out before the request was whole: HAProxy's own timer, in the catalog → *self*
* ``--``: it went to its end → *nobody*. ``P``, ``R``, ``I``, ``L``, ``K``, ``U`` are refusals, limits and kills of its
  own: no one gave up waiting, and a status of 200 with one of them is no whole answer

The log's moment has no zone: that of a syslog prefix is taken where it has one, else UTC. `-1` is a step that was not
reached. Ids are in captured headers (``capture request header X-Client-Request-Id len 64``), which the log writes
without names: what has the form of a UUID, of ``req_…`` or of a traceparent is taken, anything else is not looked at.
"""

from __future__ import annotations

from harness.ingest.lines import iso_moment, method_of, moment, number, read_text_lines, requested, trace_of
from harness.ingest.named import ID_NAMES, named
from harness.ingest.nginx import fits_most
from harness.ingest.sightings import Batch
from harness.ingest.source import Source

_LINE = (
    r"^(?P<prefix>.*?)\S+ \[(?P<at>[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3})\] "
    r"\S+ \S+/\S+ (?P<asked_in>-?[0-9]+)/(?P<queued>-?[0-9]+)/(?P<connected>-?[0-9]+)/(?P<answered>-?[0-9]+)/"
    r"(?P<whole>\+?-?[0-9]+) (?P<status>-?[0-9]+) (?P<bytes>\+?[0-9]+) \S+ \S+ (?P<state>[A-Za-z-]{2})[A-Za-z-]{2} "
    r"[0-9/]+/\+?[0-9]+ [0-9]+/[0-9]+(?: \{(?P<captured>[^}]*)\})?(?: \{(?P<captured_down>[^}]*)\})? "
    r'(?:\S+ )?"(?P<request>[^"]*)"?(?P<rest>.*)$'
)
_UUID = r"(?:^|\|)([0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12})(?:\||$)"
_REQ = r"(?:^|\|)(req_[0-9A-Za-z_-]{6,64})(?:\||$)"
_TRACE = r"(?:^|\|)([0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2})(?:\||$)"


def fits(head: str) -> bool:
    """Whether the first lines look like it; HAProxy says a few words on starting, which may stand before them."""
    return fits_most("\n".join(line for line in head.splitlines() if not line.startswith("[")), _LINE)


def _captured(form: str, *places: str) -> str:
    found = ", ".join(f"nullif(regexp_extract({place}, '{form}', 1), '')" for place in places)
    return f"coalesce({found}, NULL)"


def read(source: Source) -> Batch:
    """Lines of the HTTP log."""
    to_ask, queued, to_connect = number("part.asked_in"), number("part.queued"), number("part.connected")
    to_answer, whole = number("part.answered"), number("part.whole")
    side, when = "part.state[1]", "part.state[2]"
    # With `option logasap` the line is written before the end, and says so with a plus.
    took = f"CASE WHEN NOT starts_with(part.whole, '+') THEN {whole} END"
    before = f"coalesce({to_ask}, 0) + coalesce({queued}, 0) + coalesce({to_connect}, 0)"
    # The request's own zone, where syslog wrote one before it.
    zone = "nullif(regexp_extract(part.prefix, 'T[0-9:.,]+(Z|[+-][0-9]{2}:?[0-9]{2})', 1), '')"
    local = "strftime(try_strptime(part.at, '%d/%b/%Y:%H:%M:%S.%g'), '%Y-%m-%dT%H:%M:%S.%g')"
    zoned = iso_moment(f"({local} || {zone})")
    cut_short = f"{side} IN ('P', 'R', 'I', 'K', 'U') AND {when} IN ('D', 'L')"
    traced = named("part.rest", ID_NAMES["trace"])
    columns = {
        "started_at_s": f"coalesce({zoned}, {moment('part.at', '%d/%b/%Y:%H:%M:%S.%g')})",
        "started_step_s": "0.001",
        "duration_ms": took,
        "request_sent_at_ms": to_ask,
        "connect_ms": to_connect,
        "first_byte_at_ms": f"{before} + {to_answer}",
        "upstream_first_byte_ms": f"coalesce({to_connect}, 0) + {to_answer}",
        # The timer towards the server runs from the last thing that it did: being connected, where it was.
        "upstream_ms": f"CASE WHEN ({took}) >= ({before}) THEN ({took}) - ({before}) END",
        "upstream_status": f"CASE WHEN {to_answer} IS NOT NULL THEN nullif({number('part.status')}, 0) END",
        "upstream_calls": f"CASE WHEN {to_connect} IS NOT NULL THEN 1 END",
        "status": f"CASE WHEN NOT ({cut_short}) THEN nullif({number('part.status')}, 0) END",
        "gave_up": f"""CASE WHEN part.state = 'cR' THEN 'self'
            WHEN {side} IN ('c', 'C') THEN 'client' WHEN {side} = 's' THEN 'self'
            WHEN {side} IN ('S', 'D') THEN 'upstream' WHEN part.state = '--' THEN 'nobody' END""",
        # As the catalog has them: the last two letters are about cookies.
        "gave_up_word": "part.state || '--'",
        "client_request_id": f"coalesce({named('part.rest', ID_NAMES['client_request_id'])}, "
        f"{_captured(_UUID, 'part.captured')})",
        "request_id": f"coalesce({named('part.rest', ID_NAMES['upstream_request_id'])}, "
        f"{_captured(_REQ, 'part.captured_down', 'part.captured')}, {_captured(_UUID, 'part.captured_down')})",
        "call_id": named("part.rest", ID_NAMES["request_id"]),
        "trace_id": trace_of(f"coalesce({traced}, {_captured(_TRACE, 'part.captured')})"),
        "method": method_of("part.request"),
        "path": requested("part.request"),
        "bytes_down": number("ltrim(part.bytes, '+')"),
    }
    return read_text_lines(
        source, _LINE, columns, format="HAProxy", side="proxy", writer="haproxy",
        passed_over="starts_with(line, '[NOTICE]') OR starts_with(line, '[WARNING]')",
    )  # fmt: skip
