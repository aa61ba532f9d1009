"""A server that knows when it sent what: `python -m harness.selftest.truth`.

It imports nothing of ours and shares one thing with a client on the same host: CLOCK_MONOTONIC. It answers every POST
as the header ``x-truth-plan`` says (JSON, `Plan`), and notes under the id in ``x-truth-id`` when the system calls that
carried the first and the last byte of everything began and returned. ``GET /truth`` gives the notes as JSON lines,
``DELETE /truth`` forgets them.

On loopback the receiver's kernel takes the bytes inside of the sender's system call, so that the true moment of arrival
lies between two stamps of ours: `first_before_ns` and `first_after_ns` for the first byte, `last_before_ns` and
`whole_ns` for the last. To keep the second pair close together the last `TAIL_BYTES` go out in a call of their own, and
where the receiver's window or the congestion window was full, `whole_ns` is when the kernel had nothing left to send.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import fcntl
import heapq
import json
import random
import selectors
import socket
import ssl
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import Any

SEND_BUFFER_BYTES = 8 * 1024 * 1024
SO_SNDBUFFORCE = 32
SIOCOUTQNSD = 0x894B  # bytes that the kernel has not sent yet
TAIL_BYTES = 4096
MAX_REQUEST_BYTES = 64 * 1024 * 1024
now_ns = time.monotonic_ns


@dataclass(frozen=True)
class Plan:
    """What a request asks for. Times in ms, sizes in bytes of base64 text."""

    kind: str = "sse"  # sse, or json: one body
    headers_after_ms: float = 5.0
    events: int = 3
    bytes: int = 1_500_000
    gap_ms: float = 300.0  # of silence before each event
    rate_bytes_per_s: float = 0.0  # 0: as fast as the socket takes it
    piece_bytes: int = 65_536  # of a paced event

    @classmethod
    def parse(cls, text: str) -> Plan:
        given = json.loads(text or "{}")
        return cls(**{name: value for name, value in given.items() if name in cls.__dataclass_fields__})


# What a response's script asks of the loop: wait until a moment, or send some bytes and note when.
Step = tuple[str, Any, dict[str, Any] | None]


@cache
def base64_text(size: int) -> bytes:
    """Valid base64 of about `size` characters; the same every time."""
    return base64.b64encode(random.Random(size).randbytes(size // 4 * 3))


@cache
def event(size: int, *, final: bool) -> bytes:
    """One event of a stream as an HTTP chunk, prebuilt."""
    kind = "completed" if final else "partial_image"
    rest = '"usage":{"total_tokens":7,"input_tokens":3,"output_tokens":4}' if final else '"partial_image_index":0'
    data = b'event: image_generation.%b\ndata: {"type":"image_generation.%b","b64_json":"%b",%b}\n\n' % (
        kind.encode(),
        kind.encode(),
        base64_text(size),
        rest.encode(),
    )
    return b"%x\r\n%b\r\n" % (len(data), data)


@cache
def json_body(size: int) -> bytes:
    """A plain answer's body, prebuilt."""
    return b'{"created":1,"data":[{"b64_json":"%b"}]}' % base64_text(size)


def script(plan: Plan, note: dict[str, Any]) -> Iterator[Step]:
    """The steps of one answer."""
    start = now_ns()
    yield "wait", start + int(plan.headers_after_ms * 1e6), None
    if plan.kind == "json":
        yield "wait", now_ns() + int(plan.gap_ms * 1e6), None
        body = json_body(plan.bytes)
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
        mark: dict[str, Any] = {}
        note["events"].append(mark)
        note["headers"] = mark
        yield from _sent(head + body, plan, mark)
        return
    note["headers"] = {}
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    yield "send", head, note["headers"]
    for number in range(plan.events):
        yield "wait", now_ns() + int(plan.gap_ms * 1e6), None
        mark = {}
        note["events"].append(mark)
        yield from _sent(event(plan.bytes, final=number == plan.events - 1), plan, mark)
    yield "send", b"0\r\n\r\n", {}


def _sent(data: bytes, plan: Plan, mark: dict[str, Any]) -> Iterator[Step]:
    began, view = now_ns(), memoryview(data)
    body, tail = view[: max(len(view) - TAIL_BYTES, 0)], view[max(len(view) - TAIL_BYTES, 0) :]
    step = plan.piece_bytes if plan.rate_bytes_per_s else len(view)
    for start in range(0, len(body), step):
        if plan.rate_bytes_per_s:
            yield "wait", began + int(start / plan.rate_bytes_per_s * 1e9), None
        yield "send", body[start : start + step], mark
    yield "send", tail, mark


@dataclass(eq=False)
class Client:
    """One connection."""

    sock: socket.socket
    secure: bool
    received: bytearray = field(default_factory=bytearray)
    first_ns: int = 0
    steps: Iterator[Step] | None = None
    left: memoryview | None = None
    mark: dict[str, Any] | None = None
    blocked_since_ns: int = 0
    note: dict[str, Any] | None = None
    shaking: bool = False


def unsent_bytes(sock: socket.socket) -> int:
    """What the kernel has accepted and not sent yet."""
    return int(struct.unpack("i", fcntl.ioctl(sock, SIOCOUTQNSD, b"\0\0\0\0"))[0])


