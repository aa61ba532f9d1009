"""LiteLLM's request log: its standard logging payload, one JSON object a line, as a callback writes it.

https://docs.litellm.ai/docs/proxy/logging_spec. The proxy writes one record for each try that its router makes; tries
of one call share `litellm_call_id`, and so come back as attempts of one job. Seen of 1.106.2 on loopback: no caller's
request id of its own, but the caller's ``x-client-request-id`` among the headers that it keeps; `completionStartTime`
is the end where nothing was streamed; a timeout of its own is `error_class` ``Timeout`` without any header of the API.

Addresses, keys, users' names, prompts, answers and error texts are not taken along: a user and a prompt as salted
hashes, an answer as a count of images.
"""

from __future__ import annotations

import re
from dataclasses import replace

import msgspec
import numpy as np
import pandas as pd

from harness.evidence import kept_headers
from harness.ingest.hashes import hashed_column
from harness.ingest.lines import json_text, number, read_json_lines
from harness.ingest.sightings import Batch
from harness.ingest.source import Source

# Classes of errors → the status that the proxy answers with, where no code says it.
_STATUS = {
    "Timeout": 408, "BadRequestError": 400, "ContentPolicyViolationError": 400, "AuthenticationError": 401,
    "PermissionDeniedError": 403, "NotFoundError": 404, "UnprocessableEntityError": 422, "RateLimitError": 429,
    "InternalServerError": 500, "APIError": 500, "APIConnectionError": 500, "BadGatewayError": 502,
    "ServiceUnavailableError": 503,
}  # fmt: skip
_PATHS = {
    "image_generation": "/v1/images/generations", "image_edit": "/v1/images/edits",
    "image_variation": "/v1/images/variations", "responses": "/v1/responses",
}  # fmt: skip
_FIRST_IMAGE = "$.response.data[0].b64_json"


def is_litellm(head: str) -> bool:
    """Whether the first line has the keys of its payload."""
    first = next((line for line in head.splitlines() if line.strip()), "")
    return first.lstrip().startswith("{") and all(
        re.search(rf'"{key}"\s*:', head) for key in ("call_type", "startTime", "endTime", "status")
    )


