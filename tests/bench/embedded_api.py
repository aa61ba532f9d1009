"""`python -m tests.bench.embedded_api`: is the embedded API ever the limit? Prints a table with its goals.

The server is a process of its own and so is the client, which reads bare sockets under epoll. What is printed of the
server is its own: CPU from /proc, memory from /proc, moments from its own log. Beside the lateness of its events
stands what a process that only sleeps saw on the same machine in the same seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import select
import socket
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.simulator.process import Running, spawn
from tests.bench.machine import describe

PATH = "/v1/images/generations"
LARGE = {"quality": "low", "size": "3840x2160", "output_format": "jpeg", "n": 10}  # 11 MB of JSON
STREAM = {"quality": "low", "size": "1024x1024", "stream": True, "partial_images": 3}  # four events of 110 kB
EVENTS = 4
GOAL_MB_S, GOAL_STREAMS, GOAL_LATE_MS = 300, 1000, 2.0
LIMIT_S = 90.0  # of any one measurement: a server that hangs is a figure as well
METRONOME = """
import json, sys, time
late, until, at = [], time.monotonic_ns() + int(float(sys.argv[1]) * 1e9), time.monotonic_ns()
while at < until:
    at += 5_000_000
    time.sleep(max(at - time.monotonic_ns(), 0) / 1e9)
    late.append(max(time.monotonic_ns() - at, 0) / 1e6)
    at = max(at, time.monotonic_ns() - 5_000_000)
