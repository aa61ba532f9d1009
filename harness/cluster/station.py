"""A worker's side of a run: a thread with a watched loop of its own, on which jobs are measured as in a local run.

Dask's own loop only carries messages. A job goes out once: it is offered first, which reserves a place and sends
nothing, and sent when the client says so. A lease is taken out of the book as it is sent, and the book is this
process's own: a message that comes twice, or comes to the process that a nanny put in a dead one's place, finds no
lease and sends nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import platform
import secrets
import tempfile
import threading
import time
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from harness import __version__
from harness.cluster.parcel import unpack
from harness.cluster.regions import job_in
from harness.conditions import Host
from harness.errors import HarnessError
from harness.events import Attempt, to_line
from harness.plan import Job, make_plan
from harness.run.job import MayRetry, Setting, run_job
from harness.run.lag import LagMeter
from harness.run.lanes import close_lanes, embedded, make_setting, warm_up
from harness.scenario import Scenario
from harness.wire import watch
from harness.wire.clock import WorldClock

# A client that was killed closes nothing. It asks for the time every few seconds; so long after it fell silent, and
# with no job under way, the station closes itself.
FORGOTTEN_S = 300.0


# So long a job waits to be told whether it may be sent again; without an answer it may not.
ANSWER_S = 60.0


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a lease: an event; a question, with which it is still under way; or nothing was sent."""

    event: bytes | None = None
    ask: bytes | None = None  # an attempt after which the job would be sent again: may it?
    images: dict[str, bytes] = {}
    refused: str | None = None


@dataclass
class _Running:
    task: asyncio.Task[Done]
    asked: asyncio.Queue[bytes]
    answers: asyncio.Queue[bool]