def read_litellm(source: Source) -> Batch:
    """Its records as the gateway's."""
    begun, ended = number(json_text("$.startTime")), number(json_text("$.endTime"))
    first = number(json_text("$.completionStartTime"))
    whole = f"({json_text('$.status')} = 'success')"
    kind = f"CASE WHEN {json_text('$.call_type')} LIKE 'a%' THEN substr({json_text('$.call_type')}, 2) ELSE " + (
        f"{json_text('$.call_type')} END"
    )
    paths = " ".join(f"WHEN '{name}' THEN '{path}'" for name, path in _PATHS.items())
    code = json_text("$.error_information.error_code")
    error = f"regexp_extract({json_text('$.error_information.error_class')}, '[A-Za-z]+$')"
    statuses = " ".join(f"WHEN '{name}' THEN {status}" for name, status in _STATUS.items())
    coded = f"CASE WHEN regexp_matches({code}, '^[1-5][0-9][0-9]$') THEN {code}::DOUBLE END"
    headers = "json_extract(doc, '$.hidden_params.additional_headers')"
    answered = f"coalesce(json_type({headers}) = 'OBJECT', false)"
    own = f"(NOT {whole} AND {error} = 'Timeout' AND NOT {answered})"
    caller = "$.metadata.requester_custom_headers"
    asked = "$.metadata.requester_metadata.headers"
    streamed = f"coalesce(lower({json_text('$.stream')}) = 'true', false)"
    columns = {
        "started_at_s": begun,
        "duration_ms": f"({ended} - {begun}) * 1000",
        "first_byte_at_ms": f"CASE WHEN {streamed} AND {whole} THEN ({first} - {begun}) * 1000 END",
        "status": f"CASE WHEN {whole} THEN 200 ELSE coalesce({coded}, CASE {error} {statuses} END, 500) END",
        "upstream_ms": f"CASE WHEN {own} THEN ({ended} - {begun}) * 1000 END",
        "server_ms": number(json_text('$.hidden_params.additional_headers."llm_provider-openai-processing-ms"')),
        "gave_up": f"CASE WHEN {own} THEN 'self' WHEN NOT {whole} AND {error} = 'APIConnectionError' "
        f"AND NOT {answered} THEN 'upstream' END",
        "gave_up_word": f"CASE WHEN NOT {whole} AND NOT {answered} THEN 'litellm.exceptions.' || nullif({error}, '') "
        "END",
        "finished": f"CASE WHEN {whole} THEN 1 END",
        "client_request_id": f"coalesce({json_text(caller + '.' + _key('x-client-request-id'))}, "
        f"{json_text(asked + '.' + _key('x-client-request-id'))})",
        "request_id": "coalesce("
        + ", ".join(
            json_text(f"$.hidden_params.additional_headers.{_key(name)}")
            for name in ("llm_provider-x-request-id", "x-request-id")
        )
        + ")",
        "call_id": f"coalesce({json_text('$.litellm_call_id')}, {json_text('$.id')})",
        "trace_id": f"nullif(regexp_extract({json_text(asked + '.traceparent')}, "
        "'^[0-9a-f]{2}-([0-9a-f]{32})-', 1), '')",
        "method": "'POST'",
        "path": f"coalesce(split_part({json_text('$.metadata.user_api_key_request_route')}, '?', 1), "
        f"CASE {kind} {paths} ELSE {json_text('$.call_type')} END)",
        "model": f"coalesce({json_text('$.model_group')}, {json_text('$.model')})",
        "quality": f"coalesce({json_text('$.model_parameters.quality')}, {json_text('$.response.quality')})",
        "size": f"coalesce({json_text('$.model_parameters.size')}, {json_text('$.response.size')})",
        "output_format": f"coalesce({json_text('$.model_parameters.output_format')}, "
        f"{json_text('$.response.output_format')})",
        "n": number(json_text("$.model_parameters.n")),
        "stream": f"CASE lower({json_text('$.stream')}) WHEN 'true' THEN 1 WHEN 'false' THEN 0 END",
        "images": f"CASE WHEN {whole} THEN json_array_length(doc, '$.response.data') END",
        "image_bytes": f"CASE WHEN {whole} AND json_array_length(doc, '$.response.data') = 1 "
        f"AND NOT starts_with({json_text(_FIRST_IMAGE)}, '<') "
        f"THEN length({json_text(_FIRST_IMAGE)}) // 4 * 3 "
        f"- length(regexp_extract({json_text(_FIRST_IMAGE)}, '=*$')) END",
        "usage_input_tokens": f"CASE WHEN {whole} THEN {number(json_text('$.prompt_tokens'))} END",
        "usage_output_tokens": f"CASE WHEN {whole} THEN {number(json_text('$.completion_tokens'))} END",
        "cost_usd": f"CASE WHEN {whole} THEN {number(json_text('$.response_cost'))} END",
        "error_type": f"CASE WHEN NOT {whole} THEN nullif({error}, '') END",
        "error_code": f"CASE WHEN NOT {whole} THEN nullif(regexp_extract({code}, '^[A-Za-z0-9_.-]{{1,60}}$'), '') END",
        "reply_headers": f"CASE WHEN NOT {whole} AND {answered} THEN {headers}::VARCHAR END",
        "user_hash": f"coalesce({json_text('$.end_user')}, {json_text('$.metadata.user_api_key_user_id')})",
        "prompt_hash": "CASE WHEN json_type(doc, '$.messages') = 'VARCHAR' THEN " + json_text("$.messages")
        + f" ELSE {json_text('$.messages[0].content')} END",
    }  # fmt: skip
    columns["prompt_chars"] = f"length({columns['prompt_hash']})"
    read = read_json_lines(
        source,
        columns,
        format="LiteLLM",
        side="gateway",
        writer="litellm",
        fits=f"{begun} IS NOT NULL",
    )
    return replace(read, table=_unnamed(read.table))


def _unnamed(table: pd.DataFrame) -> pd.DataFrame:
    """Hashes in the place of names and prompts, and of headers those that may be kept."""
    return table.assign(
        user_hash=hashed_column(table["user_hash"]),
        prompt_hash=hashed_column(table["prompt_hash"]),
        reply_headers=np.array([*map(_allowed, table["reply_headers"]), None], dtype=object)[:-1],
    )


def _allowed(text: object) -> str | None:
    if not isinstance(text, str):
        return None
    try:
        headers = msgspec.json.decode(text, type=dict[str, str | None])
    except msgspec.MsgspecError:
        return None
    kept, _ = kept_headers((name.lower(), value) for name, value in headers.items() if value is not None)
    return msgspec.json.encode(kept).decode()


def _key(name: str) -> str:
    return f'"{name}"'
