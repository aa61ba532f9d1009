"""A run as HAR 1.2, an entry for each attempt: for the viewers that everybody has.

http://www.softwareishard.com/blog/har-12-spec/. -1 is what did not apply. The URL's host stands for the route and never
resolves; what was asked for is told without the prompt, and bodies are counted, not kept.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec

from harness import __version__
from harness.events import Attempt, JobEvent
from harness.export.safe import ended_as, host_of, moment, path_of, phases_of

_PHASES = ("blocked", "dns", "connect", "ssl", "send", "wait", "receive")
_ASKED = ("model", "quality", "size", "output_format", "n", "stream", "background", "moderation", "partial_images")
_MIMES = {"json": "application/json", "sse": "text/event-stream", "html": "text/html", "text": "text/plain"}

HEAD = (
    b'{"log":{"version":"1.2","creator":'
    + msgspec.json.encode({"name": "harness", "version": __version__})
    + b',"pages":[],"entries":[\n'
)
BETWEEN = b",\n"
TAIL = b"\n]}}\n"


def pieces(event: JobEvent) -> list[bytes]:
    """The entries of one job."""
    return [msgspec.json.encode(entry_of(event, attempt)) for attempt in event.attempts]


def entry_of(event: JobEvent, attempt: Attempt) -> dict[str, Any]:
    """One attempt as an entry."""
    timings = phases_of(attempt)
    given = {name: getattr(event, name) for name in _ASKED}
    shape = msgspec.json.encode({name: value for name, value in given.items() if value is not None}).decode()
    ids = {"x-request-id": attempt.request_id, **attempt.ids}
    problem = ended_as(attempt)
    return {
        "startedDateTime": moment(event, attempt.marks.started_at_ms).isoformat(timespec="microseconds"),
        "time": sum(value for name, value in timings.items() if name != "ssl"),
        "request": {
            "method": "POST",
            "url": f"https://{host_of(event.route)}{path_of(event.endpoint)}",
            "httpVersion": attempt.http_version or "HTTP/1.1",
            "cookies": [],
            "headers": _headers({"x-client-request-id": attempt.client_request_id}),
            "queryString": [],
            "postData": {"mimeType": "application/json", "text": shape, "comment": "what was asked for, no prompt"},
            "headersSize": -1,
            "bodySize": attempt.bytes_up,
        },
        "response": {
            "status": attempt.http_status or 0,
            "statusText": _reason(attempt.http_status),
            "httpVersion": attempt.http_version or "HTTP/1.1",
            "cookies": [],
            "headers": _headers({**attempt.headers, **{name: value for name, value in ids.items() if value}}),
            "content": {
                "size": attempt.bytes_down,
                "mimeType": _MIMES.get(attempt.body_kind or "", "x-unknown"),
                "comment": "counted, not kept",
            },
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": attempt.bytes_down if attempt.http_status is not None else -1,
            **({} if problem is None else {"_error": problem}),
        },
        "cache": {},
        "timings": {name: timings.get(name, -1) for name in _PHASES},
        "_job": event.job_id,
        "_attempt": attempt.number,
        "_route": event.route,
        "_outcome": event.outcome,
        "_partialImagesAt": [span.whole_at_ms - attempt.marks.started_at_ms for span in attempt.marks.partial_images],
    }


def _headers(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _reason(status: int | None) -> str:
    try:
        return HTTPStatus(status).phrase if status is not None else ""
    except ValueError:
        return ""
