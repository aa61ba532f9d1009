"""Where tasks are submitted, asked for and cancelled: one for each port that speaks a task API."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from harness.simulator import faults, refusals, task_faults
from harness.simulator.clock import SimClock
from harness.simulator.entry import MAX_REQUEST_BYTES, stable
from harness.simulator.limits import ImagesPerMinute
from harness.simulator.links import Links
from harness.simulator.pictures import VARIANTS
from harness.simulator.profiles import Profile
from harness.simulator.requests import Refused, Shape
from harness.simulator.task_life import Life
from harness.simulator.tasks import Action, Plan, Task, TaskApi
from harness.simulator.truth import Truth, TruthLog
from harness.simulator.wires import KEY_PREFIX
from harness.simulator.world import Layer, World

LEAST_KEEP_S = 1.0  # real seconds: in a fast world its own would be over before a client could ask

Handler = Callable[[Request], Awaitable[Response]]


class Desk:
    """A task API as seen through one port. A task lives in a task of its own, whoever asks for it or does not."""

    def __init__(
        self,
        name: str,
        layer: Layer,
        world: World,
        profile: Profile,
        clock: SimClock,
        log: TruthLog,
        links: Links,
        api: TaskApi,
    ) -> None:
        self.name = name
        self._layer, self._world, self._profile, self._api = layer, world, profile, api
        self._clock, self._log = clock, log
        self._life = Life(layer, clock, links, api)
        self._limit = None if layer.images_per_minute is None else ImagesPerMinute(layer.images_per_minute)
        self._born_ns = clock.now_ns()
        self._count = 0
        self._dice = random.Random(f"{world.seed}/{name}")  # for what the layer adds; a task has dice of its own
        self._tasks: dict[str, Task] = {}
        self._stopping = asyncio.Event()
        self.work: set[asyncio.Task[Any]] = set()  # tasks that are not over
        self.closing: set[asyncio.Task[None]] = set()  # records that are still added to

    def routes(self) -> list[Route]:
        """The paths of this port."""
        return [Route(path, self._handler(action), methods=[method]) for method, path, action in self._api.routes]

    def not_found(self, method: str, path: str) -> dict[str, Any]:
        """The body of a 404 for a path that is none."""
        return self._api.refused(Refused(404, f"Invalid URL ({method} {path})"))[1]

    def stop(self) -> None:
        """Write every record now: nobody will ask any more."""
        self._stopping.set()

    def _handler(self, action: Action) -> Handler:
        async def handle(request: Request) -> Response:
            reply = await (self._submit(request) if action == "submit" else self._ask(request, action))
            if self._layer.adds_s:
                await self._clock.sleep(self._layer.adds_s * (1 + self._layer.spread * self._dice.uniform(-1, 1)))
            return reply

        return handle

    async def _ask(self, request: Request, action: Action) -> Response:
        try:
            task = self._find(request)
        except Refused as refused:
            return self._reply(*self._api.refused(refused), refused.headers)
        task.touched_ns = self._clock.now_ns()
        if action == "cancel":
            return self._reply(*self._api.stopped(task, in_time=await self._cancel(task)))
        task.truth.polls += 1
        told = self._api.shown(task) if action == "poll" else self._api.result(task)
        return self._reply(*task_faults.answer(task, self._api, *told))

    async def _submit(self, request: Request) -> Response:
        self._count += 1
        headers, now_ns = request.headers, self._clock.now_ns()
        client_id = headers.get("x-client-request-id")
        dice = random.Random(f"{self._world.seed}/{stable(client_id) or f'{self.name}-{self._count}'}")
        truth = Truth(
            client_request_id=client_id,
            request_id=f"req_{uuid.uuid4().hex}",
            entry=self.name,
            received_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            received_ns=now_ns,
            time_scale=self._clock.scale,
            api="task",
        )
        accepted_s = dice.uniform(0.2, 0.5)
        body = await _read(request)
        truth.request_body_ns, truth.request_bytes = self._clock.now_ns(), len(body)
        try:
            task = self._take(request, body, truth, dice, accepted_s)
        except Refused as refused:
            truth.status = refused.status
            await self._clock.until(truth.received_ns, accepted_s)
            reply = self._reply(*self._api.refused(refused), refused.headers)
            return self._stamped(reply, truth, last=True)
        truth.status = 200
        await self._clock.until(truth.received_ns, accepted_s)
        if task.fault == "task_html":
            return self._stamped(HTMLResponse(task_faults.PAGE, headers=self._headers()), truth)
        if task.order.wait_s:
            await self._hold(task)
        status, told = self._api.accepted(task)
        own = {} if self._api.id_header is None else {self._api.id_header: truth.request_id}
        return self._stamped(self._reply(status, told, own), truth)

    def _take(self, request: Request, body: bytes, truth: Truth, dice: random.Random, accepted_s: float) -> Task:
        """Understand an order and begin with it.

        Raises:
            Refused: it is not taken.
        """
        self._check_key(request)
        order = self._api.read(request, _object(body))
        shape = order.shape
        self._check_limits(shape)
        truth.quality, truth.size, truth.output_format = shape.quality, shape.size, shape.output_format
        truth.n, truth.stream = shape.n, False
        queue_s = self._layer.queue_s * (1 + self._layer.spread * dice.uniform(-1, 1))
        timing = self._profile.timing(shape.quality, shape.size, shape.n, dice)
        plan = Plan(accepted_s, accepted_s + queue_s, accepted_s + queue_s + timing.generation_s)
        truth.latency_s = round(plan.done_s, 3)
        variant = dice.randrange(VARIANTS)
        fault = request.headers.get("x-sim-fault") or faults.chosen(self._world, shape, self.name, dice)
        name, options = faults.parse(fault) if fault else (None, {})
        truth.fault = name
        if name is not None:
            task_faults.refuse(name, options)
        home = f"http://{request.headers.get('host') or '{}:{}'.format(*request.scope['server'])}"
        task = Task(self._api.new_id(), order, plan, truth, self._clock, home, name, options, lambda: self._ahead(task))
        truth.task_id, task.touched_ns = task.id, truth.received_ns
        self._tasks[task.id] = task
        task.life = asyncio.create_task(self._life.run(task, variant))
        self.work.add(task.life)
        task.life.add_done_callback(self.work.discard)
        closing = asyncio.create_task(self._close(task, task.life))
        self.closing.add(closing)
        closing.add_done_callback(self.closing.discard)
        return task

    async def _close(self, task: Task, life: asyncio.Task[None]) -> None:
        """Write the record when nothing will be added to it any more."""
        await asyncio.wait({life})
        while not self._stopping.is_set():
            now_ns = self._clock.now_ns()
            kept_s = self._clock.world_s(task.touched_ns, now_ns)
            left_s = self._clock.real_s(self._layer.task_keep_s - kept_s)
            left_s = max(left_s, LEAST_KEEP_S - (now_ns - task.touched_ns) / 1e9)
            if left_s <= 0:
                break
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), left_s)
        self._log.write(task.truth)

    async def _cancel(self, task: Task) -> bool:
        """Stop a task; false where it is over already."""
        if task.over_ns is not None or task.life is None:
            return False
        if not task.truth.cancelled:
            task.truth.cancelled = True
            task.life.cancel()
        await task.over.wait()
        return True

    async def _hold(self, task: Task) -> None:
        """Wait on the line until the task is over, but not for ever."""
        over = asyncio.create_task(task.over.wait())
        enough = asyncio.create_task(self._clock.until(task.truth.received_ns, task.order.wait_s))
        try:
            await asyncio.wait({over, enough}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.cancel()
            enough.cancel()

    def _ahead(self, task: Task) -> int:
        waiting = [other.id for other in self._tasks.values() if other.state == "queued"]
        return waiting.index(task.id) if task.id in waiting else 0

    def _find(self, request: Request) -> Task:
        self._check_key(request)
        task = self._tasks.get(self._api.task_id(request))
        if task is None:
            raise Refused(404, "The task does not exist.", code="task_not_found")
        return task

    def _check_key(self, request: Request) -> None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != self._api.scheme.lower() or not key.strip().startswith(KEY_PREFIX):
            raise Refused(401, "The API key is missing or not valid.", code="invalid_api_key")

    def _check_limits(self, shape: Shape) -> None:
        limit = self._layer.concurrency_limit
        if limit is not None and len(self.work) >= limit:
            raise refusals.rate_limited(limit, len(self.work), shape.n, 1, type="concurrent-images")
        if self._limit is not None:
            if shape.n > self._limit.limit:
                raise refusals.too_large(self._limit.limit, shape.n)
            refused = self._limit.admit(self._clock.world_s(self._born_ns, self._clock.now_ns()), shape.n)
            if refused is not None:
                raise refusals.rate_limited(self._limit.limit, refused[0], shape.n, refused[1])

    def _headers(self, more: dict[str, str] | None = None) -> dict[str, str]:
        return {**(more or {}), "x-simulator-time-scale": self._clock.shown}

    def _reply(self, status: int, told: object, more: dict[str, str] | None = None) -> Response:
        if isinstance(told, str):
            return Response(told, status, self._headers(more), "application/json")
        return JSONResponse(told, status, self._headers(more))

    def _stamped(self, reply: Response, truth: Truth, *, last: bool = False) -> Response:
        """The answer to a submission; the record is complete after it where it is the `last` that happens."""

        async def sent() -> None:
            truth.status_sent = reply.status_code
            truth.headers_sent_ns = truth.first_body_byte_ns = truth.response_end_ns = self._clock.now_ns()
            if last:
                self._log.write(truth)

        reply.background = BackgroundTask(sent)
        return reply


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Refused(400, "We could not parse the JSON body of your request.", code="invalid_json")
    return value


async def _read(request: Request) -> bytes:
    parts: list[bytes] = []
    with contextlib.suppress(ClientDisconnect):  # then it is no JSON, and nobody hears of it
        async for part in request.stream():
            parts.append(part)
            if sum(map(len, parts)) > MAX_REQUEST_BYTES:
                break
    return b"".join(parts)
