"""What a page saw becomes marks: pure, on records as Chromium gives them."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from harness.routes.browser import PageClock, take
from harness.wire.caps import Caps
from harness.wire.trace import Trace

CLOCK = PageClock(zero_ns=1_000_000_000, error_ns=50_000)
BODY = b'{"data": []}'

TIMING = {
    "domainLookupStart": 11.0, "domainLookupEnd": 12.0, "connectStart": 12.0, "connectEnd": 20.0,
    "secureConnectionStart": 14.0, "requestStart": 20.5, "responseStart": 300.0, "nextHopProtocol": "h2",
}  # fmt: skip


def seen(**changes: Any) -> dict[str, Any]:
    return {
        "began": 10.0, "status": 200, "headers": [["X-Request-Id", "req_1"]], "headersAt": 301.0,
        "chunks": [[302.0, 5], [303.0, len(BODY) - 5]], "endAt": 303.5, "body": b64encode(BODY).decode(),
        "timing": TIMING, "failure": None, "failedAt": None, "paintedAt": 320.0, "download": None, "sentBytes": 99,
        **changes,
    }  # fmt: skip


def traced(**changes: Any) -> Trace:
    trace = Trace(Caps())
    take(seen(**changes), CLOCK, trace)
    trace.finish()
    return trace


def ms(ns: int | None) -> float | None:
    """On the page's own clock; a mark is the later end of its interval."""
    return None if ns is None else round((ns - CLOCK.zero_ns) / 1e6 - 0.15, 3)


def test_every_moment_that_the_browser_tells_is_a_mark() -> None:
    trace = traced()
    marks = (trace.started_ns, trace.pool_acquired_ns, trace.dns_done_ns, trace.tcp_connected_ns, trace.tls_done_ns)
    assert [ms(one) for one in marks] == [10.0, 11.0, 12.0, 14.0, 20.0]
    marks = (trace.request_sent_ns, trace.first_byte_ns, trace.headers_ns, trace.body_end_ns, trace.painted_ns)
    assert [ms(one) for one in marks] == [20.5, 300.0, 301.0, 303.5, 320.0]
    assert trace.body.whole() == BODY
    assert ms(trace.body.arrived(0).ns) == 302.0
    assert ms(trace.body.arrived(len(BODY) - 1).ns) == 303.0
    assert (trace.http_status, trace.http_version, trace.bytes_up) == (200, "H2", 99)
    assert trace.headers == [("x-request-id", "req_1")]
    assert trace.connection_reused is False


def test_a_stamp_is_as_wide_as_the_pages_clock_is_coarse() -> None:
    stamp = CLOCK.stamp(5.0)
    assert stamp.width_ns == 2 * CLOCK.error_ns + 100_000
    assert stamp.not_before_ns <= CLOCK.zero_ns + 5_000_000 <= stamp.not_after_ns


def test_a_reused_connection_has_no_connecting() -> None:
    reused = {**TIMING, "connectStart": 12.0, "connectEnd": 12.0, "secureConnectionStart": 0}
    trace = traced(timing=reused)
    assert trace.connection_reused is True
    assert (trace.dns_done_ns, trace.tcp_connected_ns, trace.tls_done_ns) == (None, None, None)


def test_what_another_origin_hides_is_null_and_never_zero() -> None:
    hidden = dict.fromkeys(TIMING, 0) | {"nextHopProtocol": ""}
    trace = traced(timing=hidden)
    assert trace.connection_reused is None
    assert trace.request_sent_ns is None
    assert ms(trace.first_byte_ns) == 301.0  # the headers, as the page's code had them: no earlier is known


def test_an_aborted_fetch_has_no_end_but_the_moment_of_the_abort() -> None:
    trace = traced(status=None, headers=[], headersAt=None, chunks=[], endAt=None, body="", timing=None,
                   failure="AbortError", failedAt=60_010.0, paintedAt=None)  # fmt: skip
    assert trace.body_end_ns is None
    assert ms(trace.ended_ns) == 60_010.0
    assert trace.first_byte_ns is None


def test_a_result_by_link_is_a_download_of_its_own() -> None:
    fetched = {"began": 304.0, "status": 200, "endAt": 310.0, "body": b64encode(b"picture").decode()}
    leg = traced(download=fetched).legs[0]
    assert (leg.kind, ms(leg.trace.started_ns), ms(leg.trace.body_end_ns)) == ("download", 304.0, 310.0)
    assert leg.trace.body.whole() == b"picture"
