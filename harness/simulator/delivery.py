"""Hands one answer on to the caller, as its layer does: late, held back, stripped, or given up with its own page."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from harness.simulator.clock import SimClock
from harness.simulator.mail import Mail
from harness.simulator.script import Piece, Script, is_stream
from harness.simulator.signatures import page, ray
from harness.simulator.truth import Truth
from harness.simulator.world import Layer

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

# A piece is written so many bytes at a time, and everybody else has a turn in between: no event waits for another's
# megabytes, and what a slow caller has not taken yet waits as a view of a shared picture, not as a copy of its own.
STEP_BYTES = 256 * 1024


class Cut(Exception):
    """Ends a response by closing its connection."""


class Delivery:
    """One answer. `extra_s` is what the layer adds to it, in world seconds; `product` whose page it shows."""

    def __init__(
        self,
        layer: Layer,
        product: str | None,
        clock: SimClock,
        send: Send,
        mail: Mail,
        truth: Truth,
        extra_s: float,
    ) -> None:
        self._layer = layer
        self._product = product
        self._clock = clock
        self._send = send
        self._mail = mail
        self._truth = truth
        self._extra_s = extra_s
        self._sent_bytes = 0

    async def run(self) -> None:
        """Deliver until the end, a cap, a planned cut (raises `Cut`) or the caller's leaving."""
        layer, clock, truth, mail = self._layer, self._clock, self._truth, self._mail
        answer: Script | None = None
        held: list[Piece] = []
        heard_ns = truth.received_ns
        while True:
            left_s = self._left_s(heard_ns, answered=answer is not None)
            word = await mail.next(None if left_s is None else clock.real_s(left_s))
            if mail.caller_left():
                return
            if word is None:
                truth.cap_fired_ns = clock.now_ns()
                if answer is not None and not layer.buffers:
                    raise Cut
                await self._give_up()
                return
            heard_ns, item = word.said_ns, word.item
            await clock.until(heard_ns, self._extra_s)  # each piece is as late as the first: they keep their distance
            if mail.caller_left():
                return
            planned_ns = clock.moment_ns(truth.received_ns, word.at_s + self._extra_s)
            if isinstance(item, Script):
                answer = item
                if item.no_reply:
                    truth.response_end_ns = clock.now_ns()
                    abort(self._send)
                    return
                if not layer.buffers:
                    await self._start(item)
            elif item is not None and answer is not None:
                if layer.buffers:
                    held.append(item)
                    continue
                await self._piece(item, answer, planned_ns)
            else:
                assert answer is not None
                if layer.buffers:
                    await self._start(answer)
                    for piece in held:
                        await self._piece(piece, answer, planned_ns)
                await self._body(b"", more=False)
                truth.response_end_ns = clock.now_ns()
                return

    def _left_s(self, heard_ns: int, *, answered: bool) -> float | None:
        """World seconds until this layer's cap fires, if it has one that counts now."""
        cap_s, kinds = self._layer.cap_s, self._layer.cap_kind
        if cap_s is None:
            return None
        now = self._clock.now_ns()
        left = []
        if "total" in kinds:
            left.append(cap_s - self._clock.world_s(self._truth.received_ns, now))
        if ("idle" if answered else "first_byte") in kinds:
            left.append(cap_s - self._clock.world_s(heard_ns, now))
        return min(left, default=None)

    async def _give_up(self) -> None:
        reply = page(self._product, self._layer.cap_s or 0, ray(self._truth.request_id))
        headers = {**reply.headers, "content-length": str(len(reply.body)), "x-simulator-time-scale": self._clock.shown}
        self._truth.status_sent = reply.status
        await self._head(reply.status, headers)
        await self._body(reply.body, more=False)
        self._truth.headers_sent_ns = self._truth.response_end_ns = self._clock.now_ns()

    async def _start(self, answer: Script) -> None:
        truth = self._truth
        headers = {**answer.headers, "x-simulator-time-scale": self._clock.shown}
        sized = len(answer.pieces) == 1 and not is_stream(answer)
        if sized:
            headers["content-length"] = str(len(answer.pieces[0].data))
        for name in self._layer.drops_headers:
            headers.pop(name.lower(), None)
        truth.status_sent = answer.status
        await self._head(answer.status, headers)
        if not sized or answer.cut_after is not None:
            # An empty body message makes the server send the headers now, and not with the first bytes.
            await self._body(b"", more=True)
        truth.headers_sent_ns = self._clock.now_ns()
        if answer.cut_after == 0:
            raise Cut

    async def _piece(self, piece: Piece, answer: Script, planned_ns: int) -> None:
        truth, data = self._truth, piece.data
        cut = answer.cut_after is not None and self._sent_bytes + len(data) >= answer.cut_after
        if cut:
            data = data.between(0, (answer.cut_after or 0) - self._sent_bytes)
        start_ns = self._clock.now_ns()
        truth.first_body_byte_ns = truth.first_body_byte_ns or start_ns
        for at, chunk in enumerate(data.chunks(STEP_BYTES)):
            if at:
                await asyncio.sleep(0)
            await self._body(chunk, more=True)
        self._sent_bytes += len(data)
        truth.events.append(
            {
                "kind": piece.kind,
                "index": piece.index,
                "planned_ns": planned_ns,
                "start_ns": start_ns,
                "end_ns": self._clock.now_ns(),
                "bytes": len(data),
            }
        )
        if cut:
            truth.response_end_ns = self._clock.now_ns()
            raise Cut

    async def _head(self, status: int, headers: dict[str, str]) -> None:
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def _body(self, data: bytes | memoryview, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})


def abort(send: Send) -> None:
    """Close the connection without a reply. uvicorn's `send` is a method of the cycle that holds the transport."""
    send.__self__.transport.abort()  # type: ignore[attr-defined]
