"""The transport under the SDK's client: httpcore's pool on our stamping network backend.

The SDK builds and signs the request; this carries it and writes into the attempt's `Trace` what happened and when.
Bodies are kept as they arrive, stamped, and are parsed by nobody before the exchange is over.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncIterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self
from urllib.request import getproxies, proxy_bypass

import certifi
import httpcore
import httpx

from harness.wire.body import BodyTooLarge
from harness.wire.clock import WorldClock
from harness.wire.network import StampingBackend
from harness.wire.trace import Trace, current_trace

KEEPALIVE_EXPIRY_S = 5.0  # what the openai SDK's own client uses


class StampingTransport(httpx.AsyncBaseTransport):
    """Carries requests and stamps them. One per route; `current_trace` says which attempt a request belongs to."""

    def __init__(self, *, base_url: str, ca_file: str | None = None) -> None:
        settings: dict[str, Any] = {
            "ssl_context": tls_context(ca_file),
            "max_connections": None,
            "max_keepalive_connections": None,
            "keepalive_expiry": KEEPALIVE_EXPIRY_S,
            "network_backend": StampingBackend(),
        }
        proxy = environment_proxy(base_url)
        self.proxied = proxy is not None
        self._pool: httpcore.AsyncConnectionPool = (
            httpcore.AsyncConnectionPool(**settings)
            if proxy is None
            else httpcore.AsyncHTTPProxy(proxy_url=proxy, **settings)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        trace = current_trace.get() or Trace.untimed()
        trace.begin()
        outgoing = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions={**request.extensions, "trace": _Observer(trace), "timeout": {}},
        )
        with _translated():
            response = await self._pool.handle_async_request(outgoing)
        trace.headers_ns = trace.last_byte_ns
        trace.http_status = response.status
        trace.http_version = response.extensions.get("http_version", b"").decode("ascii", "replace") or None
        trace.headers = [(k.decode("latin-1").lower(), v.decode("latin-1")) for k, v in response.headers]
        return httpx.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_StampedStream(response.stream, trace),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        await self._pool.aclose()

    async def __aenter__(self) -> Self:
        await self._pool.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self._pool.__aexit__(exc_type, exc_value, traceback)


class _StampedStream(httpx.AsyncByteStream):
    """Passes the body on and keeps a copy with the stamp of the read that brought each chunk."""

    def __init__(self, inner: Any, trace: Trace) -> None:
        self._inner = inner
        self._trace = trace

    async def __aiter__(self) -> AsyncIterator[bytes]:
        trace = self._trace
        with _translated():
            async for chunk in self._inner:
                try:
                    trace.body.add(chunk, trace.last_byte_ns or WorldClock.now_ns())
                except BodyTooLarge:
                    trace.over_limit = True
                    raise httpx.ReadError("the response is larger than the harness holds") from None
                yield chunk
        trace.body_end_ns = trace.last_byte_ns or WorldClock.now_ns()

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Observer:
    """httpcore's trace hook: the moments that only the connection pool and the HTTP writer know."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    async def __call__(self, name: str, info: dict[str, Any]) -> None:  # noqa: ARG002
        if name == "http11.send_request_headers.started":
            self._trace.acquired(reused=True)  # no effect when connect_tcp came before it
        elif name == "http11.send_request_body.complete":
            self._trace.request_sent_ns = WorldClock.now_ns()


@contextmanager
def _translated() -> Any:
    """httpcore's exceptions as httpx's: the classes have the same names, which a contract test holds."""
    try:
        yield
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
        kind = getattr(httpx, type(error).__name__, httpx.TransportError)
        raise kind(str(error)) from error
    except (httpcore.UnsupportedProtocol, httpcore.ProxyError) as error:
        raise httpx.TransportError(str(error)) from error


def tls_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Verification is always on. `ca_file`, SSL_CERT_FILE or SSL_CERT_DIR add or replace trust roots."""
    chosen = ca_file or os.environ.get("SSL_CERT_FILE")
    directory = os.environ.get("SSL_CERT_DIR")
    if chosen or directory:
        return ssl.create_default_context(cafile=chosen, capath=None if ca_file else directory)
    return ssl.create_default_context(cafile=certifi.where())


def environment_proxy(base_url: str) -> httpcore.URL | None:
    """The proxy that HTTP(S)_PROXY, ALL_PROXY and NO_PROXY name for this address, as curl and httpx would use it."""
    url = httpx.URL(base_url)
    proxies = getproxies()
    if proxy_bypass(f"{url.host}:{url.port}" if url.port else url.host):
        return None
    chosen = proxies.get(url.scheme) or proxies.get("all")
    if not chosen or url.host in {"127.0.0.1", "localhost", "::1"}:
        return None
    return httpcore.URL(chosen if "://" in chosen else f"http://{chosen}")
