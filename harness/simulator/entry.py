"""One way in: takes a request, has the backend work on it, and hands the answer on, as its layer does.

The backend is a task of its own that plays a script into a queue; the entry delivers from the queue. So a cap that
fires or a caller that leaves ends the delivery, and the work goes on: an orphan, as in the real world.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any

from harness.simulator import faults, script
from harness.simulator.clock import SimClock
from harness.simulator.limits import ImagesPerMinute
from harness.simulator.profiles import Profile
from harness.simulator.requests import Refused, Shape, validate
from harness.simulator.script import Piece, Script
from harness.simulator.signatures import page
from harness.simulator.truth import Truth, TruthLog
from harness.simulator.world import Layer, World

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Heard = tuple[int, Script | Piece | None]  # when the backend said it, and what; nothing means the end

KEY_PREFIX = "sk-sim-"
MAX_REQUEST_BYTES = 64 * 1024 * 1024


class Cut(Exception):
    """Ends a response by closing its connection."""


class Entry:
    """The images endpoint as seen through one layer (or directly). An ASGI application for that one path."""

    def __init__(self, name: str, layer: Layer, world: World, profile: Profile, clock: SimClock, log: TruthLog) -> None:
        self.name = name
        self._layer = layer
        self._world = world
        self._profile = profile
        self._clock = clock
        self._log = log
        self._limit = None if layer.images_per_minute is None else ImagesPerMinute(layer.images_per_minute)
        self._born_ns = clock.now_ns()
        self._count = 0
        self._in_flight = 0
        self.work: set[asyncio.Task[Any]] = set()  # deliveries and backends under way
        self.closing: set[asyncio.Task[None]] = set()  # records about to be written

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        self._count += 1
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        client_id = headers.get("x-client-request-id")
        # A pure function of seed and id: the same job takes the same time in every run and in any order.
        dice = random.Random(f"{self._world.seed}/{_stable(client_id) or f'{self.name}-{self._count}'}")
        truth = Truth(
            client_request_id=client_id,
            request_id=f"req_{random.Random(f'{time.time_ns()}{self._count}').getrandbits(128):032x}",
            entry=self.name,
            received_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            received_ns=self._clock.now_ns(),
            time_scale=self._clock.scale,
        )
        body = await _read(receive)
        truth.request_body_ns = self._clock.now_ns()
        self._in_flight += 1
        queue: asyncio.Queue[Heard] = asyncio.Queue()
        backend = asyncio.create_task(self._backend(body, headers, truth, dice, queue))
        delivery = asyncio.current_task()
        assert delivery is not None
        for task in (backend, delivery):
            self.work.add(task)
            task.add_done_callback(self.work.discard)
        gone = asyncio.create_task(self._watch(receive, truth))
        try:
            await self._deliver(send, queue, truth, dice, gone)
        except asyncio.CancelledError:
            truth.note = "the server was stopped"
            _abort(send)
        finally:
            gone.cancel()
            self._in_flight -= 1
            if self._layer.backend_stops and truth.cap_fired_ns is not None:
                backend.cancel()
            # Written once the backend is done as well; the answer may be long gone by then.
            closing = asyncio.create_task(self._close(backend, truth))
            self.closing.add(closing)
            closing.add_done_callback(self.closing.discard)

    async def _close(self, backend: asyncio.Task[None], truth: Truth) -> None:
        try:
            await asyncio.wait({backend})
        finally:
            if backend.cancelled() or not backend.done():
                truth.note = truth.note or "the backend was stopped"
            self._log.write(truth)

    async def _watch(self, receive: Receive, truth: Truth) -> None:
        while (await receive())["type"] != "http.disconnect":
            continue
        if truth.response_end_ns is None:
            truth.client_gone_ns = self._clock.now_ns()

    async def _backend(
        self,
        body: bytes,
        headers: dict[str, str],
        truth: Truth,
        dice: random.Random,
        queue: asyncio.Queue[Heard],
    ) -> None:
        planned = await self._plan(body, headers, truth, dice)
        truth.status = planned.status

        async def reach(at_s: float) -> None:
            """Wait for a moment of the script; the images are made before anything that needs them goes out."""
            await self._clock.until(truth.received_ns, at_s)
            if planned.made_s is not None and at_s >= planned.made_s and truth.made_ns is None:
                truth.made_ns = self._clock.now_ns()
                truth.billed_output_tokens = planned.tokens

        await reach(planned.headers_s)
        await queue.put((self._clock.now_ns(), planned))
        for piece in planned.pieces:
            await reach(piece.at_s)
            await queue.put((self._clock.now_ns(), piece))
        if planned.made_s is not None:
            await reach(planned.made_s)
        await queue.put((self._clock.now_ns(), None))

    async def _plan(self, body: bytes, headers: dict[str, str], truth: Truth, dice: random.Random) -> Script:
        try:
            _check_key(headers.get("authorization", ""))
            shape = validate(_json(body))
            self._check_limits(shape)
        except Refused as refused:
            return script.refusal(refused, 0.2)
        timing = self._profile.timing(shape.quality, shape.size, shape.n, dice)
        truth.quality, truth.size, truth.output_format = shape.quality, shape.size, shape.output_format
        truth.n, truth.stream, truth.latency_s = shape.n, shape.stream, round(timing.done_s, 3)
        make = script.streamed if shape.stream else script.plain
        planned = await asyncio.to_thread(make, shape, timing, int(time.time()), dice.randrange(3))
        fault = headers.get("x-sim-fault") or faults.chosen(self._world, shape, self.name, dice)
        if fault:
            name, options = faults.parse(fault)
            truth.fault = name
            if name not in faults.FAULTS:
                return script.refusal(Refused(400, f"x-sim-fault: there is no fault {name[:40]!r}"), 0.2)
            at = faults.Context(shape, timing, truth.request_id, options)
            planned = await asyncio.to_thread(faults.FAULTS[name], planned, at)
        return planned

    def _check_limits(self, shape: Shape) -> None:
        limit = self._layer.concurrency_limit
        if limit is not None and self._in_flight > limit:
            raise faults.rate_limited(limit, self._in_flight - 1, shape.n, 1, type="concurrent-images")
        if self._limit is not None:
            if shape.n > self._limit.limit:
                raise faults.too_large(self._limit.limit, shape.n)
            now_s = self._clock.world_s(self._born_ns, self._clock.now_ns())
            refused = self._limit.admit(now_s, shape.n)
            if refused is not None:
                used, wait_s = refused
                raise faults.rate_limited(self._limit.limit, used, shape.n, wait_s)

    async def _deliver(
        self,
        send: Send,
        queue: asyncio.Queue[Heard],
        truth: Truth,
        dice: random.Random,
        gone: asyncio.Task[None],
    ) -> None:
        layer, clock = self._layer, self._clock
        extra_s = layer.adds_s * (1 + layer.spread * dice.uniform(-1, 1))
        answer: Script | None = None
        sent_bytes = 0
        held: list[Piece] = []
        heard_ns = truth.received_ns
        while True:
            heard = await self._next(queue, truth, gone, heard_ns, answered=answer is not None)
            if truth.client_gone_ns is not None:
                return
            if heard is None:
                if answer is not None and not layer.buffers:
                    raise Cut
                await self._give_up(send, truth)
                return
            heard_ns, item = heard
            await clock.until(heard_ns, extra_s)  # each piece is as late as the first: they keep their distance
            if gone.done():
                return
            if isinstance(item, Script):
                answer = item
                if item.no_reply:
                    truth.response_end_ns = clock.now_ns()
                    _abort(send)
                    return
                if not layer.buffers:
                    await self._start(send, item, truth)
            elif item is not None and answer is not None:
                if layer.buffers:
                    held.append(item)
                    continue
                await self._piece(send, item, truth, answer, sent_bytes)
                sent_bytes += len(item.data)
            else:
                assert answer is not None
                if layer.buffers:
                    await self._start(send, answer, truth)
                    for piece in held:
                        await self._piece(send, piece, truth, answer, sent_bytes)
                        sent_bytes += len(piece.data)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                truth.response_end_ns = clock.now_ns()
                return

    async def _next(
        self,
        queue: asyncio.Queue[Heard],
        truth: Truth,
        gone: asyncio.Task[None],
        heard_ns: int,
        *,
        answered: bool,
    ) -> Heard | None:
        """The backend's next word, or nothing when the caller left or this layer's cap fired first."""
        if not queue.empty():
            return queue.get_nowait()
        getting = asyncio.create_task(queue.get())
        left_s = self._left_s(truth, heard_ns, answered=answered)
        timeout = None if left_s is None else self._clock.real_s(max(left_s, 0))
        done, _ = await asyncio.wait({getting, gone}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if getting in done:
            return getting.result()
        getting.cancel()
        if not done:
            truth.cap_fired_ns = self._clock.now_ns()
        return None

    def _left_s(self, truth: Truth, heard_ns: int, *, answered: bool) -> float | None:
        cap_s, kinds = self._layer.cap_s, self._layer.cap_kind
        if cap_s is None:
            return None
        now = self._clock.now_ns()
        left = []
        if "total" in kinds:
            left.append(cap_s - self._clock.world_s(truth.received_ns, now))
        if ("idle" if answered else "first_byte") in kinds:
            left.append(cap_s - self._clock.world_s(heard_ns, now))
        return min(left, default=None)

    async def _give_up(self, send: Send, truth: Truth) -> None:
        ray = f"{random.Random(truth.request_id).getrandbits(64):016x}-SIM"
        reply = page(self._layer.imitates, self._layer.cap_s or 0, ray)
        headers = {**reply.headers, "content-length": str(len(reply.body)), "x-simulator-time-scale": self.scale()}
        truth.status_sent = reply.status
        await send({"type": "http.response.start", "status": reply.status, "headers": _raw(headers)})
        await send({"type": "http.response.body", "body": reply.body, "more_body": False})
        truth.headers_sent_ns = truth.response_end_ns = self._clock.now_ns()

    async def _start(self, send: Send, answer: Script, truth: Truth) -> None:
        ray = f"{random.Random(truth.request_id).getrandbits(64):016x}-SIM"
        headers = {
            "x-request-id": truth.request_id,
            "openai-organization": "org-simulated",
            "openai-version": "2020-10-01",
            "openai-processing-ms": "12",
            "server": "cloudflare",
            "cf-ray": ray,
            "cf-cache-status": "DYNAMIC",
            "strict-transport-security": "max-age=31536000; includeSubDomains; preload",
            "x-content-type-options": "nosniff",
            **answer.headers,
            "x-simulator-time-scale": self.scale(),
        }
        sized = len(answer.pieces) == 1 and not answer.headers["content-type"].startswith("text/event-stream")
        if sized:
            headers["content-length"] = str(len(answer.pieces[0].data))
        for name in self._layer.drops_headers:
            headers.pop(name.lower(), None)
        truth.status_sent = answer.status
        await send({"type": "http.response.start", "status": answer.status, "headers": _raw(headers)})
        if not sized or answer.cut_after is not None:
            # An empty body message makes the server send the headers now, and not with the first bytes.
            await send({"type": "http.response.body", "body": b"", "more_body": True})
        truth.headers_sent_ns = self._clock.now_ns()
        if answer.cut_after == 0:
            raise Cut

    async def _piece(self, send: Send, piece: Piece, truth: Truth, answer: Script, sent_bytes: int) -> None:
        data = piece.data
        cut = answer.cut_after is not None and sent_bytes + len(data) >= answer.cut_after
        if cut:
            data = data[: (answer.cut_after or 0) - sent_bytes]
        start_ns = self._clock.now_ns()
        truth.first_body_byte_ns = truth.first_body_byte_ns or start_ns
        await send({"type": "http.response.body", "body": data, "more_body": True})
        truth.events.append(
            {
                "kind": piece.kind,
                "index": piece.index,
                "start_ns": start_ns,
                "end_ns": self._clock.now_ns(),
                "bytes": len(data),
            }
        )
        if cut:
            truth.response_end_ns = self._clock.now_ns()
            raise Cut

    def scale(self) -> str:
        """The world's speed, as the header says it."""
        return f"{self._clock.scale:g}"


def _stable(client_id: str | None) -> str | None:
    """The part of a client's id that is the job's own: what stands behind the run's name, if it looks like that."""
    found = re.match(r"harness-([0-9a-f]{12})", client_id or "")
    return found[1] if found else client_id


def _raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


def _abort(send: Send) -> None:
    """Close the connection without a reply. uvicorn's `send` is a method of the cycle that holds the transport."""
    send.__self__.transport.abort()  # type: ignore[attr-defined]


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _check_key(authorization: str) -> None:
    key = authorization.removeprefix("Bearer ").strip()
    if not key:
        raise Refused(401, "You didn't provide an API key.")
    if not key.startswith(KEY_PREFIX):
        message = f"Incorrect API key provided: {key[:3]}***. You can find your API key at https://platform.openai.com."
        raise Refused(401, message, code="invalid_api_key")


async def _read(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_REQUEST_BYTES or not message.get("more_body", False):
            break
    return b"".join(parts)