print(json.dumps(late))
"""


def body_of(shape: dict[str, Any]) -> bytes:
    return json.dumps({"model": "gpt-image-2", "prompt": "A red apple", **shape}).encode()


def request_of(body: bytes, name: str) -> bytes:
    head = (
        f"POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer sk-sim-test\r\n"
        f"content-type: application/json\r\nx-client-request-id: {name}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@dataclass
class Answer:
    """One answer as it comes in: framing taken off, events told apart, nothing kept that was looked at."""

    name: str
    streamed: bool
    status: int = 0
    left: int | None = None  # bytes of a sized body that are still to come
    size: int = 0
    first_ns: list[int] = field(default_factory=list)  # when the first byte of each event was here
    good: int = 0  # events whose picture is one that we know
    done: bool = False
    _raw: bytearray = field(default_factory=bytearray)
    _chunk: int = 0  # bytes of the chunk that are still to come, its line end included
    _event: bytearray = field(default_factory=bytearray)

    def feed(self, data: memoryview, now_ns: int, known: dict[int, int]) -> None:
        self.size += len(data)
        if self.left is not None:  # nothing to take off
            self.left -= len(data)
            self.done = self.left <= 0
            return
        self._raw += data
        if not self.status and not self._head():
            return
        while self._raw and not self.done and self.left is None:
            if self._chunk > 2:
                part = self._raw[: self._chunk - 2]
                del self._raw[: len(part)]
                self._chunk -= len(part)
                self._payload(part, now_ns, known)
                if self._chunk > 2:
                    return
            if self._chunk:
                if len(self._raw) < 2:
                    return
                del self._raw[:2]
                self._chunk = 0
                continue
            line, found, _ = self._raw.partition(b"\r\n")
            if not found:
                return
            self._chunk = int(line, 16) + 2
            del self._raw[: len(line) + 2]
            self.done = self._chunk == 2

    def _head(self) -> bool:
        end = self._raw.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self._raw[:end]).lower()
        del self._raw[: end + 4]
        self.status = int(head[9:12])
        if b"content-length:" in head:
            self.left = int(head.partition(b"content-length:")[2].split(b"\r\n")[0]) - len(self._raw)
            self.done = self.left <= 0
        return True

    def _payload(self, part: bytearray, now_ns: int, known: dict[int, int]) -> None:
        if not self.streamed:
            return
        if not self._event:
            self.first_ns.append(now_ns)
        began = max(len(self._event) - 1, 0)
        self._event += part
        end = self._event.find(b"\n\n", began)
        if end < 0:
            return
        first = self._event.find(b'"b64_json": "') + 13
        last = self._event.find(b'"', first)
        with memoryview(self._event) as event:
            around = json.loads(bytes(event[:first]).partition(b"\ndata: ")[2] + bytes(event[last:end]))
            number = zlib.crc32(event[first:last])  # of the picture, which need not be parsed for that
        whole = around["type"].startswith("image_generation.") and last - first > 10_000
        self.good += whole and known.setdefault(number, last - first) == last - first
        rest = self._event[end + 2 :]
        self._event = bytearray()
        if rest:
            self._payload(rest, now_ns, known)


class Crowd:
    """Sockets under one epoll. Every socket asks again with `following` until that has nothing more to ask."""

    def __init__(self, address: str, following: Callable[[int], tuple[bytes, Answer] | None]) -> None:
        host, _, port = address.removeprefix("http://").removesuffix("/v1").partition(":")
        self._where = (host, int(port))
        self._following = following
        self._epoll = select.epoll()
        self._open: dict[int, tuple[socket.socket, Answer, int]] = {}
        self._buffer = bytearray(1 << 20)
        self.known: dict[int, int] = {}
        self.answers: list[Answer] = []
        self.most = 0
        self.broken = 0
        self.size = 0

    def run(self, sockets: int, every_s: float, limit_s: float = LIMIT_S) -> float:
        """Open `sockets` connections, one every `every_s`, and read until nothing is left; seconds that it took."""
        began = time.monotonic()
        opened = 0
        while (self._open or opened < sockets) and time.monotonic() - began < limit_s:
            while opened < sockets and time.monotonic() >= began + opened * every_s:
                self._connect(opened)
                opened += 1
            self.most = max(self.most, len(self._open))
            wait_s = 0.2 if opened == sockets else max(began + opened * every_s - time.monotonic(), 0)
            for number, _ in self._epoll.poll(wait_s):
                self._read(number)
        for sock, _, _ in self._open.values():
            self.broken += 1
            sock.close()
        self._epoll.close()
        return time.monotonic() - began

    def _connect(self, index: int) -> None:
        asked = self._following(index)
        if asked is None:
            return
        sock = socket.create_connection(self._where)
        sock.setblocking(False)
        sock.send(asked[0])
        self._open[sock.fileno()] = (sock, asked[1], index)
        self._epoll.register(sock.fileno(), select.EPOLLIN)

    def _read(self, number: int) -> None:
        sock, answer, index = self._open[number]
        try:
            count = sock.recv_into(self._buffer)
        except OSError:
            count = 0
        if count:
            self.size += count
            answer.feed(memoryview(self._buffer)[:count], time.monotonic_ns(), self.known)
            if not answer.done:
                return
            self.answers.append(answer)
            asked = self._following(index)
            if asked is not None:
                self._open[number] = (sock, asked[1], index)
                sock.send(asked[0])
                return
        else:
            self.broken += 1
        del self._open[number]
        self._epoll.unregister(number)
        sock.close()


def cpu_s(pid: int) -> float:
    """User and system seconds of a process."""
    values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(values[11]) + int(values[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int, name: str = "VmHWM") -> float:
    """Resident memory in MB: ``VmHWM`` its peak, ``VmRSS`` of now."""
    return int(Path(f"/proc/{pid}/status").read_text().partition(f"{name}:")[2].split()[0]) / 1024


def waited_s(pid: int) -> float:
    """Seconds that a process was ready to run and had no processor, because others had it."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


def asking(shape: dict[str, Any], each: int) -> Callable[[int], tuple[bytes, Answer] | None]:
    """The same request `each` times on every socket, with names of their own."""
    asked: dict[int, int] = {}
    body = body_of(shape)

    def following(index: int) -> tuple[bytes, Answer] | None:
        asked[index] = asked.get(index, 0) + 1
        if asked[index] > each:
            return None
        name = f"bench-{index}-{asked[index]}"
        return request_of(body, name), Answer(name, bool(shape.get("stream")))

    return following