class Server:
    """One thread, one selector, no buffering of our own."""

    def __init__(self, context: ssl.SSLContext | None, host: str = "127.0.0.1") -> None:
        self._context = context
        self._selector = selectors.DefaultSelector()
        self._due: list[tuple[int, int, Client]] = []
        self._order = count()
        self._notes: dict[str, dict[str, Any]] = {}
        self._listener = socket.create_server((host, 0), backlog=4096)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self.port: int = self._listener.getsockname()[1]

    def serve(self, until: Any) -> None:
        """Serve until the stream `until` (stdin) ends."""
        self._selector.register(until, selectors.EVENT_READ, "end")
        while True:
            timeout = max((self._due[0][0] - now_ns()) / 1e9, 0) if self._due else None
            for key, mask in self._selector.select(timeout):
                if key.data == "end":
                    return
                if key.data is None:
                    self._accept()
                elif mask & selectors.EVENT_WRITE:
                    self._go_on(key.data)
                else:
                    self._read(key.data)
            while self._due and self._due[0][0] <= now_ns():
                self._go_on(heapq.heappop(self._due)[2])

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # Take no more than can leave at once: what the kernel has accepted, it has sent.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 1)
            with contextlib.suppress(PermissionError):
                sock.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER_BYTES)
            client = Client(sock, secure=False)
            if self._context is not None:
                secure = self._context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
                client = Client(secure, secure=True, shaking=True)
            self._selector.register(client.sock, selectors.EVENT_READ, client)

    def _read(self, client: Client) -> None:
        try:
            if client.shaking:
                assert isinstance(client.sock, ssl.SSLSocket)
                client.sock.do_handshake()
                client.shaking = False
                return
            data = client.sock.recv(256 * 1024)
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except OSError:
            data = b""
        if not data:
            self._drop(client)
            return
        client.first_ns = client.first_ns or now_ns()
        client.received += data
        head, found, body = bytes(client.received).partition(b"\r\n\r\n")
        if not found or client.steps is not None:
            return
        lines = head.decode("latin-1").split("\r\n")
        headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        length = int(headers.get("content-length", "0"))
        if length > MAX_REQUEST_BYTES:
            self._drop(client)
        elif len(body) >= length:
            client.received = bytearray(body[length:])
            self._answer(client, lines[0].split(" ")[0], lines[0].split(" ")[1], headers)

    def _answer(self, client: Client, method: str, path: str, headers: dict[str, str]) -> None:
        if path == "/truth":
            body = b"".join(json.dumps(note).encode() + b"\n" for note in self._notes.values())
            if method == "DELETE":
                self._notes.clear()
                body = b""
            reply = b"HTTP/1.1 200 OK\r\ncontent-type: application/jsonl\r\ncontent-length: %d\r\n\r\n" % len(body)
            client.steps = iter([("send", reply + body, {})])
        else:
            note: dict[str, Any] = {"id": headers.get("x-truth-id", str(len(self._notes))), "events": []}
            note |= {"received_ns": client.first_ns, "request_whole_ns": now_ns()}
            self._notes[note["id"]] = client.note = note
            client.steps = script(Plan.parse(headers.get("x-truth-plan", "")), note)
        self._go_on(client)

    def _go_on(self, client: Client) -> None:
        """Take the answer's next steps, until one has to wait."""
        try:
            while True:
                if client.left is not None and not self._send(client):
                    return
                step = next(client.steps, None) if client.steps is not None else None
                if step is None:
                    client.steps, client.first_ns = None, 0
                    return
                what, value, mark = step
                if what == "wait":
                    if value > now_ns():
                        heapq.heappush(self._due, (value, next(self._order), client))
                        return
                else:
                    client.left, client.mark = memoryview(value), mark
        except OSError:
            self._drop(client)

    def _send(self, client: Client) -> bool:
        """Send what is left of a step; False when the kernel takes no more, or has not sent all of it, for now."""
        mark = client.mark if client.mark is not None else {}
        if client.blocked_since_ns:
            mark["blocked_ns"] = mark.get("blocked_ns", 0) + now_ns() - client.blocked_since_ns
            client.blocked_since_ns = 0
            self._selector.modify(client.sock, selectors.EVENT_READ, client)
        while client.left:
            before = now_ns()
            try:
                sent = client.sock.send(client.left)
            except BlockingIOError:
                return self._blocked(client, before)
            except ssl.SSLWantWriteError:
                # A part of the record may have left: OpenSSL does not say.
                mark.setdefault("first_before_ns", before)
                return self._blocked(client, before)
            after = now_ns()
            mark.setdefault("first_before_ns", before)
            mark.setdefault("first_after_ns", after)
            mark |= {"last_before_ns": before, "whole_ns": after}
            client.left = client.left[sent:]
        if unsent_bytes(client.sock):
            mark["last_before_ns"] = now_ns()
            return self._blocked(client, mark["last_before_ns"])
        mark["whole_ns"] = now_ns() if mark.get("blocked_ns") else mark.get("whole_ns")
        client.left = None
        return True

    def _blocked(self, client: Client, since_ns: int) -> bool:
        client.blocked_since_ns = since_ns
        self._selector.modify(client.sock, selectors.EVENT_WRITE, client)
        return False

    def _drop(self, client: Client) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(client.sock)
        if client.note is not None and client.steps is not None:
            client.note["client_left"] = True
        client.steps = iter(())
        client.left = None
        client.sock.close()


def main() -> int:
    """Serve until standard input ends; the port is on the first line of standard output."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--tls-cert")
    parser.add_argument("--tls-key")
    options = parser.parse_args()
    context = None
    if options.tls_cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.tls_cert, options.tls_key)
    server = Server(context, options.host)
    print(json.dumps({"port": server.port}), flush=True)
    server.serve(sys.stdin)
    return 0


if __name__ == "__main__":
    sys.exit(main())
