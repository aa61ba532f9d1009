"""One way in: takes a request, has the backend work on it, and hands the answer on, as its layer does.

The backend is a task of its own that says its script into a mail; the delivery hands on what it finds there. So a cap
that fires or a caller that leaves ends the delivery, and the work goes on: an orphan, as in the real world.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from harness.simulator import faults, refusals, script
from harness.simulator.clock import SimClock
from harness.simulator.context import Context
from harness.simulator.delivery import Delivery, Message, Send, abort
from harness.simulator.gateways import Exchange, Gateway
from harness.simulator.limits import ImagesPerMinute
from harness.simulator.mail import Mail, Word
from harness.simulator.pictures import VARIANTS
from harness.simulator.profiles import Profile
from harness.simulator.requests import Refused, Shape
from harness.simulator.script import Piece, Script
from harness.simulator.switch import Switch
from harness.simulator.truth import Truth, TruthLog
from harness.simulator.wires import Ask, Wire
from harness.simulator.world import Layer, World

Receive = Callable[[], Awaitable[Message]]

LARGE_BYTES = 1024 * 1024
MAX_REQUEST_BYTES = 256 * 1024 * 1024


class Entry:
    """The API as seen through one layer (or directly). An ASGI application for every path of it that makes images."""

    def __init__(
        self, name: str, layer: Layer, wire: Wire, world: World, profile: Profile, clock: SimClock, log: TruthLog
    ) -> None:
        self.name = name
        self.wire = wire
        self._layer = layer
        self._world = world
        self._profile = profile
        self._gateway = Gateway(layer, clock)
        self._clock = clock
        self._log = log
        self._limit = None if layer.images_per_minute is None else ImagesPerMinute(layer.images_per_minute)
        self._born_ns = clock.now_ns()
        self._count = 0
        self._in_flight: set[str] = set()  # ids of requests that wait for their answer
        self._admitted: set[str] = set()  # those of them that are worked for, and not being refused
        self.switch = Switch()
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
            request_id=self.wire.request_id(),
            entry=self.name,
            received_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            received_ns=self._clock.now_ns(),
            time_scale=self._clock.scale,
        )
        query = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True))
        ask = Ask(scope["path"], query, headers, await _read(receive))
        truth.request_body_ns = self._clock.now_ns()
        truth.api, truth.request_bytes = ask.api, len(ask.body)
        self._in_flight.add(truth.request_id)
        mail = Mail()
        backend = asyncio.create_task(self._backend(ask, truth, dice, mail))
        delivery = asyncio.current_task()
        assert delivery is not None
        for task in (backend, delivery):
            self.work.add(task)
            task.add_done_callback(self.work.discard)
        watching = asyncio.create_task(self._watch(receive, truth, mail))
        self.switch.under_way[mail] = (send, truth)
        extra_s = self._layer.adds_s * (1 + self._layer.spread * dice.uniform(-1, 1))
        try:
            product = self._layer.imitates or self.wire.product
            await Delivery(self._layer, product, self._clock, send, mail, truth, extra_s).run()
        except asyncio.CancelledError:
            truth.note = "the server was stopped"
            abort(send)
        finally:
            watching.cancel()
            del self.switch.under_way[mail]
            self._in_flight.discard(truth.request_id)
            self._admitted.discard(truth.request_id)
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

    async def _backend(self, ask: Ask, truth: Truth, dice: random.Random, mail: Mail) -> None:
        planned = await self._plan(ask, truth, dice)
        truth.status, truth.upstream_calls = planned.status, planned.upstream_calls

        def made() -> None:
            if truth.made_ns is None:
                truth.made_ns = self._clock.now_ns()
                truth.billed_output_tokens = planned.tokens

        async def say(at_s: float, item: Script | Piece | None) -> None:
            """Wait for a moment of the script; the images are made before anything that needs them goes out."""
            await self._clock.until(truth.received_ns, at_s)
            if planned.made_s is not None and at_s >= planned.made_s:
                made()
            mail.put(Word(self._clock.now_ns(), at_s, item))

        await say(planned.headers_s, planned)
        for piece in planned.pieces:
            await say(piece.at_s, piece)
        last_s = max(planned.made_s or 0.0, planned.headers_s, *(piece.at_s for piece in planned.pieces))
        await say(last_s if planned.ends_s is None else planned.ends_s, None)
        if planned.made_s is not None:  # the answer may have been over before
            await self._clock.until(truth.received_ns, planned.made_s)
            made()

    async def _plan(self, ask: Ask, truth: Truth, dice: random.Random) -> Script:
        """What the caller gets: the API's answer as the gateway passes it on, or what a cache has."""
        remembered = self._gateway.remembered(ask)
        if remembered is not None:
            _note(truth, remembered.shape)
            return remembered.answer
        planned, shape = await self._upstream(self._gateway.forwarded(ask), truth, dice)
        retries = self._layer.gateway_retries
        return self._gateway.passed(planned, Exchange(ask, shape, truth.request_id, truth.received_ns, retries))

    async def _upstream(self, ask: Ask, truth: Truth, dice: random.Random) -> tuple[Script, Shape | None]:
        """What the API answers."""
        wire, shape = self.wire, None
        try:
            wire.check_key(ask)
            # References are decoded, which takes time that belongs to nobody else.
            large = ask.api == "images.edits" or len(ask.body) > LARGE_BYTES
            shape = await asyncio.to_thread(wire.validate, ask) if large else wire.validate(ask)
            self._check_limits(shape)
            if truth.request_id in self._in_flight:  # else the caller has left meanwhile
                self._admitted.add(truth.request_id)
        except Refused as refused:
            return wire.finish(script.refusal(refused, 0.2), ask, shape, truth.request_id), shape
        timing = wire.stretch(self._profile.timing(shape.quality, shape.size, shape.n, dice), shape, dice)
        _note(truth, shape)
        truth.latency_s = round(timing.done_s, 3)
        make = partial(wire.make, shape, timing, int(time.time()), dice.randrange(VARIANTS), truth.request_id)
        planned = make() if script.is_prepared(shape) else await asyncio.to_thread(make)
        # The dice are thrown all the same: what a port draws does not depend on whether it was broken before.
        planned_fault = faults.chosen(self._world, shape, self.name, dice)
        fault = ask.headers.get("x-sim-fault") or self.switch.fault or planned_fault
        if fault:
            truth.fault, options = faults.parse(fault)
            at = Context(shape, timing, truth.request_id, options)
            planned = await asyncio.to_thread(faults.applied, truth.fault, planned, at)
        if not wire.rewrites:
            return wire.finish(planned, ask, shape, truth.request_id), shape
        return await asyncio.to_thread(wire.finish, planned, ask, shape, truth.request_id), shape

    def _check_limits(self, shape: Shape) -> None:
        limit, asked = self._layer.concurrency_limit, shape.n + shape.reference_images  # one bucket for both
        if limit is not None and len(self._admitted) >= limit:
            raise refusals.rate_limited(limit, len(self._admitted), asked, 1, type="concurrent-images")
        if self._limit is not None:
            if asked > self._limit.limit:
                raise refusals.too_large(self._limit.limit, asked)
            now_s = self._clock.world_s(self._born_ns, self._clock.now_ns())
            refused = self._limit.admit(now_s, asked)
            if refused is not None:
                used, wait_s = refused
                raise refusals.rate_limited(self._limit.limit, used, asked, wait_s)


def _note(truth: Truth, shape: Shape) -> None:
    truth.quality, truth.size, truth.output_format = shape.quality, shape.size, shape.output_format
    truth.n, truth.stream = shape.n, shape.stream
    truth.reference_images, truth.reference_bytes = shape.reference_images, shape.reference_bytes


def stable(client_id: str | None) -> str | None:
    """The part of a client's id that is the job's own: what stands behind the run's name, if it looks like that."""
    found = re.match(r"harness-([0-9a-f]{12})", client_id or "")
    return found[1] if found else client_id


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
