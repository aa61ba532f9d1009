"""OpenTelemetry spans as OTLP JSON: one document, or one a line as the file exporters write them.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: ids in hex, moments as text of ns since 1970, enums as
numbers (some writers give their names). Of the semantic conventions for GenAI and for HTTP, the stable names and those
before them. `server.address`, full URLs, queries, prompts and messages of exceptions are not taken along.

The span's kind decides the side: CLIENT asked, SERVER was asked. Spans of one exchange are one record: a span that
speaks GenAI stands over HTTP spans of its tries, and gives them what it knows; a SERVER span over CLIENT spans is a
gateway's, and what it asked for is told by its own record. Spans that are neither (INTERNAL) tell phases, where they
have the names of ours (docs/export.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from harness.errors import UsageProblem
from harness.ingest.otlp_words import Words, words_of
from harness.ingest.sightings import TOLD, Batch, Setback, complete
from harness.ingest.source import MAX_DOCUMENT, Source

_FITS = re.compile(r'^\s*\{\s*"(resourceSpans|resource_spans)"\s*:')
_ID = re.compile(r"[0-9a-f]{8,32}")
_KINDS = {"SPAN_KIND_SERVER": 2, "SPAN_KIND_CLIENT": 3}
_MOST_GENERATIONS = 50  # of spans that are looked up for what stands over one
PHASES = {  # name of a phase's span (harness/export) → column, and whether its end or its length is meant
    "connect": ("connect_ms", "length"),
    "send": ("request_sent_at_ms", "end"),
    "wait": ("first_byte_at_ms", "end"),
}
FIRST_PARTIAL = "partial_image"


class _Value(msgspec.Struct, rename="camel"):
    string_value: str | None = None
    int_value: int | str | None = None
    double_value: float | None = None
    bool_value: bool | None = None
    array_value: _Values | None = None  # of headers, which may come several times

    def plain(self) -> str | float | None:
        if self.array_value is not None:
            return next((one.plain() for one in self.array_value.values), None)
        found = next((one for one in (self.string_value, self.int_value, self.double_value) if one is not None), None)
        return found if found is not None or self.bool_value is None else float(self.bool_value)


class _Values(msgspec.Struct):
    values: list[_Value] = []


class _Attribute(msgspec.Struct):
    key: str
    value: _Value | None = None


class _Event(msgspec.Struct, rename="camel"):
    name: str = ""
    time_unix_nano: int | str = 0
    attributes: list[_Attribute] = []


class _Status(msgspec.Struct):
    code: int | str | None = None


class _Span(msgspec.Struct, rename="camel"):
    trace_id: str
    span_id: str
    start_time_unix_nano: int | str
    end_time_unix_nano: int | str | None = None
    parent_span_id: str | None = None
    name: str = ""
    kind: int | str | None = None
    attributes: list[_Attribute] = []
    events: list[_Event] = []
    status: _Status | None = None


class _Named(msgspec.Struct):
    name: str | None = None
    attributes: list[_Attribute] = []


class _Scope(msgspec.Struct):
    scope: _Named | None = None
    spans: list[msgspec.Raw] = []


class _Resource(msgspec.Struct, rename="camel"):
    resource: _Named | None = None
    scope_spans: list[_Scope] = []


class _Document(msgspec.Struct, rename="camel"):
    resource_spans: list[_Resource] = []


@dataclass(eq=False)
class _Record:
    """One span that is a request. `inner`: records of the same file that stand under it."""

    number: int
    span_id: str
    parent: str | None
    trace: str
    kind: int
    begun_ns: int
    ended_ns: int | None
    words: Words
    writer: str
    first_partial_ns: int | None
    inner: list[_Record] = field(default_factory=list)
    phases: dict[str, float] = field(default_factory=dict)
    job: str = ""
    asked: list[_Record] = field(default_factory=list)  # of a gateway: its own requests for this one


_document = msgspec.json.Decoder(_Document)
_span = msgspec.json.Decoder(_Span)


def is_otlp(head: str) -> bool:
    """Whether it begins like a document, or a line, of spans."""
    return _FITS.match(head) is not None


def read_otlp(source: Source) -> Batch:
    """Spans that are requests, as records. A setback's number is the span's, counted through the file.

    Raises:
        UsageProblem: the file is larger than can be held at once.
    """
    if source.path.stat().st_size > MAX_DOCUMENT:
        raise UsageProblem(f"{source.name}: larger than {MAX_DOCUMENT >> 20} MiB; cut out the hours that matter")
    bad = list(source.bad)
    records: dict[str, _Record] = {}
    parents: dict[str, str] = {}
    phases: list[tuple[str, str, int, int]] = []
    for number, found in enumerate(_spans(source), start=1):
        if isinstance(found, Setback):
            bad.append(found)
            continue
        raw, writer = found
        try:
            span = _span.decode(raw)
            begun = int(span.start_time_unix_nano)
            ended = int(span.end_time_unix_nano) if span.end_time_unix_nano else None
            kind = _KINDS.get(span.kind, 0) if isinstance(span.kind, str) else span.kind or 0
            here = f"{span.trace_id}/{span.span_id}"
            parent = f"{span.trace_id}/{span.parent_span_id}" if span.parent_span_id else None
            if parent is not None:
                parents[here] = parent
            words = words_of({one.key: one.value.plain() for one in span.attributes if one.value is not None})
            if kind in (2, 3) and words.is_request:
                records[here] = _record(number, span, kind, begun, ended, parent, words, writer)
            # A phase that failed was not got through: its end is no mark.
            elif parent is not None and ended is not None and span.name in PHASES and not _failed(span):
                phases.append((parent, span.name, begun, ended))
        except (msgspec.MsgspecError, RecursionError, ValueError):
            bad.append(Setback(number, "span of another form than OTLP has"))
    try:
        rows = _rows(records, parents, phases)
    except RecursionError:
        raise UsageProblem(f"{source.name}: spans stand under each other hundreds deep; this is no trace") from None
    names = {name for row in rows for name in row}
    table = complete({name: [row.get(name) for row in rows] for name in names}, rows=len(rows), side="client",
                     writer="otel")  # fmt: skip
    return Batch("OTLP spans", table, tuple(bad[:TOLD]), len(bad))


def _spans(source: Source) -> Iterator[tuple[msgspec.Raw, str] | Setback]:
    """Every span's text with its writer; of what is no document of spans, its line."""
    whole = source.path.read_bytes()
    try:
        documents: list[tuple[int, bytes]] = [(1, whole)]
        _document.decode(whole)
    except (msgspec.MsgspecError, RecursionError):
        documents = [(number, line) for number, line in enumerate(whole.splitlines(), start=1) if line.strip()]
    for line, text in documents:
        try:
            resources = _document.decode(text).resource_spans
        except (msgspec.MsgspecError, RecursionError):
            yield Setback(line, "is no OTLP document of spans")
            continue
        for resource in resources:
            for scope in resource.scope_spans:
                writer = _writer(scope.scope, resource.resource)
                yield from ((raw, writer) for raw in scope.spans)


