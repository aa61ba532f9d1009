"""NVIDIA AIPerf's ``profile_export.jsonl``: one record for each request that the load generator sent.

https://github.com/ai-dynamo/aiperf, docs/tutorials/working-with-profile-exports.md: moments in ns since 1970,
`x_request_id` is the X-Request-ID that it sent, metrics as a value with its unit, `error` with a code, the class of the
exception and a message (not taken along). Its own cancellations (``--request-cancellation-rate``) are code 499.
`request_latency` runs on a steady clock, so it is taken before the difference of moments.

A failed request has no metrics, and none says which model was asked for: that stands in AIPerf's own inputs.
"""

from __future__ import annotations

import re

from harness.ingest.lines import json_text, number, read_json_lines
from harness.ingest.sightings import Batch
from harness.ingest.source import Source

_UNITS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "sec": 1000.0, "s": 1000.0}
_OWN_CAP = "(?i)timeout"
_GONE = "(?i)connect|payload|incomplete|oserror|reset"


def is_aiperf(head: str) -> bool:
    """Whether the first line has the keys of its records."""
    first = next((line for line in head.splitlines() if line.strip()), "")
    return first.lstrip().startswith("{") and all(
        re.search(rf'"{key}"\s*:', first) for key in ("metadata", "metrics", "request_start_ns", "request_end_ns")
    )


def _metric(name: str) -> str:
    """SQL for a metric of time in ms."""
    scales = " ".join(f"WHEN '{unit}' THEN {scale!r}" for unit, scale in _UNITS.items())
    unit = f"CASE {json_text(f'$.metrics.{name}.unit')} {scales} END"
    return f"({number(json_text(f'$.metrics.{name}.value'))} * {unit})"


def _tokens(name: str) -> str:
    return number(json_text(f"$.metrics.{name}.value"))


def read_aiperf(source: Source) -> Batch:
    """Its records as the client's; warm-up requests are jobs like others."""
    begun, ended = (json_text(f"$.metadata.{name}") for name in ("request_start_ns", "request_end_ns"))
    ack = json_text("$.metadata.request_ack_ns")
    # Subtracted as whole numbers: ns since 1970 do not fit a float.
    span = f"(try_cast({ended} AS BIGINT) - try_cast({begun} AS BIGINT)) / 1e6"
    acknowledged = f"(try_cast({ack} AS BIGINT) - try_cast({begun} AS BIGINT)) / 1e6"
    failed = "coalesce(json_type(doc, '$.error') = 'OBJECT', false)"
    code = number(json_text("$.error.code"))
    error = f"regexp_extract({json_text('$.error.type')}, '^[A-Za-z_][A-Za-z0-9_.]{{0,79}}$')"
    cancelled = f"coalesce({json_text('$.metadata.was_cancelled')} = 'true', false)"
    columns = {
        "started_at_s": f"try_cast({begun} AS BIGINT) / 1e9",
        "duration_ms": f"coalesce({_metric('request_latency')}, {span})",
        "first_byte_at_ms": f"CASE WHEN NOT {failed} THEN coalesce({acknowledged}, {_metric('time_to_first_token')}) "
        "END",
        "status": f"CASE WHEN {failed} THEN CASE WHEN NOT {cancelled} AND {code} BETWEEN 400 AND 599 THEN {code} END "
        "ELSE 200 END",
        "gave_up": f"CASE WHEN {cancelled} THEN 'client' WHEN {failed} AND {code} IS NULL THEN "
        f"CASE WHEN regexp_matches({error}, '{_OWN_CAP}') THEN 'self' "
        f"WHEN regexp_matches({error}, '{_GONE}') THEN 'upstream' END END",
        "gave_up_word": f"CASE WHEN {cancelled} OR {code} IS NULL THEN nullif({error}, '') END",
        "failure": f"CASE WHEN {code} IS NULL THEN nullif({error}, '') END",
        "error_type": f"CASE WHEN {code} IS NOT NULL AND NOT {cancelled} THEN nullif({error}, '') END",
        "client_request_id": json_text("$.metadata.x_request_id"),
        # What the answer's own usage said, else what AIPerf's tokenizer made of the text.
        "usage_input_tokens": f"coalesce({_tokens('usage_prompt_tokens')}, {_tokens('input_sequence_length')})",
        "usage_output_tokens": f"coalesce({_tokens('usage_completion_tokens')}, {_tokens('output_token_count')})",
    }
    return read_json_lines(
        source, columns, format="AIPerf", side="client", writer="aiperf", fits=f"try_cast({begun} AS BIGINT) > 0"
    )
