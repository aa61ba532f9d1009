"""Known messages are recognised; nothing of them but an id goes on."""

from __future__ import annotations

import time
from typing import get_args

import pytest

from harness.packet.messages import PATTERN_OF, MessageId, message_id

RATE = "Rate limit reached for gpt-image-2 (for limit gpt-image) in organization [account] on "


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("Your request was rejected by the safety system. If you believe this is an error, …", "safety_rejected"),
        ("Your task failed as a result of our safety system.", "safety_task_failed"),
        ("Generated image was filtered as a result of our safety system.", "safety_filtered"),
        (RATE + "input-images per min: Limit 5, Used 5", "rate_limit_images"),
        (RATE + "tokens per min: Limit 5, Used 5", "rate_limit_other"),
        ("Request too large for gpt-image-2 (for limit gpt-image) … Limit 0, Requested 1.", "rate_limit_zero"),
        ("You've exceeded the rate limit, please slow down and try again after 51.84 seconds.", "slow_down"),
        ("You exceeded your current quota, please check your plan and billing details", "quota_exceeded"),
        ("Billing hard limit has been reached.", "billing_hard_limit"),
        ("Your organization must be verified to use the model `gpt-image-2`.", "organization_unverified"),
        ("Unknown parameter: 'response_format'.", "unknown_parameter"),
        ("Invalid value: 'standard'. Supported values are: 'low', 'medium'", "invalid_value"),
        ("Invalid size '512x512'. Requested resolution is below", "invalid_size"),
        ("Width and height must both be divisible by 16.", "invalid_size"),
        ("The model 'gpt-image-2' does not support the 'input_fidelity' parameter.", "parameter_unsupported"),
        ("Streaming must have non-zero partial images.", "streaming_needs_partials"),
        ("Incorrect API key provided: sk-***", "bad_api_key"),
        ("The model `x` does not exist or you do not have access to it.", "model_missing"),
        ("The server had an error while processing your request. Sorry about that!", "server_had_error"),
        ("An error occurred while processing your request. You can retry", "error_while_processing"),
        ("Our servers are currently overloaded. Please try again later.", "overloaded"),
        ("The operation was timeout.", "azure_operation_timeout"),
        ("Your resource has been temporarily blocked because", "azure_resource_blocked"),
        ("litellm.Timeout: APITimeoutError - Request timed out.", "litellm_timeout"),
        ("Request exceeded the timeout sent in the request: 1000ms", "portkey_timeout"),
        ("<html><head><title>504 Gateway Time-out</title>", "nginx_gateway_timeout"),
        ("error code: 524", "cloudflare_timeout"),
        ("upstream says 504 Gateway Timeout", "gateway_timeout_other"),
        ("Anna from falcon.corp turned it off", None),
        ("", None),
        (None, None),
    ],
)
def test_a_message_is_named_and_not_repeated(text: str | None, known: str | None) -> None:
    assert message_id(text) == known


def test_every_message_id_has_a_pattern() -> None:
    assert set(PATTERN_OF) == set(get_args(MessageId))


def test_the_head_of_a_body_serves_when_there_is_no_message() -> None:
    assert message_id(None, "<title>502 Bad Gateway</title>") == "nginx_bad_gateway"


def test_a_hostile_message_does_not_take_long() -> None:
    begun = time.monotonic()
    message_id("Rate limit reached for " * 50_000, "Request too large for " + "x" * 1_000_000)
    assert time.monotonic() - begun < 0.5
