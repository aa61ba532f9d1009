"""Tells an address that a task is over. Only ever an address of this host: the simulator reaches nobody else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from urllib.parse import urlsplit

HERE = {"127.0.0.1", "::1", "localhost"}
PATIENCE_S = 5.0  # real seconds until an address that does not answer is given up


class NotToldError(Exception):
    """The callback did not arrive; the message says why."""


async def tell(address: str, value: object, sent: Callable[[], None]) -> int:
    """POST `value` as JSON; the status of the reply. `sent` is called when the bytes were handed to the socket.

    Raises:
        NotToldError: the address is not this host's, or nobody there took it.
    """
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port or 80
    except ValueError:
        raise NotToldError("the callback's address is none") from None
    if parts.scheme != "http" or host not in HERE:
        raise NotToldError("the callback's address is not http on this host, so it was not called")
    body = json.dumps(value).encode()
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if any(ord(letter) <= 32 or ord(letter) > 126 for letter in path):
        raise NotToldError("the callback's address is none")
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {parts.netloc.rpartition('@')[2]}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\nuser-agent: simulator-callback/1\r\nconnection: close\r\n\r\n"
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                sent()
                writer.write(head.encode() + body)
                await writer.drain()
                return int((await reader.readline()).split(b" ", 2)[1])
            finally:
                writer.close()
    except (OSError, TimeoutError, IndexError, ValueError) as error:
        raise NotToldError(f"the callback was not taken: {type(error).__name__}") from None
