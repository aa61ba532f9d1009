"""A task's life: queue, work, result files behind links, and the news of its end."""

from __future__ import annotations

import asyncio
import base64
from functools import lru_cache

from harness.simulator import callbacks, script, task_faults
from harness.simulator.clock import SimClock
from harness.simulator.links import Links, address
from harness.simulator.pictures import PICTURES, Key
from harness.simulator.requests import Shape
from harness.simulator.tasks import Task, TaskApi
from harness.simulator.world import Layer


class Life:
    """What happens to the tasks of one port, whoever asks for them or does not."""

    def __init__(self, layer: Layer, clock: SimClock, links: Links, api: TaskApi) -> None:
        self._layer = layer
        self._clock = clock
        self._links = links
        self._api = api

    async def run(self, task: Task, variant: int) -> None:
        """Queue, work, end, and the news of it."""
        truth, clock = task.truth, self._clock
        # Made beside, so that making a first picture of its shape is not what takes time.
        making = asyncio.create_task(
            asyncio.to_thread(_files, task.order.shape, variant, blank=task.fault == "blank_image")
        )
        try:
            await clock.until(truth.received_ns, task.plan.running_s)
            truth.running_ns, task.state = clock.now_ns(), "running"
            self._leave_queue(task)
            if task.fault == "task_stuck":
                await asyncio.Event().wait()
            await clock.until(truth.received_ns, task.plan.done_s)
            files = await making
            if task.fault == "task_failed":
                task.state = "failed"
            else:
                truth.made_ns, truth.billed_output_tokens = clock.now_ns(), task.order.shape.output_tokens
                task.urls = [self._publish(task, data) for data in files]
                task.state = "done"
        except asyncio.CancelledError:
            if not truth.cancelled:
                truth.note = "the server was stopped"
                raise
            task.state = "cancelled"
            if truth.queued_s is None:
                self._leave_queue(task)
        finally:
            making.cancel()
        task.over_ns = task.touched_ns = clock.now_ns()
        task.over.set()
        await self._call_back(task)

    def _leave_queue(self, task: Task) -> None:
        passed_s = self._clock.world_s(task.truth.received_ns, self._clock.now_ns())
        task.truth.queued_s = round(max(passed_s - task.plan.accepted_s, 0.0), 3)

    def _publish(self, task: Task, data: bytes) -> str:
        """Give a made file its link."""

        def fetched() -> None:
            task.truth.result_fetches += 1
            task.touched_ns = self._clock.now_ns()

        ttl_s = self._api.link_ttl_s if self._layer.link_ttl_s is None else self._layer.link_ttl_s
        content_type = f"image/{task.order.shape.output_format}"
        token = self._links.put(
            data,
            content_type,
            0.0 if task.fault == "link_dead" else ttl_s,
            sent_bytes=len(data) // 2 if task.fault == "link_truncated" else None,
            fetched=fetched,
        )
        return address(task.home, token, content_type)

    async def _call_back(self, task: Task) -> None:
        if task.order.callback is None or task.fault == "callback_lost":
            return
        if task.fault == "callback_late":
            await self._clock.sleep(task_faults.seconds(task.options, 30))

        def sent() -> None:
            task.truth.callback_ns = self._clock.now_ns()

        try:
            status = await callbacks.tell(task.order.callback, self._api.told(task), sent)
            if status >= 300:
                task.truth.note = f"the callback was answered with {status}"
        except callbacks.NotToldError as error:
            task.truth.note = str(error)


@lru_cache(maxsize=24)
def _decoded(key: Key) -> bytes:
    """The bytes of a picture; files of many tasks share them."""
    return base64.b64decode(PICTURES.get(key))


def _files(shape: Shape, variant: int, *, blank: bool) -> list[bytes]:
    """The results of an order."""
    if blank:
        return [task_faults.blank(shape)] * shape.n
    return [_decoded(script.key(shape, variant + index)) for index in range(shape.n)]
