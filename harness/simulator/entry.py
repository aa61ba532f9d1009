"""One way in: takes a request, has the backend work on it, and hands the answer on, as its layer does.

The backend is a task of its own that says its script into a mail; the delivery hands on what it finds there. So a cap
that fires or a caller that leaves ends the delivery, and the work goes on: an orphan, as in the real world.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any

from harness.simulator import faults, script
from harness.simulator.clock import SimClock
from harness.simulator.delivery import Delivery, Message, Send, abort
from harness.simulator.limits import ImagesPerMinute
from harness.simulator.mail import Mail, Word
from harness.simulator.pictures import VARIANTS
from harness.simulator.profiles import Profile
from harness.simulator.requests import Refused, Shape, validate
from harness.simulator.script import Piece, Script
from harness.simulator.truth import Truth, TruthLog
from harness.simulator.world import Layer, World

Receive = Callable[[], Awaitable[Message]]

KEY_PREFIX = "sk-sim-"
MAX_REQUEST_BYTES = 64 * 1024 * 1024


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
        dice = random.Random(f"{self._world.seed}/{stable(client_id) or f'{self.name}-{self._count}'}")
        truth = Truth(
            client_request_id=client_id,
            request_id=f"req_{uuid.uuid4().hex}",
            entry=self.name,
            received_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            received_ns=self._clock.now_ns(),
            time_scale=self._clock.scale,
        )
        body = await _read(receive)
        truth.request_body_ns = self._clock.now_ns()
        self._in_flight += 1
        mail = Mail()
        backend = asyncio.create_task(self._backend(body, headers, truth, dice, mail))
        delivery = asyncio.current_task()
        assert delivery is not None
        for task in (backend, delivery):
            self.work.add(task)
            task.add_done_callback(self.work.discard)
        watching = asyncio.create_task(self._watch(receive, truth, mail))
        extra_s = self._layer.adds_s * (1 + self._layer.spread * dice.uniform(-1, 1))
        try:
            await Delivery(self._layer, self._clock, send, mail, truth, extra_s).run()
        except asyncio.CancelledError:
            truth.note = "the server was stopped"
            abort(send)
        finally:
            watching.cancel()
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

    async def _watch(self, receive: Receive, truth: Truth, mail: Mail) -> None:
        while (await receive())["type"] != "http.disconnect":
            continue
        if truth.response_end_ns is None:
            truth.client_gone_ns = self._clock.now_ns()
        mail.leave()

    async def _backend(
        self, body: bytes, headers: dict[str, str], truth: Truth, dice: random.Random, mail: Mail
    ) -> None:
        planned = await self._plan(body, headers, truth, dice)
        truth.status = planned.status

        async def say(at_s: float, item: Script | Piece | None) -> None:
            """Wait for a moment of the script; the images are made before anything that needs them goes out."""
            await self._clock.until(truth.received_ns, at_s)
            if planned.made_s is not None and at_s >= planned.made_s and truth.made_ns is None:
                truth.made_ns = self._clock.now_ns()
                truth.billed_output_tokens = planned.tokens
            mail.put(Word(self._clock.now_ns(), at_s, item))

        await say(planned.headers_s, planned)
        for piece in planned.pieces:
            await say(piece.at_s, piece)
        await say(max(planned.made_s or 0.0, planned.headers_s, *(piece.at_s for piece in planned.pieces)), None)

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
        how = (shape, timing, int(time.time()), dice.randrange(VARIANTS))
        planned = make(*how) if script.is_prepared(shape) else await asyncio.to_thread(make, *how)
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


def stable(client_id: str | None) -> str | None:
    """The part of a client's id that is the job's own: what stands behind the run's name, if it looks like that."""
    found = re.match(r"harness-([0-9a-f]{12})", client_id or "")
    return found[1] if found else client_id


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
