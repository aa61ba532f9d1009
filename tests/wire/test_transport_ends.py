"""How an exchange ends on real sockets: caps by name, ends by name."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import suppress

import httpcore
import httpx
import pytest

from harness.events import ReceivePath
from harness.routes.base import ExchangeFailed, Target
from harness.routes.images import RouteFamily
from harness.wire import body as body_module
from harness.wire.caps import Caps
from harness.wire.failures import exception_chain, how_it_ended
from harness.wire.trace import Trace

from .exchanging import HEAD, NO_CAPS, OK, Reader, Writer, call, ending, exchanges, request, serving


def test_each_cap_is_named_when_it_fires() -> None:
    async def silent(reader: Reader, _: Writer) -> None:
        await request(reader)
        await asyncio.sleep(5)

    async def stalls(reader: Reader, writer: Writer) -> None:
        await request(reader)
        writer.write(HEAD % len(OK) + OK[:5])
        await writer.drain()
        await asyncio.sleep(5)

    assert ending(silent, Caps(first_byte_s=0.2, idle_s=9, total_s=9)) == ("local_cap", "first_byte")
    assert ending(stalls, Caps(first_byte_s=9, idle_s=0.2, total_s=9)) == ("local_cap", "idle")
    assert ending(silent, Caps(total_s=0.2)) == ("local_cap", "total")


def test_bytes_reset_the_idle_cap_and_not_the_total_one() -> None:
    async def drips(reader: Reader, writer: Writer) -> None:
        await request(reader)
        writer.write(HEAD % len(OK))
        for byte in OK:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.03)
        writer.close()

    assert ending(drips, Caps(idle_s=1.0)) == ("complete", None)
    assert ending(drips, Caps(idle_s=1.0, total_s=0.5)) == ("local_cap", "total")


def test_a_handshake_that_never_comes_is_the_connect_cap() -> None:
    async def mute(reader: Reader, _: Writer) -> None:
        assert not reader.at_eof()
        await asyncio.sleep(5)

    async def go() -> Trace:
        caps = Caps(connect_s=0.2)
        async with serving(mute) as port:
            route, trace = RouteFamily(Target("t", f"https://127.0.0.1:{port}/v1", "sk-sim-test")), Trace(caps)
            with pytest.raises(ExchangeFailed):
                await route.exchange(call(caps), trace)
            await route.aclose()
            return trace

    trace = asyncio.run(go())
    assert trace.cap_fired == "connect"
    assert trace.tcp_connected_ns is not None


def test_how_the_other_side_can_end_it() -> None:
    async def no_reply(reader: Reader, writer: Writer) -> None:
        await request(reader)
        writer.close()

    async def half(reader: Reader, writer: Writer) -> None:
        await request(reader)
        writer.write(HEAD % 1000 + OK)
        await writer.drain()
        writer.close()

    async def reset(reader: Reader, writer: Writer) -> None:
        await request(reader)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        writer.transport.abort()

    async def garbage(reader: Reader, writer: Writer) -> None:
        await request(reader)
        writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")
        await writer.drain()
        writer.close()

    assert ending(no_reply) == ("remote_closed", None)
    assert ending(half) == ("remote_closed", None)
    assert ending(reset) == ("remote_closed", None)
    assert ending(garbage) == ("protocol_error", None)


def test_an_error_answer_is_an_answer_and_its_body_is_kept() -> None:
    async def refuse(reader: Reader, writer: Writer) -> None:
        await request(reader)
        body = b'{"error":{"message":"no","type":"t","param":null,"code":"c"}}'
        writer.write(b"HTTP/1.1 429 Too Many\r\ncontent-length: %d\r\nx-request-id: req_1\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    ((trace, failure),) = exchanges(refuse)
    assert (trace.http_status, failure) == (429, ())
    assert b'"code":"c"' in trace.body.whole()
    assert how_it_ended(trace, failure, cancelled=False) == "complete"


def test_an_endless_body_ends_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_module, "MAX_BODY_BYTES", 200_000)

    async def endless(reader: Reader, writer: Writer) -> None:
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
        for _ in range(100):
            try:
                writer.write(b"x" * 65_536)
                await writer.drain()
            except ConnectionError:
                break
        writer.close()

    ((trace, failure),) = exchanges(endless)
    assert how_it_ended(trace, failure, cancelled=False) == "over_limit"
    assert trace.body.size <= 200_000


def test_a_refused_port_is_a_failed_connection_with_its_errno() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

        async def go() -> tuple[Trace, tuple[str, ...]]:
            route, trace = RouteFamily(Target("t", f"http://127.0.0.1:{port}/v1", "sk-sim-test")), Trace(Caps())
            try:
                await route.exchange(call(), trace)
            except ExchangeFailed as error:
                return trace, exception_chain(error.__cause__)
            finally:
                await route.aclose()
            raise AssertionError("connected")

        trace, failure = asyncio.run(go())
    assert how_it_ended(trace, failure, cancelled=False) == "connect_failed"
    assert "ECONNREFUSED" in failure
    assert [one.connected for one in trace.addresses] == [False]


def test_httpx_has_a_class_of_the_same_name_for_every_failure_that_is_translated() -> None:
    """Contract with httpcore and httpx: `transport` translates by name."""
    pending = [httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError]
    while pending:
        kind = pending.pop()
        assert issubclass(getattr(httpx, kind.__name__), httpx.TransportError)
        pending += kind.__subclasses__()


@pytest.mark.parametrize("path", ["own", "library"])
def test_caps_and_ends_have_the_same_names_on_both_paths(path: ReceivePath) -> None:
    async def stalls(reader: Reader, writer: Writer) -> None:
        await request(reader)
        writer.write(HEAD % len(OK) + OK[:5])
        await writer.drain()
        await asyncio.sleep(5)

    async def half(reader: Reader, writer: Writer) -> None:
        await request(reader)
        writer.write(HEAD % 1000 + OK)
        await writer.drain()
        writer.close()

    assert ending(stalls, Caps(idle_s=0.2), path) == ("local_cap", "idle")
    assert ending(half, NO_CAPS, path) == ("remote_closed", None)


def test_a_cap_that_is_due_while_the_loop_is_held_does_not_fire_on_what_came_in_time() -> None:
    """The answer is here at 0.1 s, the cap is 0.3 s, and the loop is held until 0.6 s."""

    def in_time(listener: socket.socket) -> None:
        peer, _ = listener.accept()
        with peer:
            peer.recv(65_536)
            time.sleep(0.1)
            peer.sendall(HEAD % len(OK) + OK)
            time.sleep(1.0)

    async def hold(trace: Trace) -> None:
        await asyncio.sleep(0.05)
        assert trace.request_sent_ns is not None
        time.sleep(0.6)  # noqa: ASYNC251 - holding the loop is the point

    async def go(port: int) -> Trace:
        caps = Caps(first_byte_s=0.3)
        route, trace = RouteFamily(Target("t", f"http://127.0.0.1:{port}/v1", "sk-sim-test")), Trace(caps)
        await asyncio.gather(route.exchange(call(caps), trace), hold(trace))
        await route.aclose()
        return trace

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=in_time, args=(listener,))
        thread.start()
        trace = asyncio.run(go(listener.getsockname()[1]))
        thread.join()
    assert trace.cap_fired is None
    assert trace.body.whole() == OK
    assert trace.first_byte_ns is not None
    assert trace.request_sent_ns is not None
    assert trace.first_byte_ns - trace.request_sent_ns < 0.5e9


def test_a_cap_that_fires_in_a_body_closes_the_connection_and_gives_its_place_back() -> None:
    async def go() -> tuple[float, list[Trace]]:
        noticed: list[float] = []

        async def stalls(reader: Reader, writer: Writer) -> None:
            await request(reader)
            writer.write(HEAD % len(OK) + OK[:5])
            await writer.drain()
            began = time.monotonic()
            await asyncio.wait_for(reader.read(), 3)  # until the client leaves
            noticed.append(time.monotonic() - began)

        traces = [Trace(NO_CAPS) for _ in range(2)]
        async with serving(stalls) as port:
            route = RouteFamily(Target("t", f"http://127.0.0.1:{port}/v1", "sk-sim-test", max_connections=1))
            for trace in traces:
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.3):
                        await route.exchange(call(), trace)
            await asyncio.sleep(0.05)
            assert len(noticed) == 2
            await route.aclose()
        return max(noticed), traces

    longest_s, traces = asyncio.run(go())
    assert longest_s < 2
    assert all(trace.body.whole() == OK[:5] for trace in traces)


@pytest.mark.parametrize(
    ("bad", "ended"),
    [
        (b"HTTP/1.1 200 OK\r\n" + b"x-flood: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n" * 20_000, "protocol_error"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "protocol_error"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello", "protocol_error"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\n" + b"x" * 300_000, "over_limit"),
        (b"\x15\x03\x03\x00\x02\x02\x28", "protocol_error"),
        (b"HTTP/1.1 20", "remote_closed"),
    ],
)
def test_garbage_on_the_wire_ends_in_a_named_way(bad: bytes, ended: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_module, "MAX_BODY_BYTES", 200_000)

    async def serve(reader: Reader, writer: Writer) -> None:
        await request(reader)
        writer.write(bad)
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()

    assert ending(serve)[0] == ended
