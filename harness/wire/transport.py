"""The transport under the SDK's client: the SDK builds and signs a request, this carries it and stamps what happens.

There are two paths. Ours reads bare sockets with the kernel's stamps. What it does not do (proxies of the environment)
goes through httpx's own machinery on a stamping network backend, and the event says so in `receive_path`.

Bodies are kept with their stamps in the attempt's `Trace` and are parsed by nobody before the exchange is over.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from collections.abc import AsyncIterator, MutableMapping
from contextlib import contextmanager
from functools import cache
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.request import getproxies, proxy_bypass

import certifi
import httpx

from harness.errors import UsageProblem
from harness.events import ReceivePath
from harness.wire.connection import Connection
from harness.wire.failures import CapFired, ConnectionFailed, PeerClosed, PeerNonsense, ReadFailed
from harness.wire.library import LibraryPath
from harness.wire.pool import KEEPALIVE_S, Origin, Pool
from harness.wire.trace import Trace, current_trace

_PORTS = {"http": 80, "https": 443}
_READ_THROUGH = "harness_read_through"


class StampingTransport(httpx.AsyncBaseTransport):
    """Carries requests and stamps them. One per route; `current_trace` says which attempt a request belongs to."""

    def __init__(
        self,
        *,
        base_url: str,
        ca_file: str | None = None,
        keepalive_s: float = KEEPALIVE_S,
        max_connections: int | None = None,
        path: ReceivePath | None = None,
    ) -> None:
        context, proxy = tls_context(ca_file), environment_proxy(base_url)
        # Windows' default loop has no readers on sockets.
        chosen = path or ("library" if proxy is not None or sys.platform == "win32" else "own")
        self._path: OwnPath | LibraryPath = (
            OwnPath(Pool(context, keepalive_s=keepalive_s, limit=max_connections))
            if chosen == "own"
            else LibraryPath(context, proxy, keepalive_s=keepalive_s, limit=max_connections)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        trace = current_trace.get() or Trace.untimed()
        trace.begin()
        return await self._path.carry(request, trace)

    async def aclose(self) -> None:
        await self._path.aclose()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.aclose()

    async def __aenter__(self) -> Self:
        return self


class Streamed(Protocol):
    """What httpx's and httpx2's responses have in common, as far as this needs it."""

    @property
    def extensions(self) -> MutableMapping[str, Any]: ...

    def aiter_raw(self) -> AsyncIterator[bytes]: ...


async def read_through(response: Streamed) -> None:
    """Wait for the end of a response whose bytes nobody wants here: they are in the trace, with their stamps.

    Raises:
        httpx.HTTPError: it came to no end.
    """
    held = response.extensions.get(_READ_THROUGH)
    if held is not None:
        await held.finished()
        return
    async for _ in response.aiter_raw():
        continue


class OwnPath:
    """Requests over our own connections. Knows httpx's classes; what it drives does not."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def carry(self, request: httpx.Request, trace: Trace) -> httpx.Response:
        trace.receive_path = "own"
        url = request.url
        # As it stands in the Host header: the system would encode a name by other rules (straße, strasse).
        origin = Origin(url.scheme, url.raw_host.decode("ascii"), url.port or _PORTS[url.scheme])
        head = _request_head(request)
        with _as_httpx(connecting=True):
            connection = await self._pool.acquire(origin, trace)
        connection.begin(trace, lambda: self._pool.release(origin, connection))
        assert isinstance(request.stream, httpx.AsyncByteStream)
        chunked = request.headers.get("transfer-encoding", "").lower() == "chunked"
        try:
            with _as_httpx(connecting=False):
                await connection.send(head, request.stream, chunked=chunked)
                await connection.headers
        except BaseException:
            connection.abort(trace)
            raise
        held = _Held(connection, trace)
        return httpx.Response(
            status_code=trace.http_status or 0,
            headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in trace.headers],
            stream=held,
            extensions={"http_version": (trace.http_version or "").encode(), _READ_THROUGH: held},
        )

    async def aclose(self) -> None:
        self._pool.close()


