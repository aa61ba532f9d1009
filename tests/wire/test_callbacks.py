"""The receiver for callbacks: on loopback, each job's path its own, and nothing that comes in can hold it up."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import time
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.wire import callbacks as callbacks_module
from harness.wire.callbacks import CallbackReceiver
from harness.wire.caps import Caps
from harness.wire.trace import Trace

BODY = json.dumps({"status": "done"}).encode()


@asynccontextmanager
async def receiving() -> AsyncIterator[CallbackReceiver]:
    receiver = CallbackReceiver()
    await receiver.open()
    try:
        yield receiver
    finally:
        async with asyncio.timeout(5):
            await receiver.aclose()


def request(url: str, body: bytes = BODY, method: str = "POST", extra: str = "") -> bytes:
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    head = f"{method} {target} HTTP/1.1\r\nhost: {parts.netloc}\r\ncontent-length: {len(body)}\r\n{extra}\r\n"
    return head.encode() + body


async def say(port: int, *pieces: bytes, pause_s: float = 0.0, close: bool = False) -> bytes:
    """Send the pieces on a connection of their own; what came back until the receiver closed it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    said = b""
    with suppress(OSError):  # the receiver may have closed already
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_s)
        if close:
            writer.write_eof()
    with suppress(OSError):
        async with asyncio.timeout(5):
            said = await reader.read()
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return said


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


def status(said: bytes) -> str:
    return said.partition(b"\r\n")[0].decode().partition(" ")[2]


def bodies(trace: Trace) -> list[bytes]:
    assert {leg.kind for leg in trace.legs} <= {"callback"}
    return [leg.trace.body.whole() for leg in trace.legs]


def test_a_callback_is_a_leg_of_its_own_job_and_of_no_other() -> None:
    async def go() -> None:
        async with receiving() as receiver:
            traces = [Trace(Caps()) for _ in range(3)]
            urls = [receiver.expect(f"job-{index}", trace, None) for index, trace in enumerate(traces)]
            assert len({urlsplit(url).path for url in urls}) == 3
            assert all(len(urlsplit(url).path) >= 20 for url in urls)  # nobody guesses one
            assert all("job" not in url for url in urls)
            before_ns = time.monotonic_ns()
            assert status(await say(port_of(urls[1]), request(urls[1]))) == "200 OK"
            after_ns = time.monotonic_ns()
            assert [bodies(trace) for trace in traces] == [[], [BODY], []]
            (leg,) = traces[1].legs
            assert leg.trace.first_byte is not None
            assert leg.trace.ended_ns is not None
            assert before_ns <= leg.trace.first_byte.ns <= leg.trace.ended_ns <= after_ns

    asyncio.run(go())


@pytest.mark.parametrize("target", ["/", "/guess", "/favicon.ico", "*", "/" + "a" * 22, "//", "/%2e%2e/"])
def test_a_path_that_nobody_expects_gets_a_404_and_leaves_no_trace(target: str) -> None:
    async def go() -> None:
        async with receiving() as receiver:
            trace = Trace(Caps())
            port = port_of(receiver.expect("job", trace, None))
            method = "OPTIONS" if target == "*" else "POST"
            said = await say(port, f"{method} {target} HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\n{{}}".encode())
            assert (status(said), trace.legs) == ("404 Not Found", [])

    asyncio.run(go())


def test_a_port_that_listens_before_any_job_answers_with_404() -> None:
    async def go() -> None:
        async with receiving() as receiver:
            port = port_of(receiver.expect("job", Trace(Caps()), None))
            await receiver.settle("job", 0.0)
            assert status(await say(port, request(f"http://127.0.0.1:{port}/"))) == "404 Not Found"

    asyncio.run(go())


def test_it_listens_on_loopback_and_nowhere_else() -> None:
    async def go() -> None:
        async with receiving() as receiver:
            port = port_of(receiver.expect("job", Trace(Caps()), None))
            with open("/proc/net/tcp", encoding="ascii") as table:  # noqa: ASYNC230, PTH123 - the kernel's own word
                rows = [line.split() for line in table.readlines()[1:]]
            listening = [row[1] for row in rows if row[3] == "0A" and row[1].endswith(f":{port:04X}")]
            assert listening == [f"0100007F:{port:04X}"]

    asyncio.run(go())


def test_a_public_url_leads_to_the_same_path_whatever_stands_before_it() -> None:
    async def go() -> None:
        async with receiving() as receiver:
            trace = Trace(Caps())
            port = port_of(receiver.expect("other", Trace(Caps()), None))
            url = receiver.expect("job", trace, "https://tunnel.example/hooks/")
            assert url.startswith("https://tunnel.example/hooks/")
            secret = url.rpartition("/")[2]
            # A tunnel that hands the path on as it is, one that strips its own, and a sender that adds a query.
            for path in (f"/hooks/{secret}", f"/{secret}", f"/{secret}?attempt=2"):
                assert status(await say(port, request(f"http://127.0.0.1:{port}{path}"))) == "200 OK"
            assert bodies(trace) == [BODY] * 3

    asyncio.run(go())