def warm(sim: Running, shape: dict[str, Any], times: int) -> None:
    """Have every picture made: making them is no part of any figure."""
    Crowd(sim.entries["direct"], asking(shape, times)).run(1, 0)


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(int(share * len(values)), len(values) - 1)] if values else float("nan")


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    what: str
    found: str
    goal: str = ""
    reached: bool | None = None

    def __str__(self) -> str:
        mark = {None: "", True: "✓", False: "✗"}[self.reached]
        return f"| {self.what} | {self.found} | {self.goal} | {mark} |"


def throughput(what: str, shape: dict[str, Any], seconds: float) -> Iterator[Row]:
    """Bodies that are there already, as fast as eight callers take them."""
    with spawn({"time_scale": 10_000}) as sim:
        warm(sim, {**shape, "n": 10, "stream": False}, 1)
        began, until = cpu_s(sim.pid), time.monotonic() + seconds
        plain = asking(shape, 1_000_000)
        crowd = Crowd(sim.entries["direct"], lambda index: plain(index) if time.monotonic() < until else None)
        took_s = crowd.run(8, 0)
        used_s, mb = cpu_s(sim.pid) - began, crowd.size / 1e6
        on_core = mb / max(used_s, 0.01)
        yield Row(f"{what}, MB per second of one core", f"{on_core:.0f}", f"≥ {GOAL_MB_S}", on_core >= GOAL_MB_S)
        yield Row(f"{what}, MB/s by the clock", f"{mb / took_s:.0f} ({len(crowd.answers)} answers)")
        yield Row(f"{what}, server's CPU", f"{used_s / mb * 1000:.2f} ms/MB, {used_s / took_s:.0%} of a core")
        yield Row(f"{what}, server's memory", f"{memory_mb(sim.pid):.0f} MB at its peak")


def crowded(folder: Path, shape: dict[str, Any], heavy: bool) -> Iterator[Row]:
    """A thousand streams with partial images, all open at once; the heavy ones carry the throughput goal as well."""
    log = folder / f"crowded-{heavy}.jsonl"
    with spawn({"time_scale": 1}, log=log) as sim:
        warm(sim, {**shape, "n": 10, "stream": False}, 1)
        before_mb, began = memory_mb(sim.pid), cpu_s(sim.pid)
        crowd = Crowd(sim.entries["direct"], asking(shape, 1))
        took_s = crowd.run(GOAL_STREAMS, 0.0012)
        used_s, peak_mb = cpu_s(sim.pid) - began, memory_mb(sim.pid)
    good = sum(answer.status == 200 and answer.good == EVENTS for answer in crowd.answers)
    refused = sum(answer.status != 200 for answer in crowd.answers)
    what = f"{GOAL_STREAMS} streams" + (" of 4 MB" if heavy else "")
    yield Row(f"{what}, complete and correct", f"{good}", f"{GOAL_STREAMS}", good == GOAL_STREAMS)
    yield Row(f"{what}, refused or broken", f"{refused} and {crowd.broken}", "0", refused + crowd.broken == 0)
    yield Row(f"{what}, most open at once", f"{crowd.most}")
    carried = f"{crowd.size / 1e6:.0f} MB"
    yield Row(f"{what}, server's CPU", f"{used_s:.1f} s for {carried} in {took_s:.1f} s")
    yield Row(f"{what}, server's memory", f"{before_mb:.0f} → {peak_mb:.0f} MB at its peak")
    yield from lateness(what, log, crowd)


