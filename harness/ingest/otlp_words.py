"""A span's attributes → what a sighting holds: the GenAI and HTTP conventions by their names, now and before.

https://opentelemetry.io/docs/specs/semconv/http/http-spans/ and …/semconv/gen-ai/gen-ai-spans/.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from harness.ingest.bodies import word

_TEXTS: Mapping[str, tuple[str, ...]] = {
    "method": ("http.request.method", "http.method"),
    "model": ("gen_ai.request.model", "gen_ai.response.model", "llm.model_name"),
    "quality": ("gen_ai.request.image.quality", "gen_ai.openai.request.quality", "harness.quality"),
    "size": ("gen_ai.request.image.size", "gen_ai.openai.request.size", "harness.size"),
    "output_format": ("gen_ai.request.image.format", "harness.output_format"),
    "client_request_id": ("http.request.header.x-client-request-id", "harness.client_request_id"),
    "request_id": ("http.response.header.x-request-id", "gen_ai.response.header.x-request-id", "harness.request_id"),
    "prompt_hash": ("harness.prompt_hash",),
    "error_code": ("harness.error_code",),
    "route": ("harness.route",),
}  # fmt: skip
_NUMBERS: Mapping[str, tuple[str, ...]] = {
    "status": ("http.response.status_code", "http.status_code"),
    "retries": ("http.request.resend_count", "http.resend_count"),
    "bytes_up": ("http.request.body.size", "http.request_content_length"),
    "bytes_down": ("http.response.body.size", "http.response_content_length"),
    "usage_input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    "usage_output_tokens": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    "n": ("gen_ai.request.choice.count",),
    "images": ("harness.images",),
    "image_bytes": ("harness.image_bytes",),
    "prompt_chars": ("harness.prompt_chars",),
    "cost_usd": ("harness.cost_usd", "gen_ai.usage.cost"),
    "server_ms": ("http.response.header.openai-processing-ms", "harness.server_ms"),
    "stream": ("gen_ai.request.stream", "harness.stream"),
}  # fmt: skip
_SECONDS = {"first_byte_at_ms": ("gen_ai.response.time_to_first_chunk",)}
_OTHER_WORK = re.compile(r"chat|text_completion|embeddings|generate_content|execute_tool|invoke_agent|create_agent")
_ERROR_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.:$]{0,119}")
_OWN_CAP = re.compile(r"timeout|timed_?out|deadline", re.IGNORECASE)
_LEFT = re.compile(r"abort|cancel", re.IGNORECASE)
_GONE = re.compile(r"connect|reset|refused|closed|disconnect|protocol|eof|hang_?up|broken_?pipe|socket", re.IGNORECASE)


@dataclass(frozen=True)
class Words:
    """`columns`: what a sighting of it has. `resent`: how many tries of the same request were before it."""

    columns: Mapping[str, Any]
    speaks_http: bool
    speaks_gen_ai: bool
    error: str | None = None
    resent: int = 0

    @property
    def is_request(self) -> bool:
        """Whether it is a request at all."""
        return self.speaks_http or self.speaks_gen_ai

    @property
    def told(self) -> dict[str, Any]:
        """The columns. GenAI spans have no status; one that ended without an error says that all was well."""
        quiet = self.speaks_gen_ai and not self.speaks_http and self.error is None
        return {"status": 200, **self.columns} if quiet else dict(self.columns)

    def _ended(self, error: str | None) -> Words:
        return replace(self, columns=_ended(self.columns, error), error=error)

    def under(self, outer: Words) -> Words:
        """What a span knows, with what the one over it knows besides. Counts of tokens and bytes stay the outer's."""
        wanted = {name: value for name, value in outer.columns.items() if name not in _OF_ITS_OWN}
        return replace(self, columns={**wanted, **self.columns})

    def with_exception(self, attributes: Mapping[str, Any]) -> Words:
        """The class of an exception that the span recorded, where it says no kind of error itself."""
        return self if self.error is not None else self._ended(_error(attributes.get("exception.type")))

    def as_failed(self) -> Words:
        """The span's status is an error: without a status of HTTP it is no success."""
        return self if self.error is not None or "status" in self.columns else self._ended("error")


_OF_ITS_OWN = frozenset(
    {"status", "retries", "gave_up", "gave_up_word", "failure", "error_type", "method", "path", "first_byte_at_ms"}
)


def words_of(attributes: Mapping[str, str | float | None]) -> Words:
    """The columns in a span's attributes."""
    found: dict[str, Any] = {}
    for name, keys in _TEXTS.items():
        text = next((word(str(attributes[key])) for key in keys if attributes.get(key) is not None), None)
        if text is not None:
            found[name] = text
    for name, keys in (*_NUMBERS.items(), *_SECONDS.items()):
        value = next((_number(attributes[key]) for key in keys if attributes.get(key) is not None), None)
        if value is not None and value >= 0:
            found[name] = value * 1000 if name in _SECONDS else value
    path = _path(attributes)
    operation = str(attributes.get("gen_ai.operation.name") or "")
    speaks_http = "method" in found or "status" in found
    speaks_gen_ai = bool(operation) or "gen_ai.request.model" in attributes
    if path is None and _OTHER_WORK.match(operation) and attributes.get("gen_ai.output.type") != "image":
        path = f"/{_OTHER_WORK.match(operation)[0]}"  # type: ignore[index]
    if path is not None:
        found["path"] = path
    error = _error(attributes.get("error.type"))
    resent = found.pop("retries", 0)
    return Words(_ended(found, error), speaks_http, speaks_gen_ai, error, int(resent))


def _ended(columns: Mapping[str, Any], error: str | None) -> dict[str, Any]:
    """With the kind of error that it ended in. An error that is a status, or came with one, was an answer's."""
    found = dict(columns)
    if error is None:
        return found
    if error.isdigit():
        return {"status": float(error), **found}
    if found.get("status", 0) >= 400:
        return {"error_type": error, **found}
    gave_up = "self" if _OWN_CAP.search(error) else "client" if _LEFT.search(error) else None
    gave_up = gave_up or ("upstream" if _GONE.search(error) else None)
    said = {} if gave_up is None else {"gave_up": gave_up, "gave_up_word": error}
    return found | {"failure": error} | said


def _error(said: object) -> str | None:
    """A kind of error as a word: a status, or the last name of a class."""
    text = str(said) if said is not None else ""
    if re.fullmatch(r"[1-5][0-9]{2}", text):
        return text
    return text.rpartition(".")[2][:80] if _ERROR_WORD.fullmatch(text) else "error" if text else None


def _path(attributes: Mapping[str, Any]) -> str | None:
    said = attributes.get("url.path")
    if said is None:
        said = next((attributes[key] for key in ("http.target", "url.full", "http.url") if attributes.get(key)), None)
        if said is None:
            return None
    try:
        return urlsplit(str(said)).path or None
    except ValueError:
        return None


def _number(value: object) -> float | None:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
