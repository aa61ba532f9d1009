"""Asynchronous APIs: submit, poll until the word says done, fetch the result. The scenario's mapping says how.

A task that failed is never polled again and its id never used again. What a poll sees is as fine as the polls are
apart: that coarseness is measured and goes out beside the clock.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from harness.routes.base import Answer, Call, ExchangeFailed, Target
from harness.routes.connection import transport_to
from harness.routes.links import Downloads, joined
from harness.routes.tasks import Task, read_task, result_links
from harness.scenario.families import TaskOptions
from harness.scenario.paths import put
from harness.wire.callbacks import CallbackReceiver
from harness.wire.failures import exception_chain
from harness.wire.scrub import Scrubber
from harness.wire.trace import Leg, Trace, current_trace
from harness.wire.transport import read_through

CANCEL_WITHIN_S = 5.0  # the caller waits no longer than this for a goodbye


class RouteFamily:
    """One task API."""

    expendable: bytes | None = None

    def __init__(self, target: Target) -> None:
        assert isinstance(target.options, TaskOptions)
        self._target, self._options = target, target.options
        self._client = httpx.AsyncClient(transport=transport_to(target), timeout=None)
        self._downloads = Downloads(target)
        wanted = self._options.callback
        self._callbacks = CallbackReceiver(wanted.port) if wanted is not None and wanted.receive else None

    def endpoint(self, *, edits: bool) -> str:  # noqa: ARG002 - task APIs of this kind take no references
        return self._options.submit.path.partition("?")[0]

    async def warm_up(self) -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200, json={}))) as client:
            await client.post("http://warm-up.invalid/", json={})
        if self._callbacks is not None:
            await self._callbacks.open()

    async def exchange(self, call: Call, trace: Trace) -> None:
        try:
            await self._exchange(call, trace)
        finally:
            if self._callbacks is not None:
                self._callbacks.forget(call.client_request_id)

    async def _exchange(self, call: Call, trace: Trace) -> None:
        task = Task(self._options)
        model = quote(str(call.fields["model"]), safe="/")
        path, body = self._submit(call, trace)
        try:
            await self._send("POST", path.replace("{model}", model), trace, call, body)
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise ExchangeFailed from error
        task_id = task.taken_on(trace)
        if task_id is None:
            return
        named = {"{id}": quote(task_id, safe=""), "{model}": model}
        await self._follow(task, named, call, trace)

    def _submit(self, call: Call, trace: Trace) -> tuple[str, dict[str, Any]]:
        """Path and body of the first call."""
        submit, callback = self._options.submit, self._options.callback
        body: dict[str, Any] = {}
        for name, value in call.fields.items():
            if name in submit.fields and not (name == "model" and submit.model_in_path):
                put(body, submit.fields[name], value)
        for place, fixed in submit.extra.items():
            put(body, place, fixed)
        path = submit.path
        if self._callbacks is not None and callback is not None:
            url = self._callbacks.expect(call.client_request_id, trace, callback.public_url)
            if callback.field is not None:
                put(body, callback.field, url)
            if callback.query is not None:
                path += ("&" if "?" in path else "?") + urlencode({callback.query: url})
        return path, body

    async def _follow(self, task: Task, named: dict[str, str], call: Call, trace: Trace) -> None:
        try:
            await self._to_the_end(task, named, call, trace)
        except asyncio.CancelledError:  # our total cap, or a user who drops the job
            if not task.over:
                await self._give_up(named, call, trace)
            raise

    async def _to_the_end(self, task: Task, named: dict[str, str], call: Call, trace: Trace) -> None:
        """Poll until the task is over and fetch what it made, or give up when the polls' own limit says so."""
        poll, scale = self._options.poll, self._target.time_scale
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + poll.give_up_after / scale
        while not task.over:
            if loop.time() + poll.every / scale > give_up_at:
                await asyncio.sleep(max(give_up_at - loop.time(), 0))
                trace.cap_fired, trace.cap_s = "poll", poll.give_up_after / scale
                await self._give_up(named, call, trace)
                return
            await asyncio.sleep(poll.every / scale)
            leg = trace.leg("poll")
            await self._leg("GET", _filled(self._options.status.path, named), leg, call)
            task.looked(leg, trace)
        if not task.done:
            return
        if self._options.result_path is not None:
            await self._leg("GET", _filled(self._options.result_path, named), trace.leg("result"), call)
        await self._downloads.fetch(result_links(self._options, trace), trace)
        if self._callbacks is not None:
            # It may be on its way still; a pause between two polls is what it is waited for.
            await self._callbacks.settle(call.client_request_id, poll.every / scale)

    async def _give_up(self, named: dict[str, str], call: Call, trace: Trace) -> None:
        """The attempt is over; the task is cancelled if the mapping says how: nobody will fetch what it makes."""
        trace.finish(given_up=True)
        if self._options.cancel is not None:
            leg = trace.leg("cancel")
            with suppress(TimeoutError):  # the leg says how far it came
                async with asyncio.timeout(CANCEL_WITHIN_S):
                    await self._leg(self._options.cancel.method, _filled(self._options.cancel.path, named), leg, call)

    async def _leg(self, method: str, path: str, leg: Leg, call: Call) -> None:
        try:
            await self._send(method, path, leg.trace, call)
        except (httpx.HTTPError, httpx.StreamError) as error:
            leg.failure = exception_chain(error)
        finally:
            leg.trace.finish()

    async def _send(self, method: str, path: str, trace: Trace, call: Call, body: dict[str, Any] | None = None) -> None:
        headers = {
            "Authorization": f"{self._options.auth_scheme} {self._target.api_key}",
            "Accept-Encoding": "identity",
            "X-Client-Request-Id": call.client_request_id,
            **self._target.headers,
            **call.headers,
        }
        url = self._target.base_url.rstrip("/") + path
        token = current_trace.set(trace)
        try:
            async with self._client.stream(method, url, headers=headers, json=body) as response:
                await read_through(response)
        finally:
            current_trace.reset(token)

    def read(self, trace: Trace, scrubber: Scrubber) -> Answer:
        answer = read_task(self._options, trace, scrubber)
        waited = self._callbacks is not None and any(leg.said == "done" for leg in trace.legs)
        if waited and not any(leg.kind == "callback" for leg in trace.legs):
            answer = replace(answer, notes=(*answer.notes, "callback_did_not_come"))
        return joined(answer, trace)

    async def aclose(self) -> None:
        await self._client.aclose()
        await self._downloads.aclose()
        if self._callbacks is not None:
            await self._callbacks.aclose()


def _filled(path: str, named: dict[str, str]) -> str:
    for name, value in named.items():
        path = path.replace(name, value)
    return path