# Of what names itself as scope or service: the product as the layer catalog has it.
_PRODUCTS = ("nginx", "haproxy", "envoy", "traefik", "caddy", "kong", "litellm", "apisix", "vercel")


def _writer(scope: _Named | None, resource: _Named | None) -> str:
    said = [scope.name or "" if scope else ""]
    said += [str(one.value.plain()) for one in (resource.attributes if resource else ()) if one.value is not None
             and one.key == "service.name"]  # fmt: skip
    words = {word for text in said for word in re.split(r"[^a-z]+", text.lower())}
    return next((product for product in _PRODUCTS if product in words), "harness" if "harness" in words else "otel")


def _record(number: int, span: _Span, kind: int, begun: int, ended: int | None, parent: str | None, words: Words,
            writer: str) -> _Record:  # fmt: skip
    partial = [int(event.time_unix_nano) for event in span.events if event.name == FIRST_PARTIAL]
    thrown = next((event for event in span.events if event.name == "exception"), None)
    if thrown is not None:
        words = words.with_exception({one.key: one.value.plain() for one in thrown.attributes if one.value is not None})
    if _failed(span):
        words = words.as_failed()
    return _Record(number, span.span_id, parent, span.trace_id, kind, begun, ended, words, writer,
                   min(partial, default=None))  # fmt: skip


