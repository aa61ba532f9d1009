"""TLS verification stays on: whatever is wrong with a certificate, no byte of a request goes out, and why is told."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from harness.events import ReceivePath
from harness.routes import make_route
from harness.routes.base import Target
from harness.routes.links import Downloads
from harness.run.attempt import Exchange
from harness.run.record import outcome_of
from harness.wire.caps import Caps
from harness.wire.failures import how_it_ended
from harness.wire.trace import Trace
from tests.routes.recorder import CALL, KEY, Told, one

AUTHORITY, STRANGER = trustme.CA(), trustme.CA()
PAST = datetime.now(UTC) - timedelta(days=3)


def self_signed(folder: Path) -> ssl.SSLContext:
    import subprocess

    key, cert = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


def issued(authority: trustme.CA, name: str = "localhost", expired: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf = authority.issue_cert(name, not_before=PAST - timedelta(days=9), not_after=PAST) if expired else (
        authority.issue_cert(name)
    )  # fmt: skip
    leaf.configure_cert(context)
    return context


WRONG: dict[str, tuple[Callable[[Path], ssl.SSLContext], set[str]]] = {
    "expired": (lambda _: issued(AUTHORITY, expired=True), {"CERT_HAS_EXPIRED"}),
    "another host": (lambda _: issued(AUTHORITY, "images.example"), {"HOSTNAME_MISMATCH"}),
    "self-signed": (self_signed, {"DEPTH_ZERO_SELF_SIGNED_CERT"}),
    "unknown authority": (
        lambda _: issued(STRANGER),
        {"UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "SELF_SIGNED_CERT_IN_CHAIN", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"},
    ),
}


@dataclass
class Server:
    """A TLS server on loopback, and every byte of plaintext that it was given."""

    port: int = 0
    plaintext: bytearray = field(default_factory=bytearray)
    ciphertext: int = 0


async def against(context: ssl.SSLContext, use: Callable[[Server], object]) -> Server:
    server = Server()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            server.plaintext += data
        writer.close()

    def quiet(_loop: asyncio.AbstractEventLoop, _context: object) -> None:
        """A handshake that the client ends is what this is about."""

    asyncio.get_running_loop().set_exception_handler(quiet)
    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    server.port = listening.sockets[0].getsockname()[1]
    await use(server)  # type: ignore[misc]
    listening.close()
    await asyncio.sleep(0.05)
    return server


@pytest.mark.parametrize("path", ["own", "library"])
@pytest.mark.parametrize("wrong", WRONG)
def test_nothing_of_a_request_goes_to_a_server_that_cannot_prove_itself(
    wrong: str, path: ReceivePath, tmp_path: Path
) -> None:
    make, reasons = WRONG[wrong]
    AUTHORITY.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    told: list[Told] = []

    async def exchange(server: Server) -> None:
        target = Target("t", f"https://localhost:{server.port}/v1", KEY, ca_file=str(tmp_path / "ca.pem"),
                        receive_path=path)  # fmt: skip
        route = make_route("images", target)
        told.append(await one(route, CALL))
        await route.aclose()

    server = asyncio.run(against(make(tmp_path), exchange))
    (only,) = told
    trace = only.trace
    assert how_it_ended(trace, only.failure, cancelled=False) == "connect_failed"
    ended = Exchange(1, "c", trace, only.failure, False, only.answer, ())
    assert outcome_of(ended, "connect_failed", 1) == "unreachable"
    assert "SSLCertVerificationError" in only.failure
    assert only.failure[-1] in reasons
    assert (bytes(server.plaintext), trace.bytes_up, trace.bytes_down, trace.request_sent_ns) == (b"", 0, 0, None)
    assert trace.tcp_connected_ns is not None
    assert trace.tls_done_ns is None


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("path", ["own", "library"])
def test_a_server_that_wants_our_certificate_was_never_reached(
    version: ssl.TLSVersion, path: ReceivePath, tmp_path: Path
) -> None:
    AUTHORITY.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = issued(AUTHORITY)
    context.minimum_version = context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    AUTHORITY.configure_trust(context)
    listening = socket.create_server(("127.0.0.1", 0))

    def refuse() -> None:  # in a thread: asyncio's own TLS leaves without an alert
        connected, _ = listening.accept()
        with connected.dup() as kept:  # closed at once, with a request unread, the alert might be lost to a reset
            with connected, suppress(ssl.SSLError):
                context.wrap_socket(connected, server_side=True)
            kept.settimeout(3)
            while kept.recv(65_536):
                continue
        listening.close()

    async def exchange() -> Told:
        address = f"https://localhost:{listening.getsockname()[1]}/v1"
        route = make_route("images", Target("t", address, KEY, ca_file=str(tmp_path / "ca.pem"), receive_path=path))
        told = await one(route, CALL)
        await route.aclose()
        return told

    server = threading.Thread(target=refuse)
    server.start()
    only = asyncio.run(exchange())
    server.join()
    assert how_it_ended(only.trace, only.failure, cancelled=False) == "connect_failed"
    ended = Exchange(1, "c", only.trace, only.failure, False, only.answer, ())
    assert outcome_of(ended, "connect_failed", 1) == "unreachable"
    assert only.failure[-1].endswith(("ALERT_CERTIFICATE_REQUIRED", "ALERT_HANDSHAKE_FAILURE"))
    assert (only.trace.bytes_up, only.trace.request_sent_ns, only.trace.tls_done_ns) == (0, None, None)


def test_a_certificate_of_the_given_authority_is_believed(tmp_path: Path) -> None:
    AUTHORITY.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    async def exchange(server: Server) -> None:
        target = Target("t", f"https://localhost:{server.port}/v1", KEY, ca_file=str(tmp_path / "ca.pem"))
        route = make_route("images", target)
        trace = Trace(Caps(first_byte_s=0.3))
        with pytest.raises(Exception):  # noqa: B017 - nobody answers: what was sent is the question
            await route.exchange(CALL, trace)
        await route.aclose()

    assert KEY.encode() in asyncio.run(against(issued(AUTHORITY), exchange)).plaintext


def test_a_result_link_is_not_fetched_from_a_server_that_cannot_prove_itself(tmp_path: Path) -> None:
    AUTHORITY.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    trace = Trace(Caps())

    async def fetch(server: Server) -> None:
        downloads = Downloads(Target("t", "http://127.0.0.1:9/v1", KEY, ca_file=str(tmp_path / "ca.pem")))
        await downloads.fetch([f"https://localhost:{server.port}/image.png?sig=planted"], trace)
        await downloads.aclose()

    server = asyncio.run(against(issued(STRANGER), fetch))
    (leg,) = trace.legs
    assert "SSLCertVerificationError" in leg.failure
    assert (bytes(server.plaintext), leg.trace.bytes_up) == (b"", 0)
