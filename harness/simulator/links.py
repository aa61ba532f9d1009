"""Links to made files: what an API hands out instead of the bytes, for as long as it keeps them."""

from __future__ import annotations

import asyncio
import heapq
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from harness.simulator.clock import SimClock
from harness.simulator.delivery import STEP_BYTES, Cut, Message, Send

Receive = Callable[[], Awaitable[Message]]

TYPES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}


@dataclass(frozen=True)
class Stored:
    """A file behind a link. `sent_bytes` is where its connection is cut; None: never."""

    data: bytes
    content_type: str
    sent_bytes: int | None = None
    fetched: Callable[[], None] | None = None  # told of each fetch that is answered with the file


class Links:
    """Files by token, each until its time is over. Expired ones are forgotten but for their token."""

    def __init__(self, clock: SimClock) -> None:
        self._clock = clock
        self._began_ns = clock.now_ns()
        self._files: dict[str, Stored] = {}
        self._ends: list[tuple[float, str]] = []  # a heap: world seconds since the beginning
        self._expired: set[str] = set()

    def put(
        self,
        data: bytes,
        content_type: str,
        ttl_s: float,
        *,
        sent_bytes: int | None = None,
        fetched: Callable[[], None] | None = None,
    ) -> str:
        """Keep a file for `ttl_s` world seconds; its token."""
        self._forget()
        token = secrets.token_hex(16)
        self._files[token] = Stored(data, content_type, sent_bytes, fetched)
        heapq.heappush(self._ends, (self._now_s() + ttl_s, token))
        return token

    def get(self, token: str) -> Stored | None:
        """The file, or nothing when it expired or never was."""
        self._forget()
        return self._files.get(token)

    def expired(self, token: str) -> bool:
        """Whether there was such a file and its time is over."""
        self._forget()
        return token in self._expired

    def _now_s(self) -> float:
        return self._clock.world_s(self._began_ns, self._clock.now_ns())

    def _forget(self) -> None:
        while self._ends and self._ends[0][0] <= self._now_s():
            token = heapq.heappop(self._ends)[1]
            del self._files[token]
            self._expired.add(token)


def address(home: str, token: str, content_type: str) -> str:
    """The link to a file, at the address that the caller knows this port by."""
    return f"{home}/files/{token}.{content_type.partition('/')[2]}"


class Files:
    """``GET /files/<token>.<ext>``: an ASGI application. A file that is cut ends with its connection."""

    def __init__(self, links: Links, clock: SimClock) -> None:
        self._links = links
        self._clock = clock

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:  # noqa: ARG002
        token = str(scope["path_params"]["name"]).partition(".")[0]
        stored = self._links.get(token)
        if stored is None:
            await self._refuse(send, token)
            return
        await self._head(
            send,
            200,
            stored.content_type,
            len(stored.data),
            {"etag": f'"{token}"', "accept-ranges": "none"},
        )
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        if stored.fetched is not None:
            stored.fetched()
        view = memoryview(stored.data)[: stored.sent_bytes]
        for start in range(0, len(view), STEP_BYTES):
            await send({"type": "http.response.body", "body": view[start : start + STEP_BYTES], "more_body": True})
            await asyncio.sleep(0)  # everybody else has a turn in between
        if len(view) < len(stored.data):
            raise Cut  # what was sent leaves, and the connection is closed
        await send({"type": "http.response.body", "body": b""})

    async def _refuse(self, send: Send, token: str) -> None:
        """As object stores word it: who held a link that is over is told so, who made one up is not."""
        status, code, words = 404, "NoSuchKey", "The specified key does not exist."
        if self._links.expired(token):
            status, code, words = 403, "AccessDenied", "Request has expired"
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{words}</Message></Error>'
        await self._head(send, status, "application/xml", len(body), {})
        await send({"type": "http.response.body", "body": body.encode()})

    async def _head(self, send: Send, status: int, content_type: str, size: int, more: dict[str, str]) -> None:
        headers = {
            "content-type": content_type,
            "content-length": str(size),
            **more,
            "x-simulator-time-scale": self._clock.shown,
        }
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
