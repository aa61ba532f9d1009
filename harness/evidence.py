"""Which response headers may enter an event: an allow-list. What is not on it is not kept at all.

Headers that name internal hosts, accounts or projects are left out on purpose, whatever they would explain.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from harness.gateways import gateways

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
        "llm_provider-x-request-id",
        "x-inference-id",
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
        "llm_provider-openai-processing-ms",
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
        "x-simulator-time-scale",
        "x-litellm-timeout",
        # By these the layer catalog recognises a reply's author.
        "x-powered-by",
        "x-timeout-reason",
        "x-amz-function-error",
        "cf-error-type",
        "x-do-orig-status",
        "x-railway-edge",
        "x-render-routing",
        "x-render-origin-server",
        "x-apisix-upstream-status",
    }
)

_PREFIXES = ("x-ratelimit-", "x-envoy-", "x-portkey-", "x-kong-", "cf-aig-", "llm_provider-x-ratelimit-")


@cache
def id_headers() -> frozenset[str]:
    """Names of headers that hold an id, those of the known gateways included."""
    return ID_HEADERS.union(*(one.ids for one in gateways()))


@cache
def evidence_headers() -> frozenset[str]:
    """Names of headers that say something else worth keeping."""
    return _NAMES.union(*(one.headers() for one in gateways())) - id_headers()


def kept_headers(headers: Iterable[tuple[str, str]]) -> tuple[dict[str, str], dict[str, str]]:
    """Split the response's headers (lower-case names) into (evidence, ids); everything else is dropped."""
    evidence: dict[str, str] = {}
    ids: dict[str, str] = {}
    for name, value in headers:
        if name in id_headers():
            ids[name] = value[:MAX_VALUE_CHARS]
        elif name in evidence_headers() or name.startswith(_PREFIXES):
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