def test_the_stamp_is_that_of_the_first_byte_and_not_of_the_last() -> None:
    async def go() -> None:
        async with receiving() as receiver:
            trace = Trace(Caps())
            url = receiver.expect("job", trace, None)
            data = request(url)
            began_ns = time.monotonic_ns()
            await say(port_of(url), data[:10], data[10:-5], data[-5:], pause_s=0.1)
            (leg,) = trace.legs
            assert leg.trace.first_byte is not None
            assert leg.trace.first_byte.ns - began_ns < 95_000_000
            assert leg.trace.body.whole() == BODY
            assert leg.trace.body_end_ns is not None
            assert leg.trace.body_end_ns - began_ns >= 195_000_000

    asyncio.run(go())


def test_what_never_comes_whole_is_no_callback() -> None:
    async def go() -> None:
        async with receiving() as receiver:
            trace = Trace(Caps())
            url = receiver.expect("job", trace, None)
            data = request(url)
            for piece in (data[:-1], data[:20], b"", b"\0\1\2", b"GET\r\n\r\n"):
                await say(port_of(url), piece, close=True)
            assert trace.legs == []
            assert status(await say(port_of(url), data)) == "200 OK"

    asyncio.run(go())


def test_a_sender_that_offers_http2_is_heard_all_the_same() -> None:
    """What Java's own client sends over plain HTTP."""
    offer = "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAA\r\n"

    async def go() -> None:
        async with receiving() as receiver:
            trace = Trace(Caps())
            url = receiver.expect("job", trace, None)
            assert status(await say(port_of(url), request(url, extra=offer))) == "200 OK"
            assert bodies(trace) == [BODY]

    asyncio.run(go())


def test_more_than_it_takes_is_refused_wherever_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callbacks_module, "MOST_BYTES", 10_000)

    async def go() -> None:
        async with receiving() as receiver:
            trace = Trace(Caps())
            url = receiver.expect("job", trace, None)
            began = time.monotonic()
            start = request(url).partition(b"\r\n\r\n")[0] + b"\r\n"
            endless = [b"x-%d: %b\r\n" % (number, b"a" * 5000) for number in range(50)]
            assert b"200" not in await say(port_of(url), start, *endless)
            assert b"200" not in await say(port_of(url), request(url, b"x" * 200_000))
            assert time.monotonic() - began < 4  # it was closed, not left alone
            assert trace.legs == []

    asyncio.run(go())


def test_a_connection_that_says_nothing_does_not_keep_the_run_from_ending() -> None:
    async def go() -> float:
        receiver = CallbackReceiver()
        await receiver.open()
        url = receiver.expect("job", Trace(Caps()), None)
        _, silent = await asyncio.open_connection("127.0.0.1", port_of(url))
        _, half = await asyncio.open_connection("127.0.0.1", port_of(url))
        half.write(request(url)[:10])
        await asyncio.sleep(0.05)
        began = time.monotonic()
        async with asyncio.timeout(5):
            await receiver.aclose()
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        assert left == []
        silent.close()
        half.close()
        return time.monotonic() - began

    assert asyncio.run(go()) < 2


def test_settling_waits_for_what_is_on_its_way_and_then_expects_nothing_more() -> None:
    async def go() -> None:
        async with receiving() as receiver:
            late, never = Trace(Caps()), Trace(Caps())
            url, other = receiver.expect("late", late, None), receiver.expect("never", never, None)

            async def call_back() -> None:
                await asyncio.sleep(0.05)
                await say(port_of(url), request(url))

            calling = asyncio.create_task(call_back())
            began = time.monotonic()
            await receiver.settle("late", 5.0)
            assert time.monotonic() - began < 2
            await calling
            assert bodies(late) == [BODY]
            await receiver.settle("never", 0.01)
            for gone in (url, other):
                assert status(await say(port_of(gone), request(gone))) == "404 Not Found"
            assert (len(late.legs), never.legs) == (1, [])

    asyncio.run(go())


def test_a_job_that_is_over_can_be_forgotten_at_once_and_twice() -> None:
    async def go() -> None:
        async with receiving() as receiver:
            trace = Trace(Caps())
            url = receiver.expect("job", trace, None)
            receiver.forget("job")
            receiver.forget("job")
            assert status(await say(port_of(url), request(url))) == "404 Not Found"
            assert trace.legs == []

    asyncio.run(go())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=80) | st.just(b"POST / HTTP/1.1\r\n") | st.just(b"\r\n\r\n"), max_size=5))
def test_any_bytes_get_a_404_or_silence_and_the_receiver_lives_on(pieces: list[bytes]) -> None:
    async def go() -> None:
        async with receiving() as receiver:
            trace = Trace(Caps())
            url = receiver.expect("job", trace, None)
            assert b"200" not in await say(port_of(url), *pieces, close=True)
            assert status(await say(port_of(url), request(url))) == "200 OK"
            assert len(trace.legs) == 1

    asyncio.run(go())


@pytest.mark.parametrize("turns", range(6))
def test_a_caller_who_comes_as_the_receiver_closes_leaves_no_socket_open(turns: int) -> None:
    async def go() -> None:
        receiver = CallbackReceiver()
        await receiver.open()
        url = urlsplit(receiver.expect("hc_a", Trace(Caps()), None))
        assert url.hostname is not None
        assert url.port is not None
        await asyncio.sleep(0.01)  # it is accepting
        with socket.create_connection((url.hostname, url.port)):
            for _ in range(turns):  # from "not accepted yet" to "being read"
                await asyncio.sleep(0)
            await receiver.aclose()

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        asyncio.run(go())
        gc.collect()
    assert [str(one.message) for one in seen if issubclass(one.category, ResourceWarning)] == []
