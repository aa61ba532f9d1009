"""What goes up, on real sockets: whole, refused early, cut, or not sent at all."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator

import httpx
import pytest

from harness.events import ReceivePath
from harness.routes.base import Answer, Call, Picture, Target
from harness.routes.images import RouteFamily
from harness.run.attempt import Exchange
from harness.run.record import outcome_of
from harness.wire.caps import Caps
from harness.wire.failures import exception_chain, how_it_ended
from harness.wire.trace import Trace, current_trace
from harness.wire.transport import StampingTransport

from .exchanging import HEAD, OK, Reader, Writer, answer, exchanges, serving


def test_an_early_refusal_of_a_large_upload_is_read_and_not_lost() -> None:
    async def refuse_early(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
        await writer.drain()
        await asyncio.sleep(0.3)

    async def go(port: int) -> Trace:
        transport = StampingTransport(base_url=f"http://127.0.0.1:{port}")
        trace = Trace(Caps())
        token = current_trace.set(trace)
        async with httpx.AsyncClient(transport=transport) as client:
            reply = await client.post(f"http://127.0.0.1:{port}/v1/images/edits", content=b"x" * 50_000_000)
        current_trace.reset(token)
        assert reply.status_code == 413
        return trace

    async def serve() -> Trace:
        async with serving(refuse_early) as port:
            return await go(port)

    trace = asyncio.run(serve())
    assert trace.body.whole() == b"{}"
    assert trace.bytes_up < 50_000_000
    assert trace.request_sent_ns is None


def test_uploads_in_parts_and_of_unknown_size_arrive_whole() -> None:
    got: list[bytes] = []

    async def swallow(reader: Reader, writer: Writer) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"transfer-encoding: chunked" in head.lower()
        while (size := int(await reader.readline(), 16)) > 0:
            got.append(await reader.readexactly(size))
            await reader.readline()
        await reader.readline()
        writer.write(HEAD % len(OK) + OK)
        await writer.drain()

    async def parts() -> AsyncIterator[bytes]:
        for size in (10, 300_000, 1, 700_000):
            yield b"u" * size

    async def go() -> httpx.Response:
        async with serving(swallow) as port:
            transport = StampingTransport(base_url=f"http://127.0.0.1:{port}")
            async with httpx.AsyncClient(transport=transport) as client:
                return await client.post(f"http://127.0.0.1:{port}/v1", content=parts())

    reply = asyncio.run(go())
    assert b"".join(got) == b"u" * 1_000_011
    assert reply.content == OK  # whoever does read the body here gets it


def test_a_header_that_would_end_early_is_refused_before_anything_is_sent() -> None:
    ((trace, failure),) = exchanges(answer, key="sk-sim-test\r\nx-evil: 1")
    assert failure[0] in {"APIConnectionError", "LocalProtocolError"}
    assert how_it_ended(trace, failure, cancelled=False) == "connect_failed"


@pytest.mark.parametrize("path", ["own", "library"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_an_upload_that_is_cut_counts_what_went_up_and_is_no_failed_connection(
    path: ReceivePath, tls: bool, certificate: tuple[ssl.SSLContext, str]
) -> None:
    got = 0

    async def reads_a_little(reader: Reader, writer: Writer) -> None:
        nonlocal got
        got = len(await reader.readexactly(20_000))
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(3)

    async def go() -> tuple[Trace, tuple[str, ...]]:
        async with serving(reads_a_little, certificate[0] if tls else None) as port:
            address = f"{'https' if tls else 'http'}://localhost:{port}/v1"
            route = RouteFamily(Target("t", address, "sk-sim-test", ca_file=certificate[1], receive_path=path))
            fields = {"model": "gpt-image-2", "prompt": "apple"}
            picture = Picture("one.png", "image/png", bytes(20_000_000))
            trace, failure = Trace(Caps(total_s=0.4)), tuple[str, ...]()
            try:
                async with asyncio.timeout(0.4):
                    await route.exchange(Call(fields, False, "id", trace.caps, references=(picture,)), trace)
            except TimeoutError as error:
                trace.cap_fired, failure = "total", exception_chain(error)
            trace.finish()
            await route.aclose()
            return trace, failure

    trace, failure = asyncio.run(go())
    assert trace.request_sent_ns is None
    assert got <= trace.bytes_up < 20_000_000
    assert "EAGAIN" not in failure
    exchange = Exchange(1, "c", trace, failure, False, Answer(), ())
    assert outcome_of(exchange, how_it_ended(trace, failure, cancelled=False), 1) == "cut"
