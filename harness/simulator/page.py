"""For browsers: a page to measure from, and the headers without which they let no page look at an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from harness.simulator.delivery import Message, Send

Receive = Callable[[], Awaitable[Message]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]

TIMING: Header = (b"timing-allow-origin", b"*")
SHARED: list[Header] = [(b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", b"*"), TIMING]

PAGE = b"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Embedded image API</title><link rel="icon" href="data:,"></head>
<body>
<h1>Embedded image API</h1>
<p>A simulated API. Its answers tell the speed of its world in the header <code>x-simulator-time-scale</code>.</p>
</body>
</html>
"""


class Browsers:
    """An application as browsers may use it from any origin. Requests without one pass through untouched."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = {name: value for name, value in scope["headers"] if name in (b"origin", _WANTED)}
        if scope["method"] == "OPTIONS":
            await _preflight(asked.get(_WANTED, b"*"), send)
        elif scope["method"] == "GET" and scope["path"] == "/":
            await _page([*SHARED] if b"origin" in asked else [TIMING], send)
        else:
            await self._app(scope, receive, _Shared(send).send if b"origin" in asked else send)


_WANTED = b"access-control-request-headers"


class _Shared:
    """Adds the headers to an answer. It holds the transport where uvicorn's own `send` would: faults close it."""

    def __init__(self, send: Send) -> None:
        self._send = send

    @property
    def transport(self) -> Any:
        """The connection of the caller."""
        return self._send.__self__.transport  # type: ignore[attr-defined]

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *SHARED]
        await self._send(message)


async def _preflight(wanted: bytes, send: Send) -> None:
    # Authorization is not covered by a star, so what is asked for is named.
    headers = [
        *SHARED,
        (b"access-control-allow-headers", wanted),
        (b"access-control-allow-methods", b"GET, POST, PUT, DELETE, HEAD"),
        (b"access-control-max-age", b"7200"),
        (b"vary", _WANTED),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _page(headers: list[Header], send: Send) -> None:
    size = str(len(PAGE)).encode()
    own = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", size), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": [*own, *headers]})
    await send({"type": "http.response.body", "body": PAGE})
