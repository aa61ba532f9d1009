"""Apache httpd access logs: combined, with ``D=%D`` (µs) or ``T=%T`` (s) behind it, or a bare ``%D`` at the end.

Apache writes when a request came, not when it was over. Its log has no word for its own timeout; ``X=%X`` says whether
the connection was aborted before the answer was whole. A bare number at the end cannot be told from ``%T``, so such a
file is read as Apache's when it is named (``--log-format apache``), and the number as microseconds.
"""

from __future__ import annotations

from harness.ingest.lines import method_of, moment, number, read_text_lines, requested, trace_of
from harness.ingest.named import ID_NAMES, named
from harness.ingest.nginx import COMBINED, FORM, fits_most
from harness.ingest.sightings import Batch
from harness.ingest.source import Source

_MARKED = COMBINED.removesuffix("(?P<rest>.*)$") + r".*[ ,](?:D|duration_us)=[0-9]+"


def fits(head: str) -> bool:
    """Whether the first lines are combined ones with Apache's ``D=`` behind them."""
    return fits_most(head, _MARKED)


def read(source: Source) -> Batch:
    """Lines of Apache's. Without ``%D`` or ``%T`` a record has a beginning, but no duration."""
    rest = "part.rest"
    bare = f"nullif(regexp_extract({rest}, '^ ([0-9]+)$', 1), '')"
    fine, coarse = named(rest, ("D", "duration_us")), named(rest, ("T", "duration_s"))
    took = f"coalesce({number(fine, 1e-3)}, {number(coarse, 1e3)}, {number(bare, 1e-3)})"
    aborted = f"{named(rest, ('X',))} = 'X'"
    columns = {
        "started_at_s": moment("part.at", FORM),
        "started_step_s": "1.0",
        "duration_ms": took,
        "status": f"nullif({number('part.status')}, 0)",
        "gave_up": f"CASE WHEN {aborted} THEN 'client' END",
        "gave_up_word": f"CASE WHEN {aborted} THEN 'aborted' END",
        "client_request_id": named(rest, ID_NAMES["client_request_id"]),
        "request_id": named(rest, ID_NAMES["upstream_request_id"]),
        "call_id": named(rest, ID_NAMES["request_id"]),
        "trace_id": trace_of(named(rest, ID_NAMES["trace"])),
        "method": method_of("part.request"),
        "path": requested("part.request"),
        "bytes_down": number("part.bytes"),
    }
    return read_text_lines(source, COMBINED, columns, format="Apache", side="proxy", writer="apache")
