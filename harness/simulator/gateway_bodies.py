"""Bodies as gateways rewrite them. Pictures inside of an answer stay the ones that all answers share."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from harness.simulator.rope import Rope
from harness.simulator.script import Piece, Script

LITELLM_KINDS = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    408: "Timeout",
    429: "RateLimitError",
    503: "ServiceUnavailableError",
    504: "Timeout",
}


def replaced(planned: Script, old: bytes, new: bytes) -> Script:
    """The same answer with some of its text exchanged; `old` must not span a picture."""
    pieces = tuple(replace(p, data=p.data.mapped(lambda part: part.replace(old, new))) for p in planned.pieces)
    return replace(planned, pieces=pieces)


def data_only(planned: Script) -> Script:
    """Frames without their names, and the sentinel of chat completions behind the last one."""

    def bare(part: bytes) -> bytes:
        return part.partition(b"\n")[2] if part.startswith(b"event: ") else part

    pieces = [replace(piece, data=piece.data.mapped(bare)) for piece in planned.pieces]
    last_s = max((piece.at_s for piece in pieces), default=planned.headers_s)
    return planned.with_pieces([*pieces, Piece(last_s, Rope(b"data: [DONE]\n\n"))])


def litellm_error(status: int, why: str, kind: str = "APIConnectionError") -> bytes:
    """An error of its own making."""
    message = f"litellm.{kind}: {kind}: OpenAIException - {why}"
    if status >= 500:
        message += "\n\nLiteLLM: model group did not answer; its fallbacks: None."
    return _error(message, "internal_server_error", f"{status}")


def litellm_reworded(planned: Script) -> bytes:
    """The API's error: its type stays unless it is a limit's, its code becomes the status, its details are lost."""
    error, text = _of(planned)
    kind = LITELLM_KINDS.get(planned.status, "InternalServerError")
    told = error.get("message", text)
    message = f"litellm.{kind}: {kind}: OpenAIException - {told}"
    type = "throttling_error" if planned.status == 429 else error.get("type", "internal_server_error")
    return _error(message, type, f"{planned.status}", error.get("param"))


def portkey_reworded(planned: Script) -> bytes:
    """The API's error with a prefix and the provider's name; a page becomes a string."""
    error, text = _of(planned)
    if not error:
        return json.dumps({"html-message": text}).encode()
    message = f"openai error: {error.get('message')}"
    return json.dumps({"error": {**error, "message": message}, "provider": "openai"}).encode()


def openrouter_reworded(planned: Script) -> bytes:
    """The status as the code, and the API's own words beside it."""
    error, text = _of(planned)
    metadata = {"provider_name": "OpenAI", "raw": text}
    return json.dumps(
        {"error": {"message": error.get("message", text), "code": planned.status, "metadata": metadata}}
    ).encode()


def new_api_reworded(planned: Script, name: str) -> bytes:
    """The API's error with this exchange's id behind its message."""
    error, text = _of(planned)
    if not error:
        message = f"bad response status code {planned.status} (request id: {name})"
        return _error(message, "bad_response_status_code", "bad_response_status_code")
    return json.dumps({"error": {**error, "message": f"{error.get('message', text)} (request id: {name})"}}).encode()


def sse_text(planned: Script) -> str:
    """A whole stream as one text."""
    return b"".join(bytes(piece.data) for piece in planned.pieces).decode("utf-8", errors="replace")


def _of(planned: Script) -> tuple[dict[str, Any], str]:
    """The error object of an answer, empty when it has none, and its whole text."""
    text = sse_text(planned)
    try:
        value = json.loads(text)
    except ValueError:
        return {}, text
    error = value.get("error") if isinstance(value, dict) else None
    return (error if isinstance(error, dict) else {}), text


def _error(message: str, type: str, code: str, param: str | None = None) -> bytes:
    return json.dumps({"error": {"message": message, "type": type, "param": param, "code": code}}).encode()
