"""The transport on real sockets: marks in order, on both receive paths; addresses, names and connections."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from pathlib import Path

import pytest

from harness.errors import UsageProblem
from harness.events import ReceivePath
from harness.metrics import PHASES
from harness.routes.base import ExchangeFailed, Target
from harness.routes.images import RouteFamily
from harness.wire.trace import Trace
from harness.wire.transport import environment_proxy, tls_context

from .exchanging import HEAD, NO_CAPS, OK, Reader, Writer, answer, call, exchanges, request, serving


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
