"""A job behind a slow link: every clock moves by what the link explains, and by no more.

The link joins two network namespaces. It is made of two tun devices and a thread that carries every packet from one to
the other, as late as the link is long: what netem does, without asking the kernel for a module that it may not have.
"""

from __future__ import annotations

import contextlib
import fcntl
import heapq
import json
import os
import random
import select
import shutil
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

DELAY_MS, JITTER_MS = 40, 5
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000

# Runs inside of the client's namespace: one job against the address that is given, its marks on stdout.
CLIENT = """
import asyncio, json, sys
from harness.routes.base import Call, Target
from harness.routes.images import RouteFamily
from harness.wire import watch
from harness.wire.caps import Caps
from harness.wire.trace import Trace

async def one(route):
    trace = Trace(Caps())
    plan = json.dumps({"headers_after_ms": 50, "gap_ms": 50, "events": 2, "bytes": 2000})
    call = Call({"model": "m", "prompt": "p"}, True, "link", Caps(), {"x-truth-id": "link", "x-truth-plan": plan})
    await route.exchange(call, trace)
    return trace

async def go():
    route = RouteFamily(Target("t", sys.argv[1], "sk-sim-test"))
    await route.warm_up()
    trace = await one(route)
    await route.aclose()
    print(json.dumps({
        "acquired": trace.pool_acquired_ns, "connected": trace.tcp_connected_ns, "sent": trace.request_sent_ns,
        "first_byte": trace.first_byte_ns, "end": trace.body_end_ns, "rtt_ns": trace.addresses[0].rtt_ns,
        "tcp_ns": trace.addresses[0].tcp_ns, "source": trace.stamp_source,
    }))

watch.run(go())
"""


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=20)


def tun(name: str) -> int:
    """A file that holds the packets of a new device; it stays open when the device moves elsewhere."""
    file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return file


class Carrier(threading.Thread):
    """Carries packets between two devices. Only the way from the server to the client is long."""

    def __init__(self, client: int, server: int, delay_ms: float, jitter_ms: float) -> None:
        super().__init__(daemon=True)
        self._ends = {client: (server, 0.0, 0.0), server: (client, delay_ms / 1e3, jitter_ms / 1e3)}
        self._dice = random.Random(7)
        self.stop = threading.Event()

    def run(self) -> None:
        due: list[tuple[float, int, int, bytes]] = []
        last, count = 0.0, 0
        while not self.stop.is_set():
            timeout = max(due[0][0] - time.monotonic(), 0) if due else 0.05
            for source in select.select(list(self._ends), [], [], min(timeout, 0.05))[0]:
                target, delay_s, jitter_s = self._ends[source]
                at = time.monotonic() + delay_s + self._dice.uniform(-jitter_s, jitter_s)
                if delay_s:
                    at = last = max(at, last)  # a longer way does not put packets out of order
                count += 1
                heapq.heappush(due, (at, count, target, os.read(source, 65_536)))
            while due and due[0][0] <= time.monotonic():
                _, _, target, packet = heapq.heappop(due)
                os.write(target, packet)


@contextlib.contextmanager
def link(delayed: bool) -> Iterator[tuple[str, str]]:
    """Names of the client's and the server's namespace; the server is 10.77.0.2."""
    names = (f"hc{os.getpid()}", f"hs{os.getpid()}")
    files = [tun(f"t{name}") for name in names]
    carrier = Carrier(*files, *((DELAY_MS, JITTER_MS) if delayed else (0, 0)))
    try:
        for name, address in zip(names, ("10.77.0.1", "10.77.0.2"), strict=True):
            inside = ("ip", "netns", "exec", name, "ip")
            run("ip", "netns", "add", name)
            run("ip", "link", "set", f"t{name}", "netns", name)
            run(*inside, "address", "add", f"{address}/30", "dev", f"t{name}")
            run(*inside, "link", "set", f"t{name}", "up")
        carrier.start()
        yield names
    finally:
        carrier.stop.set()
        if carrier.is_alive():
            carrier.join()
        for file in files:
            os.close(file)
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def marks(delayed: bool) -> tuple[dict[str, int], dict[str, int]]:
    """What our clocks say of one job over such a link, and when the server sent what."""
    with link(delayed) as (here, there):
        command = ["ip", "netns", "exec", there, sys.executable, "-m", "harness.selftest.truth", "--host", "10.77.0.2"]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert server.stdout is not None
        assert server.stdin is not None
        try:
            base = f"http://10.77.0.2:{json.loads(server.stdout.readline())['port']}"
            inside = ["ip", "netns", "exec", here]
            job = [*inside, sys.executable, "-c", CLIENT, f"{base}/v1"]
            done = subprocess.run(job, check=True, capture_output=True, timeout=60)
            fetch = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())"
            told = [*inside, sys.executable, "-c", fetch, f"{base}/truth"]
            note = json.loads(subprocess.run(told, check=True, capture_output=True, timeout=60).stdout)
        finally:
            server.stdin.close()
            server.wait(timeout=10)
            server.stdout.close()
    sent = {"headers": note["headers"]["first_before_ns"], "end": note["events"][-1]["whole_ns"]}
    return json.loads(done.stdout), sent


def why_not() -> str | None:
    """What is missing for a link of our own; CI has it all."""
    if os.geteuid() != 0:
        return "namespaces need root"
    if shutil.which("ip") is None:
        return "needs ip (Debian: iproute2)"
    return None if Path("/dev/net/tun").exists() else "this kernel has no tun devices"


pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


def test_every_clock_moves_by_what_the_link_explains() -> None:
    near, near_sent = marks(delayed=False)
    far, far_sent = marks(delayed=True)
    low, high = (DELAY_MS - JITTER_MS - 1) * 1e6, (DELAY_MS + JITTER_MS + 25) * 1e6
    assert (near["source"], far["source"]) == ("kernel", "kernel")
    # The handshake waits for one answer, and the kernel's own round trip says the same without us.
    for one, expected in ((near, (0, 20e6)), (far, (low, high))):
        assert expected[0] <= one["connected"] - one["acquired"] <= expected[1]
        assert expected[0] <= one["rtt_ns"] <= expected[1]
        assert expected[0] <= one["tcp_ns"] <= expected[1]
    # Bytes arrive one delay after they were sent: the first ones and the last.
    for mark, moment in (("first_byte", "headers"), ("end", "end")):
        assert abs(near[mark] - near_sent[moment]) <= 20e6
        assert low <= far[mark] - far_sent[moment] <= high, mark
    # Handing the request to the kernel does not wait for the link.
    assert far["sent"] - far["connected"] <= 30e6
