"""Which response headers may enter an event: an allow-list. What is not on it is not kept at all.

Headers that name internal hosts, accounts or projects are left out on purpose, whatever they would explain.
"""

from __future__ import annotations

from collections.abc import Iterable

MAX_VALUE_CHARS = 200

REQUEST_ID = "x-request-id"

# Ids by which another party can find this exchange in its own records.
ID_HEADERS = frozenset(
    {
        "x-request-id",
        "apim-request-id",
        "x-ms-client-request-id",
        "x-client-request-id",
        "request-id",
        "cf-ray",
        "x-amzn-requestid",
        "x-amz-cf-id",
        "x-amz-apigw-id",
        "x-azure-ref",
        "x-vercel-id",
        "fly-request-id",
        "x-litellm-call-id",
        "llm_provider-x-request-id",
        "x-portkey-trace-id",
        "x-generation-id",
        "helicone-id",
        "cf-aig-log-id",
        "cf-aig-event-id",
        "x-kong-request-id",
        "ngrok-aig-request-id",
        "x-inference-id",
        "x-api-request-id",
        "x-oneapi-request-id",
        "x-correlation-id",
        "x-cloud-trace-context",
        "traceparent",
    }
)

_NAMES = frozenset(
    {
        "server",
        "via",
        "content-type",
        "content-length",
        "content-encoding",
        "transfer-encoding",
        "connection",
        "retry-after",
        "retry-after-ms",
        "x-should-retry",
        "openai-processing-ms",
        "openai-version",
        "openai-model",
        "cf-cache-status",
        "cf-mitigated",
        "x-cache",
        "x-varnish",
        "x-accel-buffering",
        "x-ms-region",
        "x-ms-rai-invoked",
        "ms-azureml-model-error-reason",
        "ms-azureml-model-error-statuscode",
        "x-vercel-error",
        "x-vercel-cache",
        "x-nf-request-id",
        "x-squid-error",
        "x-amzn-errortype",
        "x-amz-cf-pop",
        "x-provider-name",
        "x-simulator-time-scale",
        "x-litellm-version",
        "x-litellm-response-duration-ms",
        "x-litellm-overhead-duration-ms",
        "x-litellm-attempted-retries",
        "x-litellm-attempted-fallbacks",
        "x-litellm-timeout",
    }
)

_PREFIXES = ("x-ratelimit-", "x-envoy-", "x-portkey-", "x-kong-", "cf-aig-", "llm_provider-x-ratelimit-")


def kept_headers(headers: Iterable[tuple[str, str]]) -> tuple[dict[str, str], dict[str, str]]:
    """Split the response's headers (lower-case names) into (evidence, ids); everything else is dropped."""
    evidence: dict[str, str] = {}
    ids: dict[str, str] = {}
    for name, value in headers:
        if name in ID_HEADERS:
            ids[name] = value[:MAX_VALUE_CHARS]
        elif name in _NAMES or name.startswith(_PREFIXES):
            evidence[name] = value[:MAX_VALUE_CHARS]
    return evidence, ids


def _number(value: str | None) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        return None


def server_ms(evidence: dict[str, str]) -> float | None:
    """What the other side says the work took, in ms."""
    for name in ("openai-processing-ms", "llm_provider-openai-processing-ms", "x-envoy-upstream-service-time"):
        value = _number(evidence.get(name))
        if value is not None and value >= 0:
            return value
    return None


def gateway_retries(evidence: dict[str, str]) -> int | None:
    """How many retries a gateway says it made; Portkey's −1 (it gave up) is not a count and stays null."""
    for name in ("x-litellm-attempted-retries", "x-portkey-retry-attempt-count"):
        value = _number(evidence.get(name))
        if value is not None and value >= 0:
            return int(value)
    return None
