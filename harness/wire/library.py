"""The other path: httpx's own machinery (httpcore) on a network backend that stamps. For what ours does not carry.

Stamps are taken in the reading task, so they are as late as the loop is; their intervals say by how much.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx

from harness.wire.body import BodyTooLarge
from harness.wire.clock import WorldClock
from harness.wire.network import StampingBackend
from harness.wire.stamp import at
from harness.wire.trace import Trace


class LibraryPath:
    """Requests over httpcore's pool, through a proxy where one is named."""

    def __init__(self, context: ssl.SSLContext, proxy: str | None, *, keepalive_s: float, limit: int | None) -> None:
        settings: dict[str, Any] = {
            "ssl_context": context,
            "max_connections": limit,
            "max_keepalive_connections": None,
            "keepalive_expiry": keepalive_s,
            "network_backend": StampingBackend(),
        }
        self._pool = httpcore.AsyncConnectionPool(**settings) if proxy is None else _through(proxy, context, settings)

    async def carry(self, request: httpx.Request, trace: Trace) -> httpx.Response:
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
        try:
            with _translated():
                response = await self._pool.handle_async_request(outgoing)
        finally:
            trace.tunnelling = False
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


def _through(proxy: str, context: ssl.SSLContext, settings: dict[str, Any]) -> httpcore.AsyncConnectionPool:
    """A pool behind a proxy, with the name and the password that its address holds."""
    named = httpx.Proxy(proxy)
    where = httpcore.URL(
        scheme=named.url.raw_scheme, host=named.url.raw_host, port=named.url.port, target=named.url.raw_path
    )
    secured = context if named.url.scheme == "https" else None
    return httpcore.AsyncHTTPProxy(proxy_url=where, proxy_auth=named.raw_auth, proxy_ssl_context=secured, **settings)


class _StampedStream(httpx.AsyncByteStream):
    """Passes the body on and keeps a copy with the stamp of the read that brought each piece."""

    def __init__(self, inner: Any, trace: Trace) -> None:
        self._inner = inner
        self._trace = trace

    async def __aiter__(self) -> AsyncIterator[bytes]:
        trace = self._trace
        with _translated():
            async for piece in self._inner:
                try:
                    trace.body.add(piece, trace.last_read or at(WorldClock.now_ns()))
                except BodyTooLarge:
                    trace.over_limit = True
                    raise httpx.ReadError("the response is larger than the harness holds") from None
                yield piece
        trace.body_end_ns = trace.last_byte_ns or WorldClock.now_ns()

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Observer:
    """httpcore's trace hook: the moments that only the connection pool and the HTTP writer know."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    async def __call__(self, name: str, info: dict[str, Any]) -> None:
        if name == "http11.send_request_headers.started":
            self._trace.acquired(reused=True)  # no effect when connect_tcp came before it
            self._trace.tunnelling = info["request"].method == b"CONNECT"
        elif name == "http11.send_request_body.complete" and not self._trace.tunnelling:
            self._trace.request_sent_ns = WorldClock.now_ns()


@contextmanager
def _translated() -> Any:
    """httpcore's exceptions as httpx's: the classes have the same names, which a contract test holds."""
    try:
        yield
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
        kind = getattr(httpx, type(error).__name__, httpx.TransportError)
        raise kind(str(error)) from error
    except httpcore.ProxyError as error:
        raise httpx.ProxyError(str(error)) from error
    except httpcore.UnsupportedProtocol as error:
        raise httpx.TransportError(str(error)) from error
