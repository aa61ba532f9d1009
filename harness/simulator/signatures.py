"""What named layers say when they give up: status, headers and page, as measured or as published."""

from __future__ import annotations

import json
import random
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

_HTML = {"content-type": "text/html"}
_JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class GivesUp:
    """A layer's own reply to a silent upstream."""

    status: int
    headers: dict[str, str]
    body: bytes


def ray(request_id: str) -> str:
    """The id that an edge gives an exchange, made of the request's own."""
    return f"{random.Random(request_id).getrandbits(64):016x}-SIM"


def _error(message: str, type: str | None, code: str | None) -> bytes:
    return json.dumps({"error": {"message": message, "type": type, "param": None, "code": code}}).encode()


def uuid_of(name: str) -> str:
    """A layer's own id for an exchange, made of another of its ids."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


def kong_id(name: str) -> str:
    """32 hexadecimal digits."""
    return uuid_of(name).replace("-", "")


def new_api_id(name: str) -> str:
    """The moment and some digits."""
    return f"{datetime.now(UTC):%Y%m%d%H%M%S}{uuid.UUID(uuid_of(name)).int % 10**15:015d}"


def page(product: str | None, cap_s: float, ray: str) -> GivesUp:
    """The reply of `product` when its cap of `cap_s` fires; a bare 504 when it imitates nobody."""
    if product == "nginx":
        body = (
            "<html>\r\n<head><title>504 Gateway Time-out</title></head>\r\n<body>\r\n"
            "<center><h1>504 Gateway Time-out</h1></center>\r\n"
            "<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n"
        )
        return GivesUp(504, {"server": "nginx/1.22.1", **_HTML}, body.encode())
    if product == "haproxy":
        body = "<html><body><h1>504 Gateway Time-out</h1>\nThe server didn't respond in time.\n</body></html>\n"
        return GivesUp(504, {"cache-control": "no-cache", **_HTML}, body.encode())
    if product == "envoy":
        return GivesUp(504, {"server": "envoy", "content-type": "text/plain"}, b"upstream request timeout")
    if product == "cloudflare":
        title = "<title>api.example.com | 524: A timeout occurred</title>"
        body = f"<!DOCTYPE html>\n<html><head>{title}</head><body><h1>Error code 524</h1></body></html>\n"
        return GivesUp(524, {"server": "cloudflare", "cf-ray": ray, **_HTML}, body.encode())
    if product == "azure":
        body = json.dumps({"error": {"code": "Timeout", "message": "The operation was timeout."}})
        return GivesUp(408, {"apim-request-id": uuid_of(ray), **_JSON}, body.encode())
    if product == "litellm":
        message = "litellm.Timeout: APITimeoutError - Request timed out. Error_str: Request timed out."
        own = {"x-litellm-call-id": uuid_of(ray), "x-litellm-timeout": f"{cap_s}"}
        return GivesUp(408, {**own, **_JSON}, _error(message, "invalid_request_error", "408"))
    if product == "portkey":
        message = f"Request exceeded the timeout sent in the request: {cap_s * 1000:.0f}ms"
        own = {"x-portkey-trace-id": uuid_of(ray), "x-portkey-provider": "openai", "x-portkey-retry-attempt-count": "0"}
        return GivesUp(408, {**own, **_JSON}, _error(message, "timeout_error", None))
    if product == "kong":
        name = kong_id(ray)
        body = json.dumps({"message": "The upstream server is timing out", "request_id": name})
        return GivesUp(504, {"server": "kong/3.9.1", "x-kong-request-id": name, **_JSON}, body.encode())
    if product == "openrouter":
        body = json.dumps({"error": {"message": "Your request timed out", "code": 408}})
        return GivesUp(408, {"server": "cloudflare", "cf-ray": ray, **_JSON}, body.encode())
    if product == "new_api":
        name = new_api_id(ray)
        message = f"do request failed (request id: {name})"
        return GivesUp(
            500, {"x-oneapi-request-id": name, **_JSON}, _error(message, "new_api_error", "do_request_failed")
        )
    if product == "cloudflare_aig":  # our words: its own are not published
        own = {"server": "cloudflare", "cf-ray": ray, "cf-aig-log-id": uuid_of(ray).replace("-", "").upper()[:26]}
        return GivesUp(408, {**own, **_JSON}, _error("The provider did not answer in time.", "timeout_error", None))
    return GivesUp(504, {"content-type": "text/plain"}, b"gateway timeout")
