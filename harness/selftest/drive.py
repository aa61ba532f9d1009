"""Jobs of ours against the truth server, through the very code that measures a run."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import random
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import pybase64

from harness.routes.base import Answer, Call, ExchangeFailed, Target
from harness.routes.images import RouteFamily
from harness.selftest.truth import Plan
from harness.wire import watch
from harness.wire.caps import Caps
from harness.wire.scrub import Scrubber
from harness.wire.stamp import Stamp
from harness.wire.trace import Trace

DECODERS = 2


@dataclass(frozen=True)
class Round:
    """So many jobs, each as `plan` says, so many at once; starts are spread over `spread_s` seconds."""

    jobs: int
    at_once: int
    plan: Plan
    spread_s: float = 1.0
    tls: bool = False
    blocked: bool = False  # the loop is held for 50 ms in every 200
    seed: int = 1


@dataclass(frozen=True)
class Seen:
    """What our clocks say of one job: the first response byte, and (first byte, whole) of each event."""

    id: str
    first_byte: Stamp
    events: tuple[tuple[Stamp, Stamp], ...]
    kernel: bool
    bytes_down: int


@dataclass(frozen=True)
class Drive:
    """A round that is over. CPU in s of this process, the part spent on JSON and base64 beside it."""

    seen: tuple[Seen, ...]
    cpu_s: float
    decode_cpu_s: float


@dataclass(frozen=True)
class Certificate:
    """PEM files of a server's certificate and key, and of the authority that vouches for it."""

    cert: str
    key: str
    authority: str


class TruthServer:
    """A truth server that is up, in a process of its own."""

    def __init__(self, port: int, certificate: Certificate | None) -> None:
        self.port, self.certificate = port, certificate
        self.base_url = f"{'https' if certificate else 'http'}://127.0.0.1:{port}/v1"

    def truth(self) -> dict[str, dict[str, Any]]:
        """Everything that was noted since the last time, by id."""
        context = ssl.create_default_context(cafile=self.certificate.authority) if self.certificate else None
        address = f"{self.base_url.removesuffix('/v1')}/truth"
        with urllib.request.urlopen(address, context=context) as reply:
            notes = [json.loads(line) for line in reply.read().splitlines()]
        with urllib.request.urlopen(urllib.request.Request(address, method="DELETE"), context=context) as done:
            done.read()
        return {note["id"]: note for note in notes}


@contextlib.contextmanager
def truth_server(certificate: Certificate | None = None) -> Iterator[TruthServer]:
    """Start one on a free port of the loopback; it ends with the context, or with this process."""
    command = [sys.executable, "-m", "harness.selftest.truth"]
    if certificate is not None:
        command += ["--tls-cert", certificate.cert, "--tls-key", certificate.key]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield TruthServer(json.loads(process.stdout.readline())["port"], certificate)
    finally:
        process.stdin.close()
        process.wait(timeout=10)
        process.stdout.close()


def drive(server: TruthServer, what: Round) -> Drive:
    """Run one round; ask the server for the truth afterwards.

    Raises:
        ExchangeFailed: a job came to no end; nothing on this way may fail, so the whole round does.
    """
    seen, cpu_s, decode_cpu_s = watch.run(_drive(server, what))
    return Drive(tuple(seen), cpu_s, decode_cpu_s)


async def _drive(server: TruthServer, what: Round) -> tuple[list[Seen], float, float]:
    authority = server.certificate.authority if server.certificate else None
    route = RouteFamily(Target("truth", server.base_url, "sk-sim-selftest", ca_file=authority))
    await route.warm_up()
    gc.collect()
    gc.freeze()
    dice = random.Random(what.seed)
    jobs = [_Job(route, what, dice.random() * what.spread_s) for _ in range(what.jobs)]
    gates = (asyncio.Semaphore(what.at_once), asyncio.Semaphore(DECODERS))
    blocker = asyncio.create_task(_block()) if what.blocked else None
    before = time.process_time()
    try:
        seen = await asyncio.gather(*(job.run(*gates) for job in jobs))
        return list(seen), time.process_time() - before, sum(job.decode_cpu_s for job in jobs)
    finally:
        if blocker is not None:
            blocker.cancel()
        await route.aclose()


async def _block() -> None:
    """What a careless application does to its loop."""
    while True:
        await asyncio.sleep(0.15)
        time.sleep(0.05)  # noqa: ASYNC251 - blocking is the point


class _Job:
    def __init__(self, route: RouteFamily, what: Round, after_s: float) -> None:
        self._route = route
        self._what = what
        self._after_s = after_s
        self.decode_cpu_s = 0.0

    async def run(self, sending: asyncio.Semaphore, decoding: asyncio.Semaphore) -> Seen:
        await asyncio.sleep(self._after_s)
        async with sending:
            id, trace = await self._send()
        async with decoding:
            answer = await asyncio.to_thread(self._read, trace)
        trace.body.release()
        if trace.first_byte is None or not answer.finals:
            raise ExchangeFailed(f"the truth server's answer was not understood: {answer.notes}")
        events = (*answer.partials, *((payload.first, payload.whole) for payload in answer.finals))
        return Seen(id, trace.first_byte, events, trace.stamp_source == "kernel", trace.bytes_down)

    async def _send(self) -> tuple[str, Trace]:
        id = os.urandom(8).hex()
        caps = Caps(total_s=None)
        trace = Trace.of(caps, expendable=self._route.expendable)
        call = Call(
            fields={"model": "gpt-image-2", "prompt": "truth"},
            stream=self._what.plan.kind == "sse",
            client_request_id=id,
            caps=caps,
            headers={"x-truth-id": id, "x-truth-plan": json.dumps(asdict(self._what.plan))},
        )
        await self._route.exchange(call, trace)
        return id, trace

    def _read(self, trace: Trace) -> Answer:
        before = time.thread_time()
        answer = self._route.read(trace, Scrubber(prompt="truth"))
        for payload in answer.finals:
            pybase64.b64decode(payload.encoded, validate=True)
        self.decode_cpu_s += time.thread_time() - before
        return replace(answer, finals=tuple(replace(payload, encoded=b"") for payload in answer.finals))
