"""When the pieces of an answer leave: never before their plan, whatever stands in between."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import pytest

from harness.simulator.process import spawn
from tests.simulator.asking import BODY, HEADERS, LOW, post, truths

STREAMED = {**LOW, "stream": True, "partial_images": 3}


def world_s(record: dict[str, Any], stamp_ns: int) -> float:
    """World seconds since the request was received."""
    return (stamp_ns - record["received_ns"]) / 1e9 * record["time_scale"]


def test_pieces_behind_a_slow_layer_are_each_as_late_as_the_layer_and_keep_their_distance(tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    body = {**STREAMED, "quality": "medium"}
    with spawn({"time_scale": 40, "layers": {"slow": {"adds_s": 60}}}, log=log) as sim:
        assert post(sim, "slow", body).text.count("event: image_generation.") == 4
    (record,) = truths(log)
    assert world_s(record, record["headers_sent_ns"]) >= 60
    # A bunch behind a late first piece would leave some 20 world seconds before this.
    assert world_s(record, record["events"][-1]["start_ns"]) >= 60 + record["latency_s"] - 0.001


def test_a_drip_is_one_line_that_all_pieces_share(tmp_path: Path) -> None:
    log, rate = tmp_path / "truth.jsonl", 40_000
    with spawn({"time_scale": 40}, log=log) as sim:
        reply = post(sim, "direct", STREAMED, **{"x-sim-fault": f"drip;bytes_per_s={rate}"})
    (record,) = truths(log)
    assert sum(event["bytes"] for event in record["events"]) == len(reply.content)
    carried = 0
    for event in record["events"]:
        carried += event["bytes"]
        assert carried <= rate * world_s(record, event["end_ns"])
    # The pieces follow each other faster than the line carries them, so that it is never idle: no slower than asked.
    first, *rest = record["events"]
    planned_s = world_s(record, record["events"][-1]["planned_ns"]) - world_s(record, first["planned_ns"])
    assert planned_s == pytest.approx(sum(event["bytes"] for event in rest) / rate, abs=0.01)


def test_the_log_tells_when_each_event_was_due_and_none_leaves_before(tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    layers = {"slow": {"adds_s": 20}, "whole": {"buffers": True}}
    with spawn({"time_scale": 100, "layers": layers}, log=log) as sim:
        for entry in ("direct", *layers):
            post(sim, entry, STREAMED, **{"x-client-request-id": "the-same-job"})
    direct, slow, whole = truths(log)
    for record in (direct, slow, whole):
        assert all(event["planned_ns"] <= event["start_ns"] for event in record["events"])
    due = {r["entry"]: [world_s(r, event["planned_ns"]) for event in r["events"]] for r in (direct, slow, whole)}
    assert due["direct"] == sorted(due["direct"])
    assert due["direct"][-1] == pytest.approx(direct["latency_s"], abs=0.002)
    assert due["slow"] == pytest.approx([at_s + 20 for at_s in due["direct"]], abs=0.002)
    assert due["whole"] == pytest.approx([due["direct"][-1]] * 4, abs=0.002)


def test_other_answers_go_on_while_a_caller_does_not_take_its_megabytes(tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    body = b'{"prompt":"x","quality":"low","size":"3840x2160","output_format":"jpeg","n":10}'
    head = f"POST /v1/images/generations HTTP/1.1\r\nhost: a\r\nauthorization: {HEADERS['authorization']}\r\n"
    with spawn({"time_scale": 5000}, log=log) as sim:
        port = int(sim.entries["direct"].split(":")[2].removesuffix("/v1"))
        with socket.create_connection(("127.0.0.1", port)) as stuck:
            stuck.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
            assert stuck.recv(1) == b"H"
            assert post(sim, "direct", BODY).status_code == 200
    records = {record["n"]: record for record in truths(log)}
    assert records[1]["response_end_ns"] is not None
    assert records[10]["response_end_ns"] is None  # 11 MB are more than the sockets hold
    assert records[10]["finished"]


def test_a_body_does_not_wait_for_the_acknowledgement_of_its_headers_on_a_kept_connection() -> None:
    with spawn({"time_scale": 100, "layers": {"task": {"speaks": "task"}}}) as sim:
        port = int(sim.entries["task"].split(":")[2].split("/")[0])
        took = []
        with socket.create_connection(("127.0.0.1", port)) as sock:
            for _ in range(8):
                began = time.monotonic()
                sock.sendall(b"GET /v1/tasks/none HTTP/1.1\r\nhost: h\r\nauthorization: Bearer sk-sim-test\r\n\r\n")
                answer = b""
                while not answer.endswith(b"}"):
                    answer += sock.recv(65_536)
                took.append(time.monotonic() - began)
    assert sorted(took)[4] < 0.02
