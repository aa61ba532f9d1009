"""The transport on real sockets: marks in order, caps by name, ends by name."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpcore
import httpx
import pytest

from harness.errors import UsageProblem
from harness.events import ReceivePath
from harness.metrics import PHASES
from harness.routes.base import Answer, Call, ExchangeFailed, Picture, Target
from harness.routes.images import RouteFamily
from harness.run.attempt import Exchange
from harness.run.record import outcome_of
from harness.wire import body as body_module
from harness.wire.caps import Caps
from harness.wire.failures import exception_chain, how_it_ended
from harness.wire.trace import Trace, current_trace
from harness.wire.transport import StampingTransport, environment_proxy, tls_context

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


def test_the_marks_of_a_plain_exchange_come_in_order() -> None:
    ((trace, failure),) = exchanges(answer)
    assert failure == ()
    stamps = [
        trace.started_ns,
        trace.pool_acquired_ns,
        trace.tcp_connected_ns,
        trace.request_sent_ns,
        trace.first_byte_ns,
        trace.headers_ns,
        trace.body.first_ns,
        trace.body_end_ns,
    ]
    assert all(stamp is not None for stamp in stamps)
    assert stamps == sorted(stamps, key=lambda stamp: stamp or 0)
    assert trace.tls_done_ns is None
    assert trace.dns_done_ns is None  # a literal address is not looked up
    assert trace.connection_reused is False
    assert trace.body.whole() == OK
    assert [one.connected for one in trace.addresses] == [True]


def test_a_second_exchange_reuses_the_connection_and_has_no_connect_marks() -> None:
    first, second = (trace for trace, _ in exchanges(answer, count=2))
    assert first.connection_reused is False
    assert second.connection_reused is True
    assert (second.dns_done_ns, second.tcp_connected_ns, second.tls_done_ns) == (None, None, None)
    assert second.request_sent_ns is not None


def test_first_byte_headers_and_body_are_different_moments() -> None:
    sent: dict[str, int] = {}

    async def dribble(reader: Reader, writer: Writer) -> None:
        await request(reader)
        head = HEAD % len(OK)
        for name, piece in (("first", head[:5]), ("headers", head[5:]), ("body", OK[:4]), ("end", OK[4:])):
            await asyncio.sleep(0.08)
            sent[name] = time.monotonic_ns()
            writer.write(piece)
            await writer.drain()
        writer.close()

    ((trace, _),) = exchanges(dribble)
    seen = {
        "first": trace.first_byte_ns,
        "headers": trace.headers_ns,
        "body": trace.body.first_ns,
        "end": trace.body_end_ns,
    }
    names = list(seen)
    for name, following in zip(names, [*names[1:], None], strict=True):
        stamp = seen[name]
        assert stamp is not None
        assert sent[name] <= stamp, name
        assert following is None or stamp < sent[following], name
    assert trace.longest_silence_ns >= 75_000_000


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, str]:
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context, str(cert)


def test_tls_has_its_own_mark_and_is_verified(certificate: tuple[ssl.SSLContext, str]) -> None:
    ((trace, failure),) = exchanges(answer, tls=certificate)
    assert failure == ()
    assert trace.tcp_connected_ns is not None
    assert trace.tls_done_ns is not None
    assert trace.tcp_connected_ns < trace.tls_done_ns


def test_a_certificate_that_nobody_vouches_for_is_refused(
    certificate: tuple[ssl.SSLContext, str], tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=other"]
    subprocess.run([*command, "-keyout", str(tmp_path / "k"), "-out", str(other)], check=True, capture_output=True)
    ((trace, failure),) = exchanges(answer, tls=(certificate[0], str(other)))
    assert how_it_ended(trace, failure, cancelled=False) == "connect_failed"
    assert "SSLCertVerificationError" in failure


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


def test_addresses_are_tried_in_order_and_each_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def two(host: str, port: int, **options: object) -> list[object]:
        if host != "two.test":
            return list(real(host, port, **options))  # type: ignore[arg-type]
        row = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*row, ("127.0.0.9", port)), (*row, ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    ((trace, failure),) = exchanges(answer, host="two.test")
    assert failure == ()
    assert trace.dns_done_ns is not None
    assert [one.connected for one in trace.addresses] == [False, True]
    assert all(one.tcp_ns >= 0 for one in trace.addresses)


def test_proxies_of_the_environment_are_honoured_and_loopback_never_goes_through_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "inside.example")
    assert environment_proxy("https://api.openai.com/v1") == "http://proxy.example:3128"
    assert environment_proxy("https://inside.example/v1") is None
    assert environment_proxy("https://127.0.0.1:8443/v1") is None


def test_an_environment_that_cannot_be_used_is_said_and_not_raised(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:word:abc")
    with pytest.raises(UsageProblem) as raised:
        environment_proxy("https://api.openai.com/v1")
    assert "is no address" in str(raised.value)
    assert "word" not in str(raised.value)
    (tmp_path / "empty.pem").write_text("no certificate")
    for name in ("nowhere.pem", "empty.pem"):
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / name))
        with pytest.raises(UsageProblem, match=name):
            tls_context()


def test_httpx_has_a_class_of_the_same_name_for_every_failure_that_is_translated() -> None:
    """Contract with httpcore and httpx: `transport` translates by name."""
    pending = [httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError]
    while pending:
        kind = pending.pop()
        assert issubclass(getattr(httpx, kind.__name__), httpx.TransportError)
        pending += kind.__subclasses__()


def test_every_phase_is_a_mark() -> None:
    from harness.events import Marks

    assert all(field in Marks.__struct_fields__ for _, field in PHASES)


@pytest.mark.parametrize("path", ["own", "library"])
def test_both_paths_leave_the_same_marks_and_say_which_they_are(path: ReceivePath) -> None:
    first, second = exchanges(answer, count=2, path=path)
    for trace, failure in (first, second):
        assert failure == ()
        assert trace.receive_path == path
        assert trace.stamp_source == ("kernel" if path == "own" and sys.platform == "linux" else "user")
        assert trace.body.whole() == OK
        assert (trace.http_status, trace.bytes_down) == (200, len(HEAD % len(OK)) + len(OK))
        moments = [trace.request_sent_ns, trace.first_byte_ns, trace.headers_ns, trace.body.first_ns, trace.body_end_ns]
        assert moments == sorted(moments, key=lambda moment: moment or 0)
        assert trace.first_byte is not None
        assert trace.first_byte.width_ns >= 0
    assert [trace.connection_reused for trace, _ in (first, second)] == [False, True]


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


def test_an_idle_connection_that_the_other_side_closed_is_not_used_again() -> None:
    async def once(reader: Reader, writer: Writer) -> None:
        await request(reader)
        writer.write(HEAD % len(OK) + OK)
        await writer.drain()
        writer.close()

    first, second = exchanges(once, count=2, pause_s=0.05)
    assert [trace.connection_reused for trace, _ in (first, second)] == [False, False]
    assert second[1] == ()


def test_connections_expire_and_their_number_can_be_limited() -> None:
    async def go(keepalive_s: float, limit: int | None) -> list[Trace]:
        async def slow(reader: Reader, writer: Writer) -> None:
            while True:
                await request(reader)
                await asyncio.sleep(0.1)
                writer.write(HEAD % len(OK) + OK)
                await writer.drain()

        async with serving(slow) as port:
            target = Target(
                "t", f"http://127.0.0.1:{port}/v1", "sk-sim-test", keepalive_s=keepalive_s, max_connections=limit
            )
            route, traces = RouteFamily(target), [Trace(NO_CAPS) for _ in range(3)]
            await asyncio.gather(*(route.exchange(call(), trace) for trace in traces))
            await route.aclose()
            return traces

    free = asyncio.run(go(5, None))
    assert [trace.connection_reused for trace in free] == [False] * 3
    one_by_one = sorted(asyncio.run(go(5, 1)), key=lambda trace: trace.pool_acquired_ns or 0)
    assert [trace.connection_reused for trace in one_by_one] == [False, True, True]
    waits = [(trace.pool_acquired_ns or 0) - (trace.started_ns or 0) for trace in one_by_one]
    assert waits[2] > waits[1] > waits[0]
    assert waits[2] >= 0.19e9
    fresh = asyncio.run(go(0.000_001, 1))
    assert [trace.connection_reused for trace in fresh] == [False] * 3


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


@pytest.mark.parametrize("path", ["own", "library"])
def test_a_name_with_umlauts_is_looked_up_as_its_host_header_says(
    path: ReceivePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def look_up(host: str, port: int) -> None:  # noqa: ARG001
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr("harness.wire.dial.look_up", look_up)
    monkeypatch.setattr("harness.wire.network.look_up", look_up)

    async def go() -> None:
        route = RouteFamily(Target("t", "http://straße.test/v1", "sk-sim-test", receive_path=path))
        with pytest.raises(ExchangeFailed):
            await route.exchange(call(), Trace(NO_CAPS))
        await route.aclose()

    asyncio.run(go())
    assert asked == ["xn--strae-oqa.test"]


@pytest.mark.parametrize("path", ["own", "library"])
def test_an_address_is_not_looked_up_on_either_path(path: ReceivePath) -> None:
    ((trace, _),) = exchanges(answer, path=path)
    assert trace.tcp_connected_ns is not None
    assert trace.dns_done_ns is None


def test_a_new_handshake_that_the_other_side_asks_for_behind_the_request_is_made(tmp_path: Path) -> None:
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-tls1_2", "-msg", "-cert", str(cert)]
    server = subprocess.Popen([*command, "-key", str(key)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdin is not None
    assert server.stdout is not None
    told, given = server.stdout, server.stdin

    def until(word: bytes) -> None:
        seen = b""
        while word not in seen:
            seen += (more := os.read(told.fileno(), 65_536))
            assert more

    def serve() -> None:
        until(b'"prompt"')
        given.write(b"R\n")
        given.flush()
        until(b"ClientHello")
        until(b"Finished")
        time.sleep(0.1)
        given.write(HEAD % len(OK) + OK)
        given.flush()

    until(b"ACCEPT")
    serving_thread = threading.Thread(target=serve, daemon=True)
    serving_thread.start()

    async def go() -> Trace:
        route = RouteFamily(Target("t", f"https://localhost:{port}/v1", "sk-sim-test", ca_file=str(cert)))
        trace = Trace(Caps(first_byte_s=3))
        await route.exchange(call(), trace)
        await route.aclose()
        return trace

    try:
        assert asyncio.run(go()).body.whole() == OK
    finally:
        server.kill()
        server.wait()
        serving_thread.join(3)
        told.close()
        with suppress(OSError):
            given.close()


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
