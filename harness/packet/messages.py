"""Known error messages, each with an id. A packet names the message; it never repeats it.

A message can hold an organisation, a key's ends, a prompt's words or an address. What support needs from it is which
one it is: the id here, its length, and its fingerprint when it is a stranger.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

MessageId = Literal[
    "safety_rejected", "safety_task_failed", "safety_filtered", "rate_limit_images", "rate_limit_zero",
    "rate_limit_other", "slow_down", "quota_exceeded", "billing_hard_limit", "organization_unverified",
    "unknown_parameter", "invalid_value", "invalid_size", "parameter_unsupported", "streaming_needs_partials",
    "transparent_unsupported", "bad_api_key", "model_missing", "server_had_error", "error_while_processing",
    "overloaded", "azure_operation_timeout", "azure_resource_blocked", "litellm_timeout", "litellm_cooldown",
    "litellm_connection", "portkey_timeout", "portkey_broken", "nginx_gateway_timeout", "nginx_bad_gateway",
    "nginx_too_large", "cloudflare_timeout", "cloudflare_unreachable", "gateway_timeout_other",
]  # fmt: skip

# Order counts: the narrower message stands before the wider one. Searched in at most LOOKED_AT characters.
LOOKED_AT = 600
_TABLE: tuple[tuple[MessageId, str], ...] = (
    ("safety_rejected", r"Your request was rejected by the safety system"),
    ("safety_task_failed", r"Your task failed as a result of our safety system"),
    ("safety_filtered", r"Generated image was filtered as a result of our safety system"),
    ("rate_limit_zero", r"Request too large for \S{1,60}.{0,200}Limit 0\b"),
    ("rate_limit_images", r"Rate limit reached for .{0,200}on input-images per min"),
    ("rate_limit_other", r"Rate limit reached for "),
    ("slow_down", r"You've exceeded the rate limit, please slow down"),
    ("quota_exceeded", r"You exceeded your current quota"),
    ("billing_hard_limit", r"Billing hard limit has been reached"),
    ("organization_unverified", r"Your organization must be verified to use the model"),
    ("unknown_parameter", r"Unknown parameter: '"),
    ("invalid_size", r"Invalid size '|must both be divisible by 16|The longest edge must be less than or equal to"),
    ("invalid_value", r"Invalid value: '"),
    ("parameter_unsupported", r"The model '[^']{1,80}' does not support the '"),
    ("streaming_needs_partials", r"Streaming must have non-zero partial images"),
    ("transparent_unsupported", r"Transparent background is not supported for this model"),
    ("bad_api_key", r"Incorrect API key provided"),
    ("model_missing", r"The model `[^`]{1,80}` does not exist or you do not have access"),
    ("litellm_timeout", r"litellm\.Timeout"),
    ("litellm_cooldown", r"No deployments available for selected model"),
    ("litellm_connection", r"litellm\.APIConnectionError"),
    ("portkey_timeout", r"Request exceeded the timeout sent in the request"),
    ("portkey_broken", r"^Something went wrong$"),
    ("azure_operation_timeout", r"The operation was timeout"),
    ("azure_resource_blocked", r"Your resource has been temporarily blocked"),
    ("server_had_error", r"The server had an error while processing your request"),
    ("error_while_processing", r"An error occurred while processing your request"),
    ("overloaded", r"Our servers are currently overloaded"),
    ("nginx_gateway_timeout", r"<title>504 Gateway Time-out</title>"),
    ("nginx_bad_gateway", r"<title>502 Bad Gateway</title>"),
    ("nginx_too_large", r"<title>413 Request Entity Too Large</title>"),
    ("cloudflare_timeout", r"\b524: A timeout occurred|error code: 524"),
    ("cloudflare_unreachable", r"\b52[0-35]: |error code: 52[0-35]"),
    ("gateway_timeout_other", r"(?i)gateway time-?out"),
)
_COMPILED: tuple[tuple[MessageId, re.Pattern[str]], ...] = tuple((name, re.compile(p)) for name, p in _TABLE)
PATTERN_OF: Mapping[str, re.Pattern[str]] = dict(_COMPILED)


def message_id(*texts: str | None) -> MessageId | None:
    """The id of the first known message in these texts (message, then head of the body), or null."""
    for text in texts:
        if text:
            head = text[:LOOKED_AT]
            found = next((name for name, pattern in _COMPILED if pattern.search(head)), None)
            if found is not None:
                return found
    return None
