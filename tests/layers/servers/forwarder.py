"""The smallest application that has its work done elsewhere, for WSGI and ASGI, without any timeout of its own.

It imports nothing of this project. ``/dead`` before a path asks the upstream that is not there.
"""

from __future__ import annotations

import http.client
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from typing import Any

PASSED = ("authorization", "content-type", "x-client-request-id", "x-sim-fault")
HOP = ("connection", "transfer-encoding", "keep-alive")


def _upstream(path: str) -> tuple[int, str]:
    if path.startswith("/dead/"):
        return int(os.environ["FORWARD_DEAD"]), path.removeprefix("/dead")
    return int(os.environ["FORWARD_LIVE"]), path


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """One request: asks, waits, hands on what comes when it comes."""
    port, path = _upstream(environ["PATH_INFO"])
    names = {name: "HTTP_" + name.upper().replace("-", "_") for name in PASSED} | {"content-type": "CONTENT_TYPE"}
    headers = {name: environ[key] for name, key in names.items() if key in environ}
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request(environ["REQUEST_METHOD"], path, body, headers)
    answer = connection.getresponse()
    kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in HOP]
    start_response(f"{answer.status} {answer.reason}", kept)
    return _pieces(answer)


def _pieces(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    while piece := answer.read1(65536):
        yield piece


async def asgi(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """The same for ASGI."""
    import httpx

    if scope["type"] != "http":
        return
    port, path = _upstream(scope["path"])
    headers = {k.decode(): v.decode() for k, v in scope["headers"] if k.decode() in PASSED}
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    address = f"http://127.0.0.1:{port}{path}"
    async with (
        httpx.AsyncClient(timeout=None, trust_env=False) as client,
        client.stream(scope["method"], address, content=body, headers=headers) as answer,
    ):
        kept = [(name, value) for name, value in answer.headers.raw if name.decode().lower() not in HOP]
        await send({"type": "http.response.start", "status": answer.status_code, "headers": kept})
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        async for piece in answer.aiter_raw():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
