"""What the arms share: the work to do, the way to say what was seen, and finding event ends in raw bytes."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Spec:
    """A round: where, how many jobs, and what the truth server is asked for."""

    port: int
    jobs: int
    plan: dict[str, Any]
    spread_s: float
    seed: int = 1
    blocked: bool = False
    ca_file: str | None = None

    @property
    def base_url(self) -> str:
        return f"{'https' if self.ca_file else 'http'}://127.0.0.1:{self.port}/v1"

    @property
    def url(self) -> str:
        return f"{self.base_url}/images/generations"

    def starts(self) -> list[float]:
        """When each job begins, in seconds; the same for every arm."""
        dice = random.Random(self.seed)
        return [dice.random() * self.spread_s for _ in range(self.jobs)]

    def headers(self, id: str) -> dict[str, str]:
        return {"x-truth-id": id, "x-truth-plan": json.dumps(self.plan), "authorization": "Bearer sk-sim-test"}


BODY = json.dumps({"model": "gpt-image-2", "prompt": "truth", "stream": True, "partial_images": 2}).encode()


@dataclass
class Job:
    """What an arm saw of one job."""

    id: str
    first_byte_ns: int = 0
    events: list[list[int]] = field(default_factory=list)
    bytes: int = 0


def read_spec() -> Spec:
    return Spec(**json.load(sys.stdin))


def tell(jobs: list[Job], cpu_s: float, decode_cpu_s: float = 0.0) -> None:
    """Print the result. RSS is the peak of this process, in MB; getrusage would tell the parent's as well."""
    status = Path("/proc/self/status").read_text()
    rss_mb = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    seen = [job.__dict__ for job in jobs]
    json.dump({"seen": seen, "cpu_s": cpu_s, "decode_cpu_s": decode_cpu_s, "rss_mb": rss_mb}, sys.stdout)


def run(spec: Spec, one: Callable[[Job], Awaitable[None]]) -> None:
    """Run all jobs on one asyncio loop and print what was seen."""

    async def go() -> None:
        jobs = [Job(f"{spec.seed}-{number}-{random.getrandbits(48):x}") for number in range(spec.jobs)]

        async def started(job: Job, after_s: float) -> None:
            await asyncio.sleep(after_s)
            await one(job)

        blocker = asyncio.create_task(block()) if spec.blocked else None
        gc.collect()
        gc.freeze()
        before = time.process_time()
        await asyncio.gather(*(started(job, after) for job, after in zip(jobs, spec.starts(), strict=True)))
        cpu_s = time.process_time() - before
        if blocker is not None:
            blocker.cancel()
        tell(jobs, cpu_s)

    asyncio.run(go())


async def block() -> None:
    """Hold the loop for 50 ms in every 200."""
    while True:
        await asyncio.sleep(0.15)
        time.sleep(0.05)  # noqa: ASYNC251 - blocking is the point


class Ends:
    """Finds where events begin and end in decoded body bytes, stamping with the moment that the caller gives.

    The final image is decoded where it ends, as a program that reads this way does, so that every arm does the work
    that ours does.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._inside = False
        self._tail = b""
        self._parts: list[bytes] = []

    def feed(self, data: bytes, at_ns: int) -> None:
        self._job.bytes += len(data)
        rest = data
        while rest:
            if not self._inside:
                rest = rest.lstrip(b"\n")
                if not rest:
                    return
                self._inside = True
                self._job.events.append([at_ns, 0])
            split = self._end(rest)
            self._parts.append(rest if split < 0 else rest[:split])
            if split < 0:
                self._tail = rest[-1:]
                return
            self._job.events[-1][1] = at_ns
            self._decode()
            self._inside, self._tail, rest = False, b"", rest[split:]

    def _decode(self) -> None:
        event = b"".join(self._parts)
        self._parts.clear()
        name, _, data = event.partition(b"\n")
        if name.endswith(b".completed"):
            base64.b64decode(json.loads(data.removeprefix(b"data: "))["b64_json"], validate=True)

    def _end(self, data: bytes) -> int:
        if self._tail == b"\n" and data[:1] == b"\n":
            return 1
        at = data.find(b"\n")
        while at >= 0:
            if data[at + 1 : at + 2] == b"\n":
                return at + 2
            at = data.find(b"\n", at + 1)
        return -1
