"""The transport over TLS, on real sockets."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

from harness.routes.base import Target
from harness.routes.images import RouteFamily
from harness.wire.caps import Caps
from harness.wire.failures import how_it_ended
from harness.wire.trace import Trace

from .exchanging import HEAD, OK, answer, call, exchanges


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
