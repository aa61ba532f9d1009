"""Ids that may leave: a value is an id only in the shape that belongs to the header it came from.

Support can do nothing without the request id, so ids survive; but "looks like an id" is not enough. A token is guilty
unless an allowed header carries it in that header's own form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from pydantic import Field, model_validator

from harness.packet.closed import Closed

IdHeader = Literal[
    "x-request-id", "request-id", "x-client-request-id", "apim-request-id", "x-ms-client-request-id",
    "x-ms-request-id", "llm_provider-x-request-id", "cf-ray", "cf-aig-log-id", "x-litellm-call-id",
    "x-portkey-trace-id", "x-generation-id", "x-kong-request-id", "x-amzn-requestid", "x-amzn-trace-id",
    "x-amz-cf-id", "x-api-request-id", "x-inference-id", "x-fal-request-id", "helicone-id", "fly-request-id",
    "traceparent", "x-correlation-id", "x-cloud-trace-context", "x-oneapi-request-id", "cf-aig-event-id",
    "ngrok-aig-request-id", "x-nf-request-id",
]  # fmt: skip

_UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_ULID = r"[0-7][0-9A-HJKMNP-TV-Z]{25}"
_API = rf"req_[0-9a-f]{{16,40}}|{_UUID}|[0-9a-f]{{32}}"
_OURS = rf"(?:harness-|hns-|job-|req-)?(?:{_UUID}|[0-9a-f]{{12,32}})(?:-[0-9]{{1,3}})?"

_SHAPES: Mapping[IdHeader, str] = {
    "x-request-id": _API,
    "request-id": _API,
    "llm_provider-x-request-id": _API,
    "x-client-request-id": _OURS,
    "apim-request-id": _UUID,
    "x-ms-client-request-id": _UUID,
    "x-ms-request-id": _UUID,
    "x-litellm-call-id": _UUID,
    "x-portkey-trace-id": _UUID,
    "x-amzn-requestid": _UUID,
    "x-inference-id": _UUID,
    "x-fal-request-id": _UUID,
    "helicone-id": _UUID,
    "cf-ray": r"[0-9a-f]{16}(?:-[A-Z]{3})?",
    "cf-aig-log-id": _ULID,
    "fly-request-id": rf"{_ULID}(?:-[a-z]{{3}})?",
    "x-generation-id": r"gen-[0-9]{10}-[A-Za-z0-9]{14,24}",
    "x-kong-request-id": r"[0-9a-f]{32}",
    "x-amzn-trace-id": r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}",
    "x-amz-cf-id": r"[A-Za-z0-9_-]{54}==",
    "x-api-request-id": r"20[0-9]{12,28}|[0-9a-f]{32}",
    "x-correlation-id": _UUID,
    "ngrok-aig-request-id": _UUID,
    "x-cloud-trace-context": r"[0-9a-f]{32}",
    "x-oneapi-request-id": r"20[0-9]{12,28}|[0-9a-f]{32}",
    "cf-aig-event-id": _ULID,
    "x-nf-request-id": _ULID,
    "traceparent": r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]",
}
PATTERNS: Mapping[str, re.Pattern[str]] = {header: re.compile(shape) for header, shape in _SHAPES.items()}


def fits(header: str, value: str) -> bool:
    """Whether the value has the form that belongs to this header. An unknown header has no form."""
    pattern = PATTERNS.get(header)
    return pattern is not None and pattern.fullmatch(value) is not None


class AnchoredId(Closed):
    """One id and the header that it came from."""

    header: IdHeader
    value: str = Field(pattern=r"^[A-Za-z0-9_=-]{12,80}$")

    @model_validator(mode="after")
    def _fits_its_header(self) -> AnchoredId:
        if not fits(self.header, self.value):
            raise ValueError("an id without the shape of its header")
        return self