def paced(folder: Path, rounds: int, sockets: int, nice: int) -> Iterator[Row]:
    """How long after its plan each event leaves."""
    log = folder / "paced.jsonl"
    with spawn({"time_scale": 1}, log=log) as sim:
        warm(sim, {**STREAM, "n": 10, "stream": False}, 1)
        if nice:
            os.setpriority(os.PRIO_PROCESS, sim.pid, nice)
        began, idle_s = cpu_s(sim.pid), waited_s(sim.pid)
        with metronome(rounds * 6.0) as machine:
            crowd = Crowd(sim.entries["direct"], asking(STREAM, rounds))
            took_s = crowd.run(sockets, 0.01)
        used_s, idle_s = cpu_s(sim.pid) - began, waited_s(sim.pid) - idle_s
    what = f"{sockets} streams" + (f" at nice {nice}" if nice else "")
    load = f"{crowd.size / 1e6 / took_s:.0f} MB/s, {used_s / took_s:.0%} of a core"
    yield Row(f"{what}, load", load)
    yield Row(f"{what}, server was ready and others had the processor", f"{idle_s:.2f} s in all")
    yield from lateness(what, log, crowd, GOAL_LATE_MS)
    yield Row(
        f"{what}, a sleeping process on this machine meanwhile",
        f"{quantile(machine, 0.5):.2f} / {quantile(machine, 0.99):.2f} / {max(machine):.2f}",
    )


def lateness(what: str, log: Path, crowd: Crowd, goal_ms: float | None = None) -> Iterator[Row]:
    """Left and arrived, against the plan. The first requests, which made the pictures, are not asked about."""
    records = {record["client_request_id"]: record for record in map(json.loads, log.read_text().splitlines())}
    left: list[float] = []
    here: list[float] = []
    for answer in crowd.answers:
        events = records[answer.name]["events"]
        for event, first_ns in zip(events, answer.first_ns, strict=False):
            left.append((event["start_ns"] - event["planned_ns"]) / 1e6)
            here.append((first_ns - event["planned_ns"]) / 1e6)
    for name, values in (("left after its plan", left), ("was with the client after its plan", here)):
        p99, over = quantile(values, 0.99), sum(value > GOAL_LATE_MS for value in values)
        yield Row(
            f"{what}, an event {name}: ms, median / p99 / worst",
            f"{quantile(values, 0.5):.2f} / {p99:.2f} / {max(values, default=0):.2f} ({over} of {len(values)} over 2)",
            f"p99 ≤ {goal_ms:g}" if goal_ms and values is left else "",
            p99 <= goal_ms if goal_ms and values is left else None,
        )


@contextmanager
def metronome(seconds: float) -> Iterator[list[float]]:
    """Beside the block, a process that only sleeps; afterwards the list holds how late it woke, in ms."""
    process = subprocess.Popen([sys.executable, "-c", METRONOME, str(seconds)], stdout=subprocess.PIPE, text=True)
    late: list[float] = []
    try:
        yield late
    finally:
        told, _ = process.communicate(timeout=seconds + 30)
        late += json.loads(told)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="shorter: three seconds of throughput, one round of pacing"
    )
    parser.add_argument(
        "--only", default="", help="measurements whose name holds this: bodies, events, crowd, heavy, pacing"
    )
    parser.add_argument("--nice", type=int, default=0, help="the server's priority while its pacing is looked at")
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    for line in describe():
        print(line)
    print("\n| what | found | goal | |\n|---|---|---|---|")
    seconds = 3.0 if options.quick else 8.0
    streamed = {**LARGE, "n": 1, "stream": True, "partial_images": 3}
    with tempfile.TemporaryDirectory() as folder:
        measurements: dict[str, Callable[[], Iterator[Row]]] = {
            "bodies": lambda: throughput("whole bodies of 11 MB", LARGE, seconds),
            "events": lambda: throughput("events of 1.1 MB", streamed, seconds),
            "crowd": lambda: crowded(Path(folder), STREAM, heavy=False),
            "heavy": lambda: crowded(Path(folder), {**streamed, "n": 1}, heavy=True),
            "pacing": lambda: paced(Path(folder), 1 if options.quick else 3, 256, options.nice),
        }
        for name, measure in measurements.items():
            if options.only in name:
                for row in measure():
                    print(row, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