class Station:
    """One run on this worker."""

    def __init__(self, raw: bytes) -> None:
        self.token = secrets.token_hex(16)
        self.heard_at_s = time.monotonic()
        self._raw = raw
        self._offered: dict[str, Job] = {}
        self._running: dict[str, _Running] = {}
        self._opened: Future[None] = Future()
        self._closed: Future[bytes] = Future()
        self._thread = threading.Thread(target=self._work, name="harness-station", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether it takes jobs: false once it was closed, or forgotten by its client."""
        return self._opened.done() and self._thread.is_alive() and not self._over.is_set()

    async def open(self) -> Host:
        """Get ready to measure.

        Raises:
            HarnessError: this machine cannot measure the scenario.
        """
        self._thread.start()
        await asyncio.wrap_future(self._opened)
        return Host(
            python=platform.python_version(),
            platform=f"{platform.system()} {platform.release()} {platform.machine()}",
            cpus=os.cpu_count() or 1,
            openai_sdk=version("openai"),
            harness=__version__,
        )

    def offer(self, lease: str, job_id: str, region: str | None) -> bool:
        """Write a lease into the book; false when the plan has no such job. Sends nothing.

        `region`: of a plan that is spread over several.
        """
        job = self._jobs.get(job_id)
        if job is not None:
            self._offered[lease] = job if region is None else job_in(job, region)
        return job is not None

    async def send(self, lease: str, in_flight: int, due_at_ns: int | None) -> Done:
        """Send an offered job and wait for its end or its question. A lease that is not in the book sends nothing.

        `due_at_ns`: when it was due, by this machine's wall clock; null where nothing was planned.
        """
        job = self._offered.pop(lease, None)
        if job is None:
            return Done(refused="no such lease")
        scheduled_ns = None if due_at_ns is None else time.monotonic_ns() + due_at_ns - time.time_ns()
        return await self._on_loop(self._begin(lease, job, in_flight, scheduled_ns))

    async def answer(self, lease: str, *, yes: bool) -> Done:
        """Whether the job that asked may be sent again; waits for its end or its next question."""
        return await self._on_loop(self._answered(lease, yes))

    def drop(self, lease: str) -> None:
        """Take an offer back; a job that is under way is cut, and its event says so."""
        self._offered.pop(lease, None)
        with contextlib.suppress(RuntimeError):  # closed
            self._loop.call_soon_threadsafe(self._cut, lease)

    async def close(self) -> bytes:
        """End it. Gives what the embedded API of this worker recorded, lines of ``backend.jsonl``."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._over.set)
        return await asyncio.wrap_future(self._closed)

    def _cut(self, lease: str) -> None:
        if lease in self._running:
            self._running[lease].task.cancel()

    def _work(self) -> None:
        with contextlib.ExitStack() as stack:
            try:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="harness-station-")))
                parcel, scenario = unpack(self._raw, folder, os.environ)
                self._raw = b""
                self._images = folder / "images" if parcel.keep_images else None
                self._jobs = {job.job_id: job for job in make_plan(scenario).jobs}
                log = folder / "backend.jsonl"
                with embedded(scenario, log=log) as entries:
                    clock = WorldClock(parcel.time_scale)
                    watch.run(self._live(scenario, parcel.run_id, clock, entries))
                self._closed.set_result(log.read_bytes() if log.exists() else b"")
            except BaseException as error:  # noqa: BLE001 - who waits must be told, whatever it was
                for waiting in (self._opened, self._closed):
                    if not waiting.done():
                        waiting.set_exception(error if isinstance(error, HarnessError) else HarnessError(_words(error)))

    async def _live(self, scenario: Scenario, run_id: str, clock: WorldClock, entries: Mapping[str, str]) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        async with LagMeter() as lag:
            # The salt stays with the client, which hashes prompts itself: no run could be paired by ours.
            salt = secrets.token_bytes(32)
            setting = make_setting(scenario, os.environ, run_id, clock, entries, lag, self._images, salt)
            self._setting: Setting = setting
            await warm_up(setting, scenario.cells())
            gc.collect()
            self._opened.set_result(None)
            try:
                while not self._over.is_set() and not self._forgotten():
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._over.wait(), 5)
            finally:
                self._over.set()
                tasks = [one.task for one in self._running.values()]
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await close_lanes(setting)

    def _forgotten(self) -> bool:
        return not self._running and time.monotonic() - self.heard_at_s > FORGOTTEN_S

    async def _on_loop(self, what: Coroutine[Any, Any, Done]) -> Done:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(what, self._loop))

    async def _begin(self, lease: str, job: Job, in_flight: int, scheduled_ns: int | None) -> Done:
        asked, answers = asyncio.Queue[bytes](), asyncio.Queue[bool]()

        async def may_retry(attempt: Attempt) -> bool:
            asked.put_nowait(msgspec.json.encode(attempt))
            try:
                return await asyncio.wait_for(answers.get(), ANSWER_S)
            except (TimeoutError, asyncio.CancelledError):
                return False  # the attempt that it had is its end

        task = asyncio.create_task(self._measure(job, in_flight, scheduled_ns, may_retry))
        self._running[lease] = _Running(task, asked, answers)
        return await self._next(lease)

    async def _answered(self, lease: str, yes: bool) -> Done:
        self._running[lease].answers.put_nowait(yes)
        return await self._next(lease)

    async def _next(self, lease: str) -> Done:
        running = self._running[lease]
        asked = asyncio.ensure_future(running.asked.get())
        await asyncio.wait((running.task, asked), return_when=asyncio.FIRST_COMPLETED)
        if not running.task.done():
            return Done(ask=asked.result())
        asked.cancel()
        del self._running[lease]
        return running.task.result()

    async def _measure(self, job: Job, in_flight: int, scheduled_ns: int | None, may_retry: MayRetry) -> Done:
        event = await run_job(self._setting, job, in_flight, scheduled_ns=scheduled_ns, may_retry=may_retry)
        return Done(event=to_line(event), images=await asyncio.to_thread(self._taken, job.job_id))

    def _taken(self, job_id: str) -> dict[str, bytes]:
        """The job's kept images, which go to the client and do not stay here."""
        if self._images is None or not self._images.exists():
            return {}
        found = {}
        for path in sorted(self._images.glob(f"{job_id}-[0-9]*")):
            found[path.name] = path.read_bytes()
            path.unlink()
        return found


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
