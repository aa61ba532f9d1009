"""HAR 1.2: what a browser (or Playwright, or a proxy that writes HAR) saw of each request.

http://www.softwareishard.com/blog/har-12-spec/: times in ms, -1 for what did not apply, `ssl` counted within `connect`
(beside it where the sum says so).
Chromium, Firefox, Safari and Playwright say why a request without an answer ended in fields of their own
(`_error`, `_failureText`), as ``net::ERR_…`` or ``NS_…``; its status is then 0 or -1.

An entry that cannot be read is set aside by its number; so is, in a file that is cut short, what comes after the cut.
Of headers only those on the allow-list (`harness.evidence`) are looked at; of bodies see `harness.ingest.bodies`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from harness.errors import UsageProblem
from harness.evidence import REQUEST_ID, kept_headers, server_ms
from harness.ingest.bodies import read_answer, read_request, word
from harness.ingest.sightings import TOLD, Batch, Setback, complete
from harness.ingest.source import MAX_DOCUMENT, Source

_FITS = re.compile(r'^\s*\{\s*"log"\s*:\s*\{')
_NET_ERROR = re.compile(r"(?:net::)?ERR_[A-Z0-9_]{3,60}|NS_[A-Z0-9_]{3,60}")
# Ended by the page's script, or by whoever closed it.
_LEFT = re.compile(r"ERR_ABORTED|NS_BINDING_ABORTED|cancel", re.IGNORECASE)
_OWN_CAP = re.compile(r"TIMED_OUT|NET_TIMEOUT|timed out|local_cap", re.IGNORECASE)
# A string as a whole, be it one that the end of the file cuts; a brace; the end of a list.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[{}\]]', re.DOTALL)
_TRACE = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-")
# Ids by which the next hops' logs know the exchange, the most telling first.
_CALL_IDS = ("x-litellm-call-id", "cf-ray", "x-amz-cf-id", "x-vercel-id", "apim-request-id")

_COLO = re.compile(r"(?<=[0-9a-f]{16})-[A-Z]{3}$")  # Cloudflare's logs have its ray ids without the place


class _Header(msgspec.Struct):
    name: str = ""
    value: str | None = ""


class _Post(msgspec.Struct):
    mime: str | None = msgspec.field(name="mimeType", default=None)
    text: str | None = None
    params: list[_Header] | None = None


class _Request(msgspec.Struct):
    method: str
    url: str
    headers: list[_Header] = []
    post: _Post | None = msgspec.field(name="postData", default=None)
    body_bytes: float | None = msgspec.field(name="bodySize", default=None)
    headers_bytes: float | None = msgspec.field(name="headersSize", default=None)


class _Content(msgspec.Struct):
    size: float | None = None
    mime: str | None = msgspec.field(name="mimeType", default=None)
    text: str | None = None
    encoding: str | None = None


class _Response(msgspec.Struct):
    status: float | None = None
    headers: list[_Header] = []
    content: _Content | None = None
    body_bytes: float | None = msgspec.field(name="bodySize", default=None)
    transfer_bytes: float | None = msgspec.field(name="_transferSize", default=None)
    error: str | None = msgspec.field(name="_error", default=None)
    failure: str | None = msgspec.field(name="_failureText", default=None)


class _Timings(msgspec.Struct):
    blocked: float | None = None
    dns: float | None = None
    connect: float | None = None
    ssl: float | None = None
    send: float | None = None
    wait: float | None = None
    receive: float | None = None


class _Entry(msgspec.Struct):
    started: str = msgspec.field(name="startedDateTime")
    request: _Request
    response: _Response
    time: float | None = None
    timings: _Timings | None = None
    route: str | None = msgspec.field(name="_route", default=None)  # our own export has it
    error: str | None = msgspec.field(name="_error", default=None)


class _Log(msgspec.Struct):
    entries: list[msgspec.Raw]


class _Document(msgspec.Struct):
    log: _Log


_entry = msgspec.json.Decoder(_Entry, strict=False)


def is_har(head: str) -> bool:
    """Whether it begins like one."""
    return _FITS.match(head) is not None


def read_har(source: Source) -> Batch:
    """Every entry but CORS preflights as the client's record.

    Raises:
        UsageProblem: the file is too large for one document.
    """
    if source.path.stat().st_size > MAX_DOCUMENT:
        raise UsageProblem(f"{source.name}: larger than {MAX_DOCUMENT >> 20} MiB; cut out the pages that matter")
    rows: list[dict[str, Any]] = []
    bad = list(source.bad)
    for number, raw in enumerate(_entries(source.path.read_bytes()), start=1):
        if raw is None:
            bad.append(Setback(number, "the file ends within this entry, or it is no JSON from here on"))
            continue
        try:
            entry = _entry.decode(raw)
            if entry.request.method != "OPTIONS":
                rows.append(_row(number, entry))
        except (msgspec.MsgspecError, RecursionError, ValueError, OverflowError):
            bad.append(Setback(number, "entry of another form than HAR 1.2 has"))
    names = {name for row in rows for name in row}
    columns = {name: [row.get(name) for row in rows] for name in names}
    return Batch("HAR", complete(columns, rows=len(rows), side="client", writer="browser"), tuple(bad[:TOLD]), len(bad))


def _entries(document: bytes) -> Iterator[bytes | msgspec.Raw | None]:
    """The text of each entry. In a document that is no JSON as a whole, entries are found by their braces."""
    try:
        yield from msgspec.json.decode(document, type=_Document).log.entries
        return
    except (msgspec.MsgspecError, RecursionError):
        pass
    begun = re.search(rb'"entries"\s*:\s*\[', document)
    if begun is None:
        yield None
        return
    depth, start = 0, begun.end()
    for token in _TOKEN.finditer(document, begun.end()):
        found = token.group()
        if found == b"{":
            start = token.start() if depth == 0 else start
            depth += 1
        elif found == b"}":
            depth -= 1
            if depth == 0:
                yield document[start : token.end()]
        elif found == b"]" and depth == 0:
            return
    if depth > 0:
        yield None


def _row(number: int, entry: _Entry) -> dict[str, Any]:
    request, response = entry.request, entry.response
    status = response.status if response.status is not None and response.status > 0 else None
    headers = [(one.name.lower(), one.value or "") for one in response.headers]
    asked = {one.name.lower(): one.value or "" for one in request.headers}
    evidence, ids = kept_headers(headers)
    post, content = request.post or _Post(), response.content or _Content()
    shape = read_request(post.text, post.mime, [(one.name, one.value or "") for one in post.params or ()])
    body = read_answer(content.text, content.mime, failed=(status or 0) >= 400, encoded=content.encoding == "base64")
    trace = _TRACE.match(asked.get("traceparent", ""))
    return {
        "line": number,
        "started_at_s": _moment(entry.started),
        "started_step_s": 0.001,
        **_times(entry, status),
        **_ending(entry),
        "status": status,
        "server_ms": server_ms(evidence),
        "client_request_id": asked.get("x-client-request-id") or ids.get("x-client-request-id"),
        "request_id": ids.get(REQUEST_ID),
        "call_id": next((_COLO.sub("", ids[name]) for name in _CALL_IDS if name in ids), None),
        "trace_id": trace[1] if trace else None,
        "route": word(entry.route),
        "method": request.method[:10],
        "path": urlsplit(request.url).path,
        "model": shape.model,
        "quality": shape.quality,
        "size": shape.size,
        "output_format": shape.output_format,
        "n": shape.n,
        "stream": None if shape.stream is None else float(shape.stream),
        "prompt_chars": shape.prompt_chars,
        "prompt_hash": shape.prompt_hash,
        "bytes_up": _total(request.headers_bytes, request.body_bytes),
        "bytes_down": next((size for size in (response.transfer_bytes, response.body_bytes, content.size)
                            if size is not None and size > 0), None),
        "images": body.images,
        "image_bytes": body.image_bytes,
        "usage_input_tokens": body.input_tokens,
        "usage_output_tokens": body.output_tokens,
        "error_type": body.error_type,
        "error_code": body.error_code,
        "body_kind": body.kind if status is not None else None,
        "body_head": body.page,
        "reply_headers": msgspec.json.encode(evidence).decode() if evidence else None,
    }  # fmt: skip


def _times(entry: _Entry, status: float | None) -> dict[str, float | None]:
    """Marks and durations in ms. What is -1, absent or contradicts itself is not said."""
    given = entry.timings or _Timings()
    spans = _total(given.blocked, given.dns, given.connect, given.send, given.wait, given.receive)
    # Firefox writes `ssl` beside `connect` and not within it, which only the sum tells.
    tls = _tls_apart(given.ssl, entry.time, spans)
    sent = _total(given.blocked, given.dns, given.connect, tls, given.send) if _is(given.send) else None
    first = sent + given.wait if sent is not None and given.wait is not None and given.wait >= 0 else None
    # No exchange took nothing: 0 is what browsers write of one that was not over yet.
    whole = (entry.time if _is(entry.time) else None) or spans or None
    return {
        "duration_ms": whole,
        "connect_ms": _total(given.dns, given.connect, tls),
        # Without an answer nobody can tell how far a request had got, except where it was waited for.
        "request_sent_at_ms": sent if status is not None or (given.wait or 0) > 0 else None,
        "first_byte_at_ms": first if status is not None else None,
    }


def _tls_apart(ssl: float | None, whole: float | None, spans: float | None) -> float | None:
    """TLS where the spans do not hold it: null where they do, or where there was none."""
    if ssl is None or ssl <= 0 or whole is None or spans is None:
        return None
    return ssl if abs(whole - spans - ssl) < abs(whole - spans) / 2 else None


def _ending(entry: _Entry) -> dict[str, str | None]:
    """Who ended it, where the browser says."""
    said = entry.response.error or entry.response.failure or entry.error
    if not said:
        return {}
    code = _NET_ERROR.search(said)
    # What is no browser's code may be our own export's word (docs/export.md).
    name = code.group() if code else "ConnectError" if said.startswith("connect_failed") else "RequestFailed"
    gave_up = "client" if _LEFT.search(said) else "self" if _OWN_CAP.search(said) else "upstream"
    return {"gave_up": gave_up, "gave_up_word": name, "failure": name}


def _is(value: float | None) -> bool:
    return value is not None and value >= 0


def _total(*values: float | None) -> float | None:
    known = [value for value in values if value is not None and value >= 0]
    return sum(known) if known else None


def _moment(text: str) -> float:
    """Seconds since 1970; a text without an offset is taken as UTC.

    Raises:
        ValueError: it is no ISO 8601.
    """
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