def _failed(span: _Span) -> bool:
    return span.status is not None and span.status.code in (2, "STATUS_CODE_ERROR")


def _rows(
    records: dict[str, _Record], parents: dict[str, str], phases: list[tuple[str, str, int, int]]
) -> list[dict[str, Any]]:
    for parent, name, begun, ended in phases:
        if parent in records:
            column, what = PHASES[name]
            since = begun if what == "length" else records[parent].begun_ns
            records[parent].phases[column] = (ended - since) / 1e6
    outermost = []
    for record in records.values():
        above = _above(record, records, parents)
        if above is None:
            outermost.append(record)
        else:
            above.inner.append(record)
    told = [one for record in outermost for one in _told(record, record.span_id)]
    jobs: dict[str, set[str]] = {}
    before: dict[tuple[str, object], _Record] = {}
    for record in sorted(told, key=lambda one: one.begun_ns):
        same = (record.trace, record.words.columns.get("path"))
        if record.words.resent and same in before and record.kind == before[same].kind:
            record.job = before[same].job
        before[same] = record
        jobs.setdefault(record.trace, set()).add(record.job)
    # A trace that holds several jobs names none of them.
    return [_row(one, one.trace if len(jobs[one.trace]) == 1 else None) for one in told]


def _above(record: _Record, records: dict[str, _Record], parents: dict[str, str]) -> _Record | None:
    here = record.parent
    for _ in range(_MOST_GENERATIONS):
        if here is None or here in records:
            return records.get(here) if here is not None else None
        here = parents.get(here)
    return None


def _told(record: _Record, job: str) -> list[_Record]:
    """The records that a span and those under it come to; `job` is whose they are."""
    if record.kind == 3:
        level = _tries(record, job)
        return level + [more for one in level for inner in one.inner if inner.kind == 2 for more in _told(inner, job)]
    record.job = job
    asked = [inner for inner in record.inner if inner.kind == 3]
    path = record.words.columns.get("path")
    # What a gateway asks for is what it was asked for; an application that asks has paths of its own.
    passed_on = [inner for inner in asked if all(one.words.columns.get("path") == path for one in _tries(inner, job))]
    record.asked = [one for inner in passed_on for one in _tries(inner, job)]
    found = [record, *(more for inner in record.inner if inner.kind == 2 for more in _told(inner, job))]
    found += [more for one in record.asked for inner in one.inner if inner.kind == 2 for more in _told(inner, job)]
    passed = {id(inner) for inner in passed_on}
    own = [inner for inner in asked if id(inner) not in passed]
    return found + [more for inner in own for more in _told(inner, job if len(own) == 1 else inner.span_id)]


def _tries(record: _Record, job: str) -> list[_Record]:
    """A CLIENT span's tries: the CLIENT spans under it, which get what it knows, or itself."""
    tries = [inner for inner in record.inner if inner.kind == 3]
    record.job = job
    for one in tries:
        one.words = one.words.under(record.words)
        one.first_partial_ns = one.first_partial_ns or record.first_partial_ns
    return [more for one in tries for more in _tries(one, job)] if tries else [record]


def _row(record: _Record, trace: str | None) -> dict[str, Any]:
    length = None if record.ended_ns is None else (record.ended_ns - record.begun_ns) / 1e6
    tries = record.asked
    last = max(tries, key=lambda one: one.begun_ns, default=None)
    partial = record.first_partial_ns
    side = "client" if record.kind == 3 else "gateway" if tries else "upstream"
    return {
        "line": record.number,
        "side": side,
        "writer": record.writer,
        "started_at_s": record.begun_ns / 1e9,
        "started_step_s": 1e-6,
        "duration_ms": length,
        "first_partial_image_at_ms": None if partial is None else (partial - record.begun_ns) / 1e6,
        "upstream_calls": len(tries) or None,
        "upstream_status": last.words.columns.get("status") if last is not None else None,
        "upstream_ms": (last.ended_ns - last.begun_ns) / 1e6 if last is not None and last.ended_ns else None,
        "trace_id": trace if trace and _ID.fullmatch(trace) else None,
        # Records of one job share it; another side's spans do not.
        "call_id": f"span-{record.job}" if side == "client" and _ID.fullmatch(record.job) else None,
        **record.phases,
        **record.words.told,
    }
