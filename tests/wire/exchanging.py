"""Exchanges of a route with a server of a few lines, over real sockets."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from harness.events import ReceivePath
from harness.routes.base import Call, ExchangeFailed, Target
from harness.routes.images import RouteFamily
from harness.wire.caps import Caps
from harness.wire.failures import exception_chain, how_it_ended
from harness.wire.trace import Trace

NO_CAPS = Caps()
Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
Serve = Callable[[Reader, Writer], Awaitable[None]]

OK = b'{"created":1,"data":[{"b64_json":"AAAA"}]}'
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"


@asynccontextmanager
async def serving(serve: Serve, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """`serve` on a free port of this machine; nothing of it is left behind."""
    tasks: set[asyncio.Task[None]] = set()

    async def tidy(reader: Reader, writer: Writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return  # the client left or the test is over: nothing to serve any more
        finally:
            writer.close()
            with suppress(ConnectionError, asyncio.CancelledError, ssl.SSLError):
                await writer.wait_closed()

    server = await asyncio.start_server(tidy, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.01)


async def request(reader: Reader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:")
    return head + await reader.readexactly(length)


async def answer(reader: Reader, writer: Writer) -> None:
    while True:
        await request(reader)
        writer.write(HEAD % len(OK) + OK)
        await writer.drain()


def call(caps: Caps = NO_CAPS) -> Call:
    fields = {"model": "gpt-image-2", "prompt": "apple", "quality": "low", "size": "1024x1024"}
    return Call(fields=fields, stream=False, client_request_id="harness-test-1", caps=caps)


def exchanges(
    serve: Serve,
    *,
    caps: Caps = NO_CAPS,
    count: int = 1,
    tls: tuple[ssl.SSLContext, str] | None = None,
    host: str = "127.0.0.1",
    path: ReceivePath | None = None,
    key: str = "sk-sim-test",
    pause_s: float = 0,
) -> list[tuple[Trace, tuple[str, ...]]]:
    """Run `count` exchanges one after the other against `serve` on a real socket of this machine."""

    async def go() -> list[tuple[Trace, tuple[str, ...]]]:
        async with serving(serve, tls[0] if tls else None) as port:
            return await talk(port)

    async def talk(port: int) -> list[tuple[Trace, tuple[str, ...]]]:
        scheme = "https" if tls else "http"
        address = f"{scheme}://{'localhost' if tls else host}:{port}/v1"
        route = RouteFamily(Target("t", address, key, ca_file=tls[1] if tls else None, receive_path=path))
        done = []
        for _ in range(count):
            trace, failure = Trace(caps), ()
            try:
                async with asyncio.timeout(caps.total_s):
                    await route.exchange(call(caps), trace)
            except ExchangeFailed as error:
                failure = exception_chain(error.__cause__)
            except TimeoutError as error:
                trace.cap_fired = "total"
                failure = exception_chain(error)
            trace.finish()
            done.append((trace, failure))
            await asyncio.sleep(pause_s)
        await route.aclose()
        return done

    return asyncio.run(go())


def ending(serve: Serve, caps: Caps = NO_CAPS, path: ReceivePath | None = None) -> tuple[str, str | None]:
    ((trace, failure),) = exchanges(serve, caps=caps, path=path)
    return how_it_ended(trace, failure, cancelled=False), trace.cap_fired
