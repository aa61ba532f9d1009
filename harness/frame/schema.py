"""Which columns there are, and how each is got out of a line of JSON: derived from the structs of the waist."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import inspect

from harness.events import JobEvent, Marks
from harness.prices import REFUSED

LEFT_OUT: dict[str, str] = {
    "prompt_text": "a prompt has no business in figures",
    "images": "summed up in image_*",
    "usage": "spread out as usage_*",
    "notes": "joined in notes",
    "attempts": "the last one is spread out, all of them are counted",
}
"""Fields of `JobEvent` that are not a column of that name and kind, and why."""

Kind = Literal["number", "whole", "flag", "word", "text"]

# Nearly every row has its own value: codes would only cost.
_MANY_VALUES = frozenset({"job_id", "request_id", "request_started_at"})

# What is looked at only where a job needs explaining is read only there.
_UNDELIVERED = "(outcome NOT IN ('image', 'wrong_image') OR rate_limited > 0 OR gateway IS NOT NULL)"


@dataclass(frozen=True)
class Column:
    """A column: its name, its kind, and the SQL expression that gives it from `job` and `last` (its last attempt)."""

    name: str
    kind: Kind
    sql: str


UNREAD = frozenset(
    {
        "schema_version", "position", "timezone", "endpoint", "reference_bytes", "prompt_chars",
        "phase", "timeout_layer", "bytes_up", "resolved_format", "mark_headers_at_ms",
        "mark_body_end_at_ms", "http_version", "receive_path", "connection_reused", "header_server", "header_via",
        "attempt_statuses", "image_bytes", "request_started_at", "request_id", "usage_total_tokens",
        "usage_input_tokens", "gateway_fallbacks", "gateway_ms", "running_ms", "limiter_wait_ms", "retry_wait_ms",
        "worker", "clock_offset_ms", "clock_offset_error_ms",
        "mark_submitted_at_ms", "mark_running_at_ms", "mark_callback_at_ms",
    }
)  # fmt: skip
"""Columns for notebooks: no rule and no report looks at them, and a very large run is read without them."""


@cache
def columns() -> tuple[Column, ...]:
    """All columns, in their order."""
    return (*_flat(), *_marks(), *_derived())


def _fields(struct: type[msgspec.Struct]) -> tuple[inspect.Field, ...]:
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    return info.fields


def _members(type_: inspect.Type) -> list[inspect.Type]:
    return list(type_.types) if isinstance(type_, inspect.UnionType) else [type_]


def _kind(name: str, type_: inspect.Type) -> Kind:
    members = _members(type_)
    nullable = any(isinstance(member, inspect.NoneType) for member in members)
    if any(isinstance(member, inspect.FloatType) for member in members):
        return "number"
    if any(isinstance(member, inspect.IntType) for member in members):
        return "number" if nullable else "whole"
    if any(isinstance(member, inspect.BoolType) for member in members):
        return "number" if nullable else "flag"
    return "text" if name in _MANY_VALUES else "word"


def _flat() -> list[Column]:
    found = []
    for field in _fields(JobEvent):
        if field.name in LEFT_OUT:
            continue
        sql = f'"{field.encode_name}"'
        default = field.default
        if isinstance(default, str | int | float):
            # A line from before the field was there has what the struct says it then was.
            sql = f"coalesce({sql}, {literal(default)})"
        kind = _kind(field.name, field.type)
        if kind == "number" and any(isinstance(one, inspect.BoolType) for one in _members(field.type)):
            sql += "::INT"  # yes, no, or not said
        found.append(Column(field.name, kind, sql))
    return found


def literal(value: str | Path | float) -> str:
    """A value as DuckDB's SQL has it: a text or a path in quotes, a number, true or false.

    Quotes within are doubled, and a backslash means itself there: no value can end its literal.
    """
    if isinstance(value, str | Path):
        return "'" + str(value).replace("'", "''") + "'"
    return str(value).lower()


def _marks() -> list[Column]:
    names = [field.name for field in _fields(Marks) if field.name.endswith("_at_ms")]
    # A log without durations leaves an attempt that has no end: what stands there is its beginning.
    said = {"ended_at_ms": "CASE WHEN total_ms IS NOT NULL THEN last.marks.ended_at_ms END"}
    return [Column(f"mark_{name}", "number", said.get(name, f"last.marks.{name}")) for name in names]


RATE_LIMITED = (
    "CASE WHEN len(attempts) > 1 THEN len([one FOR one IN attempts IF one.http_status = 429]) "
    "ELSE coalesce((attempts[1].http_status = 429)::INT, 0) END"
)
"""How many attempts of a job met a rate limit."""


# Orders before the last attempt that may have been billed: each reached somebody who did not refuse it before any work.
# Of a job whose run died nothing is kept but the sum, and its orders are of one price. DuckDB's slices hold their end.
_EARLIER_ORDERS = (
    "CASE WHEN len(attempts) > 1 THEN len([one FOR one IN attempts[:-2] IF one.ended <> 'connect_failed' "
    f"AND coalesce(one.http_status NOT IN ({', '.join(map(str, sorted(REFUSED)))}), true)]) "
    "WHEN outcome = 'unknown' AND earlier_attempts_usd > 0 AND cost_usd > earlier_attempts_usd "
    "THEN round(earlier_attempts_usd / (cost_usd - earlier_attempts_usd)) ELSE 0 END"
)


def _single(list_: str, one: str, many: str) -> str:
    """Lists nearly always hold one thing, and going through them is what takes time."""
    return f"CASE WHEN len({list_}) = 1 THEN {one} WHEN len({list_}) > 1 THEN {many} END"


def _derived() -> tuple[Column, ...]:
    return (
        Column("mark_partial_images", "text",
               "CASE WHEN len(last.marks.partial_images) > 0 "
               "THEN to_json([span.whole_at_ms FOR span IN last.marks.partial_images])::VARCHAR END"),
        Column("local_hour", "number", "try_cast(substr(request_started_at, 12, 2) AS INT)"),
        Column("mark_final_first_byte_at_ms", "number", "last.marks.final_images[-1].first_byte_at_ms"),
        # "2026-03-02T09+08:00": the local hour with its offset, of which a run has few
        Column("started_hour", "word",
               """substr("request_started_at", 1, 13) """
               """|| regexp_extract("request_started_at", '[T ].*?(Z|[+-][0-9:]+)$', 1)"""),
        Column("cap", "word", "last.cap"),
        Column("cap_ms", "number", "last.cap_ms"),
        Column("failure", "word", "CASE WHEN len(last.failure) > 0 THEN array_to_string(last.failure, ' < ') END"),
        Column("http_version", "word", "last.http_version"),
        Column("body_kind", "word", "last.body_kind"),
        Column("receive_path", "word", "last.receive_path"),
        Column("stamp_source", "word", "coalesce(last.stamp_source, 'user')"),
        Column("connection_reused", "number", "last.connection_reused::INT"),
        Column("header_server", "word", "last.headers->>'server'"),
        Column("header_via", "word", "last.headers->>'via'"),
        Column("reply_headers", "text", f"CASE WHEN {_UNDELIVERED} THEN last.headers::VARCHAR END"),
        Column("reply_request_id", "text", f"CASE WHEN {_UNDELIVERED} THEN last.request_id END"),
        Column("client_request_id", "text", f"CASE WHEN {_UNDELIVERED} THEN last.client_request_id END"),
        Column("sse_comments", "number", "last.sse_comments"),
        Column("has_request_id", "number", "(last.request_id IS NOT NULL)::INT"),
        Column("other_ids", "text", f"CASE WHEN {_UNDELIVERED} THEN last.ids::VARCHAR END"),
        Column("log_words", "text", "CASE WHEN len(last.log_words) > 0 THEN to_json(last.log_words)::VARCHAR END"),
        Column("body_head", "text", "last.body_head"),
        Column("error_message", "text", "last.error.message"),
        Column("error_param", "word", "last.error.param"),
        Column("moderation_stage", "word", "last.error.moderation_stage"),
        Column("attempt_count", "whole", "coalesce(len(attempts), 0)"),
        Column("rate_limited_attempts", "whole", "rate_limited"),
        Column("earlier_orders", "whole", _EARLIER_ORDERS),
        Column("attempt_statuses", "word",
               _single("attempts", "coalesce(last.http_status::INT::VARCHAR, '-')",
                       "array_to_string([coalesce(one.http_status::INT::VARCHAR, '-') FOR one IN attempts], ' ')")),
        Column("image_count", "whole", "coalesce(len(images), 0)"),
        Column("image_bytes", "number",
               _single("images", "images[1].image_bytes", "list_sum([image.image_bytes FOR image IN images])")),
        Column("image_problems", "word",
               _single("images", "nullif(array_to_string(images[1].problems, '; '), '')",
                       "nullif(array_to_string(flatten([image.problems FOR image IN images]), '; '), '')")),
        Column("usage_total_tokens", "number", "usage.total_tokens"),
        Column("usage_input_tokens", "number", "usage.input_tokens"),
        Column("usage_output_tokens", "number", "usage.output_tokens"),
        Column("notes", "word", "nullif(array_to_string(notes, '; '), '')"),
    )  # fmt: skip


@cache
def json_types() -> dict[str, str]:
    """DuckDB's type for each field of a line; what is not named here is skipped without being looked at."""
    return {field.encode_name: _sql_type(field.type) for field in _fields(JobEvent) if field.name != "prompt_text"} | {
        "event": "VARCHAR"
    }


def _sql_type(type_: inspect.Type) -> str:
    known = [member for member in _members(type_) if not isinstance(member, inspect.NoneType)]
    one = known[0]
    if isinstance(one, inspect.StructType):
        inner = ", ".join(f'"{field.encode_name}" {_sql_type(field.type)}' for field in one.fields)
        return f"STRUCT({inner})"
    if isinstance(one, inspect.VarTupleType | inspect.ListType):
        return f"{_sql_type(one.item_type)}[]"
    if isinstance(one, inspect.DictType):
        return "JSON"
    if isinstance(one, inspect.BoolType):
        return "BOOLEAN"
    return "DOUBLE" if isinstance(one, inspect.IntType | inspect.FloatType) else "VARCHAR"


@cache
def literal_words() -> dict[str, frozenset[str]]:
    """For fields of a job that know only some words: which."""
    found = {}
    for field in _fields(JobEvent):
        words = [value for member in _members(field.type) if isinstance(member, inspect.LiteralType)
                 for value in member.values]  # fmt: skip
        if words:
            found[field.name] = frozenset(str(word) for word in words)
    return found
