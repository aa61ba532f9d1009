"""Ports: one server for the API itself and one for every layer in front of it, all in one loop."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import socket
import sys
from pathlib import Path

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, Router

from harness.simulator import faults, task_faults
from harness.simulator.azure import Azure
from harness.simulator.clock import SimClock
from harness.simulator.entry import Entry
from harness.simulator.links import Files, Links
from harness.simulator.loop import settle
from harness.simulator.page import Browsers
from harness.simulator.profiles import Profile
from harness.simulator.requests import MODELS
from harness.simulator.reverse import Reverse
from harness.simulator.task_apis import TASK_APIS
from harness.simulator.task_desk import Desk
from harness.simulator.truth import TruthLog
from harness.simulator.wires import Wire
from harness.simulator.world import Layer, World

GRACE_S = 0.5  # real seconds that orphans get to finish when the server is told to stop
MOST_ADVANCE_S = 10 * 366 * 86_400.0  # no date is beyond what calendars can say
BASES = {"openai": "/v1", "reverse": "/v1", "evolink": "/v1"}  # what an entry's address ends with; others: nothing


def router(entry: Entry | Desk, clock: SimClock, links: Links) -> Browsers:
    """The paths of one port. `send` is handed through untouched, or as its like: the entry relies on its transport."""

    def reply(value: object, status: int = 200) -> JSONResponse:
        return JSONResponse(value, status, headers={"x-simulator-time-scale": clock.shown})

    async def models(request: Request) -> JSONResponse:  # noqa: ARG001
        return reply({"object": "list", "data": [{"id": model, "object": "model"} for model in MODELS]})

    async def health(request: Request) -> JSONResponse:  # noqa: ARG001
        return reply({"ok": True})

    async def not_found(request: Request) -> JSONResponse:
        speaking = entry if isinstance(entry, Desk) else entry.wire
        return reply(speaking.not_found(request.method, request.url.path), 404)

    async def move(request: Request) -> JSONResponse:
        """``POST /sim/clock {"advance_s": 3600}``: the world's time goes on, and what waits for it comes due."""
        try:
            asked = await request.json()
            wanted_s = float(asked["advance_s"])
        except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
            wanted_s = math.nan
        if not 0 <= wanted_s <= MOST_ADVANCE_S - clock.advanced_s:
            return reply({"error": {"message": "advance_s: seconds from 0 to ten years in all"}}, 400)
        clock.advance(wanted_s)
        return reply({"advanced_s": clock.advanced_s})

    async def switch(request: Request) -> JSONResponse:
        if isinstance(entry, Desk):
            return reply({"error": {"message": "a port that speaks a task API has no switch"}}, 400)
        try:
            return reply(entry.switch.told(await request.json()))
        except (ValueError, RecursionError) as error:
            return reply({"error": {"message": f"/sim/switch wants {error}"}}, 400)

    if isinstance(entry, Desk):
        own = entry.routes()
    else:
        own = [*(Route(path, entry, methods=["POST"]) for path in entry.wire.paths), Route("/v1/models", models)]
    return Browsers(
        Router(
            [
                Route("/healthz", health),
                Route("/files/{name}", Files(links, clock), methods=["GET", "HEAD"]),
                Route("/sim/clock", move, methods=["POST"]),
                Route("/sim/switch", switch, methods=["POST"]),
                *own,
                Route("/{path:path}", not_found, methods=["GET", "POST", "PUT", "DELETE"]),
            ]
        )
    )


def wire(layer: Layer, links: Links) -> Wire:
    """What the port of this layer speaks."""
    if layer.speaks == "azure":
        return Azure(layer)
    if layer.speaks == "reverse":
        return Reverse(layer, links)
    return Wire(layer)


async def serve(world: World, *, host: str, port: int, log_path: Path | None, until_stdin_closes: bool) -> None:
    """Serve until told to stop. Prints one JSON line with every address once all ports listen."""
    _allow_descriptors()
    clock, profile, log = SimClock(world.time_scale), Profile(world.profile), TruthLog(log_path)
    layers = {"direct": Layer(), **world.layers}
    links = Links(clock)

    def open_entry(name: str, layer: Layer) -> Entry | Desk:
        if layer.speaks in TASK_APIS:
            api = TASK_APIS[layer.speaks]
            return Desk(name, layer, _with_faults(world, task_faults.NAMES), profile, clock, log, links, api)
        return Entry(name, layer, wire(layer, links), _with_faults(world, set(faults.FAULTS)), profile, clock, log)

    entries = {name: open_entry(name, layer) for name, layer in layers.items()}
    sockets = {name: _listen(host, port + i if port else 0) for i, name in enumerate(entries)}
    servers = [_Server(router(entry, clock, links), sockets[name]) for name, entry in entries.items()]
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    if until_stdin_closes:
        loop.add_reader(sys.stdin.fileno(), _stdin, stop)
    running = [asyncio.create_task(server.serve()) for server in servers]
    while not all(server.started for server in servers):
        if over := next((task for task in running if task.done()), None):
            over.result()  # it never came up: say why instead of waiting for it
        await asyncio.sleep(0.005)
    shown = f"[{host}]" if ":" in host else host
    addresses = {
        name: f"http://{shown}:{sock.getsockname()[1]}{BASES.get(layers[name].speaks, '')}"
        for name, sock in sockets.items()
    }
    ready = {"ready": True, "pid": os.getpid(), "time_scale": world.time_scale, "entries": addresses}
    settle()
    print(json.dumps(ready), flush=True)
    await stop.wait()
    for server in servers:
        server.should_exit = server.force_exit = True
    await asyncio.gather(*running)
    work = {task for entry in entries.values() for task in entry.work}
    if work:
        _, late = await asyncio.wait(work, timeout=GRACE_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
    for entry in entries.values():
        if isinstance(entry, Desk):
            entry.stop()
    closing = {task for entry in entries.values() for task in entry.closing}
    await asyncio.gather(*closing)
    log.shut()


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: several share one process, and it is ours to stop them."""

    def __init__(self, app: Browsers, sock: socket.socket) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http="httptools",
                ws="none",
                lifespan="off",
                log_level="critical",
                access_log=False,
                server_header=False,
                timeout_keep_alive=75,
                backlog=2048,
            )
        )
        self._sock = sock

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        await self._serve([self._sock])


def _with_faults(world: World, names: set[str]) -> World:
    """The same world with the faults that a kind of API knows: one that names no entry is meant for who has it."""
    known = tuple(fault for fault in world.faults if faults.parse(fault.fault)[0] in names)
    return world.model_copy(update={"faults": known})


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Connections inherit it; asyncio sets it only on sockets that name their protocol. Without it the body of an answer
    # waits on a kept connection until the other side's delayed acknowledgement of the headers: 40 ms, scaled.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.bind((host, port))
    sock.set_inheritable(False)
    return sock


def _allow_descriptors() -> None:
    """As many open connections as the system lets this process have; 1,024 is the usual start."""
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _stdin(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.set()