class _Held(httpx.AsyncByteStream):
    """A body that fills up in the trace, whoever reads here and when."""

    def __init__(self, connection: Connection, trace: Trace) -> None:
        self._connection = connection
        self._finished = connection.finished  # of this exchange; the connection may go on to the next
        self._trace = trace

    async def finished(self) -> None:
        try:
            with _as_httpx(connecting=False):
                # Shielded: our leaving must not look like the exchange's end, or nobody would close the connection.
                await asyncio.shield(self._finished)
        except asyncio.CancelledError:
            self._connection.abort(self._trace)
            raise

    async def __aiter__(self) -> AsyncIterator[bytes]:
        await self.finished()
        for piece in self._trace.body:
            yield piece.data

    async def aclose(self) -> None:
        if not self._finished.done():
            self._connection.abort(self._trace)


def _request_head(request: httpx.Request) -> bytes:
    """Request line and headers.

    Raises:
        httpx.LocalProtocolError: a header holds what would end it early: a newline in a key, most often.
    """
    lines = [b"%b %b HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    for name, value in request.headers.raw:
        if any(char in value or char in name for char in (b"\r", b"\n", b"\0")):
            raise httpx.LocalProtocolError(f"header {name.decode('latin-1')!r} holds a line break or a null byte")
        lines.append(b"%b: %b" % (name, value))
    return b"\r\n".join(lines) + b"\r\n\r\n"


@contextmanager
def _as_httpx(*, connecting: bool) -> Any:
    """Our failures as the exceptions that httpx's users know."""
    try:
        yield
    except CapFired as error:
        raise (httpx.ConnectTimeout if connecting else httpx.ReadTimeout)(str(error)) from error
    except (PeerClosed, PeerNonsense) as error:
        raise httpx.RemoteProtocolError(str(error)) from error
    except ReadFailed as error:
        raise httpx.ReadError(str(error)) from error
    except ConnectionFailed as error:
        raise httpx.ConnectError(str(error)) from error


def tls_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Verification is always on. `ca_file`, SSL_CERT_FILE or SSL_CERT_DIR add or replace trust roots.

    Raises:
        UsageProblem: what is named holds none.
    """
    chosen = ca_file or os.environ.get("SSL_CERT_FILE")
    directory = None if ca_file else os.environ.get("SSL_CERT_DIR")
    return _tls_context(chosen if chosen or directory else certifi.where(), directory)


@cache
def _tls_context(cafile: str | None, capath: str | None) -> ssl.SSLContext:
    """Reading the trust roots takes tens of ms, and that must not stand between a link and its download."""
    try:
        return ssl.create_default_context(cafile=cafile, capath=capath)
    except OSError as error:  # ssl.SSLError is one
        why = getattr(error, "reason", None) or error.strerror or type(error).__name__
        raise UsageProblem(
            f"{cafile or capath}: no trust roots can be read there ({why}); mend ca_file, or "
            "SSL_CERT_FILE and SSL_CERT_DIR in the environment"
        ) from None


def environment_proxy(base_url: str) -> str | None:
    """The proxy that HTTP(S)_PROXY, ALL_PROXY and NO_PROXY name for this address, as curl and httpx would use it.

    Raises:
        UsageProblem: it is of a kind that the harness does not speak.
    """
    url = httpx.URL(base_url)
    proxies = getproxies()
    if proxy_bypass(f"{url.host}:{url.port}" if url.port else url.host):
        return None
    chosen = proxies.get(url.scheme) or proxies.get("all")
    if not chosen or url.host in {"127.0.0.1", "localhost", "::1"}:
        return None
    proxy = chosen if "://" in chosen else f"http://{chosen}"
    scheme = proxy.partition("://")[0].lower()
    if scheme not in _PORTS:
        raise UsageProblem(
            f"the environment names a {scheme} proxy for {url.host}; only http and https proxies are spoken: "
            "name one of those, or put the host into NO_PROXY"
        )
    try:
        httpx.Proxy(proxy)
    except (httpx.InvalidURL, ValueError):  # its words may hold a password
        raise UsageProblem(f"the proxy that the environment names for {url.host} is no address; mend it") from None
    return proxy
