"""The truth server says the truth: what it notes is what a bare socket gets, and when."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator

import pytest

from harness.selftest.drive import TruthServer, truth_server
from harness.selftest.truth import Plan, base64_text, event


@pytest.fixture(scope="module")
def server() -> Iterator[TruthServer]:
    with truth_server() as running:
        yield running


def ask(server: TruthServer, id: str, **plan: object) -> tuple[bytes, int, int]:
    """Everything that one request brings, and when it was asked and all of it was here."""
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        began = time.monotonic_ns()
        headers = {"x-truth-id": id, "x-truth-plan": json.dumps(plan), "content-length": "2"}
        lines = ["POST /v1/x HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", "{}"]
        sock.sendall("\r\n".join(lines).encode())
        got = b""
        while not got.endswith(b"0\r\n\r\n") and not (plan.get("kind") == "json" and got.endswith(b"]}")):
            data = sock.recv(1 << 20)
            assert data, got[-100:]
            got += data
        return got, began, time.monotonic_ns()


def test_events_come_as_planned_and_their_moments_are_noted_in_order(server: TruthServer) -> None:
    got, began, ended = ask(server, "one", events=3, bytes=100_000, gap_ms=30)
    body = got.partition(b"\r\n\r\n")[2]
    assert body == event(100_000, final=False) * 2 + event(100_000, final=True) + b"0\r\n\r\n"
    note = server.truth()["one"]
    moments = [began, note["received_ns"], note["headers"]["first_before_ns"]]
    for sent in note["events"]:
        moments += [sent["first_before_ns"], sent["last_before_ns"], sent["whole_ns"]]
    moments.append(ended)
    assert moments == sorted(moments)
    for earlier, later in zip(note["events"], note["events"][1:], strict=False):
        assert later["first_before_ns"] - earlier["whole_ns"] >= 30e6 * 0.99


def test_a_paced_event_takes_as_long_as_its_rate_says(server: TruthServer) -> None:
    ask(server, "paced", events=1, bytes=200_000, gap_ms=1, rate_bytes_per_s=1_000_000, piece_bytes=20_000)
    (sent,) = server.truth()["paced"]["events"]
    assert sent["whole_ns"] - sent["first_before_ns"] >= 0.17e9  # all but the last piece, at 1 MB/s


def test_a_plain_answer_has_its_size_in_front(server: TruthServer) -> None:
    got, _, _ = ask(server, "json", kind="json", bytes=5000, gap_ms=1)
    head, _, body = got.partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head
    assert json.loads(body)["data"][0]["b64_json"].encode() == base64_text(5000)


def test_a_full_window_makes_the_truth_wait_for_the_reader(server: TruthServer) -> None:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        sock.connect(("127.0.0.1", server.port))
        plan = json.dumps({"events": 1, "bytes": 4_000_000, "gap_ms": 1})
        sock.sendall(f"POST / HTTP/1.1\r\nx-truth-id: full\r\nx-truth-plan: {plan}\r\n\r\n".encode())
        sock.recv(1, socket.MSG_PEEK)  # from here on the server writes, or waits for us; a busy machine may be late
        time.sleep(0.5)
        read_from = time.monotonic_ns()
        left = b""
        while not left.endswith(b"0\r\n\r\n"):
            left = left[-8:] + sock.recv(1 << 20)
    (sent,) = server.truth()["full"]["events"]
    assert sent["first_before_ns"] < read_from < sent["whole_ns"]
    assert sent["blocked_ns"] >= 100e6  # of the half second; filling the window took the rest


def test_what_a_plan_does_not_name_has_a_default_and_what_it_invents_is_ignored() -> None:
    assert Plan.parse("") == Plan()
    assert Plan.parse('{"events": 1, "unheard_of": 2}') == Plan(events=1)
