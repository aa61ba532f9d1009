"""The closed words of a packet: every string that may leave is in one of these lists, or is an id with a known shape.

What a run knows by another word becomes ``other`` (and is counted): a name that somebody chose freely can hold a host,
a customer or a person, however harmless the field is called.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, get_args

OwnerKind = Literal["openai", "azure", "gateway", "reverse", "task_provider", "client", "simulator", "other"]
RouteKind = Literal[
    "images",
    "openai",
    "azure",
    "gateway",
    "reverse",
    "responses",
    "task",
    "edge",
    "app",
    "browser",
    "tier1",
    "simulator",
    "other",
]
Endpoint = Literal["images/generations", "images/edits", "responses", "tasks", "other"]
Quality = Literal["low", "medium", "high", "auto", "standard", "hd", "xhigh", "max", "other"]
ImageFormat = Literal["png", "jpeg", "webp", "gif", "svg", "other"]
Background = Literal["auto", "opaque", "transparent", "other"]
Moderation = Literal["auto", "low", "other"]
Complexity = Literal["low", "medium", "high", "other"]
PromptBucket = Literal["0", "1-50", "51-200", "201-1000", "1001-4000", "4001-16000", "16001-32000", "32001+"]
HttpVersion = Literal["HTTP/1.0", "HTTP/1.1", "HTTP/2", "HTTP/3", "other"]
ModerationStage = Literal["input", "output", "unknown", "other"]
RetryReason = Literal["rate_limit", "timeout", "connection", "server_error", "conflict", "cut", "other"]
StoppedBy = Literal["user", "budget", "other"]
Platform = Literal["linux", "macos", "windows", "other"]
TimeoutKind = Literal["total", "idle", "first_byte", "connect", "request_read", "cpu", "other"]
Recipient = Literal["provider", "azure", "gateway_operator", "reverse_operator", "task_provider", "platform_team"]
Phase = Literal[
    "started", "pool_acquired", "dns_done", "tcp_connected", "tls_done", "request_sent", "first_byte", "headers",
    "first_body_byte", "first_event", "partial_image", "final_image", "body_end", "downloaded", "rendered", "other",
]  # fmt: skip

LogSide = Literal["client", "proxy", "gateway", "upstream"]
GaveUp = Literal["client", "self", "upstream", "nobody"]
Ground = Literal["own", "id", "time"]
ShrinkParam = Literal["references", "stream", "format", "background", "moderation", "size", "quality", "n", "prompt"]
ShrinkState = Literal["smallest", "unfinished", "not_reproduced"]

ErrorType = Literal[
    "image_generation_user_error", "image_generation_error", "input-images", "images", "requests", "tokens",
    "invalid_request_error", "rate_limit_error", "insufficient_quota", "billing_limit_user_error", "server_error",
    "service_unavailable_error", "internal_server_error", "throttling_error", "all_deployments_in_cooldown",
    "timeout_error", "authentication_error", "permission_error", "not_found_error", "api_error", "upstream_error",
    "new_api_error", "error",
]  # fmt: skip
ErrorCode = Literal[
    "moderation_blocked", "rate_limit_exceeded", "slow_down", "insufficient_quota", "credit_balance_exhausted",
    "organization_spend_limit_exceeded", "project_spend_limit_exceeded", "billing_hard_limit_reached",
    "unknown_parameter", "invalid_value", "invalid_input_fidelity_model", "invalid_api_key", "model_not_found",
    "server_error", "server_is_overloaded", "contentFilter", "content_filter", "content_policy_violation",
    "image_content_policy_violation", "invalid_image", "Timeout", "timeout", "DeploymentNotFound",
    "context_length_exceeded", "missing_required_parameter",
    "400", "401", "402", "403", "404", "408", "409", "413", "422", "429", "455", "500", "501", "502", "503", "504",
    "505", "520", "522", "524", "529",
]  # fmt: skip
ErrorParam = Literal[
    "prompt", "model", "n", "size", "quality", "background", "output_format", "output_compression", "moderation",
    "stream", "partial_images", "response_format", "style", "input_fidelity", "image", "mask", "tools",
    "tools[0].size", "tools[0].quality", "other",
]  # fmt: skip

Failure = Literal[
    "APITimeoutError", "APIConnectionError", "APIError", "APIStatusError", "ConnectTimeout", "ReadTimeout",
    "WriteTimeout", "PoolTimeout", "TimeoutException", "ConnectError", "ReadError", "WriteError", "CloseError",
    "NetworkError", "RemoteProtocolError", "LocalProtocolError", "ProxyError", "UnsupportedProtocol", "DecodingError",
    "TimeoutError", "CancelledError", "SSLError", "SSLCertVerificationError", "SSLEOFError", "SSLZeroReturnError",
    "gaierror", "herror", "OSError", "ConnectionError", "ConnectionResetError", "ConnectionRefusedError",
    "ConnectionAbortedError", "BrokenPipeError", "EndOfStream", "BrokenResourceError", "ClosedResourceError",
    "JSONDecodeError", "UnicodeDecodeError", "ExceptionGroup", "AbortError", "TypeError",
    "PageFailed", "ECONNREFUSED", "ECONNRESET", "ECONNABORTED", "EPIPE",
    "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "ENETDOWN", "EADDRNOTAVAIL", "EMFILE", "ENOTCONN", "EAI_NONAME",
    "EAI_AGAIN", "ENOENT", "other",
]  # fmt: skip

_SEPARATORS = re.compile(r"[^a-z0-9]+")


def normal(text: str | None) -> str:
    """Lower case, every run of other characters one underscore; at most 80 characters are looked at."""
    return _SEPARATORS.sub("_", (text or "")[:80].lower()).strip("_")


def exact(words: object) -> dict[str, str]:
    """The lookup table of a Literal: its own words and nothing else."""
    return {word: word for word in get_args(words)}


OWNER_ALIASES: Mapping[str, OwnerKind] = {
    "openai": "openai", "provider": "openai", "azure": "azure", "azure_openai": "azure", "microsoft": "azure",
    "gateway": "gateway", "reverse": "reverse", "reverse_channel": "reverse", "task": "task_provider",
    "task_provider": "task_provider", "fal": "task_provider", "replicate": "task_provider", "kie": "task_provider",
    "evolink": "task_provider", "client": "client", "client_infrastructure": "client", "own": "client",
    "platform": "client", "simulator": "simulator", "own_platform_team": "client",
    "infrastructure": "client", "edge": "client",
}  # fmt: skip

ROUTE_KIND_ALIASES: Mapping[str, RouteKind] = {
    "images": "images", "compatible": "gateway", "openai": "openai", "openai_direct": "openai", "direct": "openai",
    "azure": "azure", "azure_openai": "azure", "gateway": "gateway", "reverse": "reverse",
    "responses": "responses", "task": "task", "tasks": "task",
    "async_task": "task", "edge": "edge", "cdn": "edge", "app": "app", "browser": "browser", "tier1": "tier1",
    "simulator": "simulator", "simulated": "simulator", "embedded": "simulator",
}  # fmt: skip

COMPLEXITY_ALIASES: Mapping[str, Complexity] = {
    "low": "low", "simple": "low", "short": "low", "plain": "low", "medium": "medium", "moderate": "medium",
    "high": "high", "complex": "high", "detailed": "high", "dense": "high", "dense_text": "high",
}  # fmt: skip

RETRY_ALIASES: Mapping[str, RetryReason] = {
    "rate_limit": "rate_limit", "rate_limited": "rate_limit", "429": "rate_limit", "http_429": "rate_limit",
    "timeout": "timeout", "408": "timeout", "http_408": "timeout", "local_cap": "timeout",
    "connection": "connection", "connect": "connection", "unreachable": "connection", "connect_failed": "connection",
    "server_error": "server_error", "5xx": "server_error", "500": "server_error", "502": "server_error",
    "503": "server_error", "504": "server_error", "524": "server_error", "http_500": "server_error",
    "http_502": "server_error", "http_503": "server_error", "http_504": "server_error", "http_524": "server_error",
    "overloaded": "server_error", "conflict": "conflict", "409": "conflict", "http_409": "conflict",
    "cut": "cut", "remote_closed": "cut", "remote_close": "cut",
}  # fmt: skip

CAP_KIND_ALIASES: Mapping[str, TimeoutKind] = {
    "total": "total", "idle": "idle", "first_byte": "first_byte", "ttfb": "first_byte", "connect": "connect",
    "request_read": "request_read", "cpu": "cpu", "abort": "total", "poll": "total",
}  # fmt: skip

FORMAT_ALIASES: Mapping[str, ImageFormat] = {
    "png": "png", "jpeg": "jpeg", "jpg": "jpeg", "webp": "webp", "gif": "gif", "svg": "svg"
}  # fmt: skip

HTTP_VERSIONS: Mapping[str, HttpVersion] = {
    "http_1_0": "HTTP/1.0", "http_1_1": "HTTP/1.1", "1_1": "HTTP/1.1", "http_2": "HTTP/2", "http_2_0": "HTTP/2",
    "2": "HTTP/2", "h2": "HTTP/2", "http_3": "HTTP/3", "h3": "HTTP/3", "3": "HTTP/3",
}  # fmt: skip

_BUCKETS: tuple[tuple[int, PromptBucket], ...] = (
    (0, "0"), (50, "1-50"), (200, "51-200"), (1000, "201-1000"), (4000, "1001-4000"), (16000, "4001-16000"),
    (32000, "16001-32000"),
)  # fmt: skip


def prompt_bucket(chars: int) -> PromptBucket:
    """The length class of a prompt: what its cost in time depends on, and too coarse to point at a text."""
    return next((bucket for limit, bucket in _BUCKETS if chars <= limit), "32001+")


def endpoint_of(text: str) -> Endpoint:
    """The family of an endpoint. The path itself is not kept: an Azure path holds the deployment's name."""
    words = normal(text.partition("?")[0][-80:])
    if words.endswith(("images_generations", "generations")) or words in ("generate", "images_generate"):
        return "images/generations"
    if words.endswith(("images_edits", "edits")) or words in ("edit", "images_edit"):
        return "images/edits"
    if words.endswith("responses"):
        return "responses"
    return "tasks" if words.endswith(("tasks", "task", "createtask", "predictions")) else "other"


def platform_of(text: str) -> Platform:
    """The operating system's family."""
    words = normal(text)
    families: tuple[tuple[str, Platform], ...] = (
        ("linux", "linux"), ("darwin", "macos"), ("macos", "macos"), ("win", "windows"),
    )  # fmt: skip
    return next((family for start, family in families if words.startswith(start)), "other")
