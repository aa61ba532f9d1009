"""Ports: one server for the API itself and one for every layer in front of it, all in one loop."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from pathlib import Path

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router

from harness.simulator.azure import Azure
from harness.simulator.clock import SimClock
from harness.simulator.entry import Entry
from harness.simulator.links import Links
from harness.simulator.loop import settle
from harness.simulator.profiles import Profile
from harness.simulator.requests import MODELS
from harness.simulator.reverse import Reverse
from harness.simulator.truth import TruthLog
from harness.simulator.wires import Wire
from harness.simulator.world import Layer, World

GRACE_S = 0.5  # real seconds that orphans get to finish when the server is told to stop
BASES = {"openai": "/v1", "reverse": "/v1", "evolink": "/v1"}  # what an entry's address ends with; others: nothing


def router(entry: Entry, clock: SimClock, links: Links) -> Router:
    """The paths of one port. The router hands `send` through untouched, which the entry relies on."""

    def reply(value: object, status: int = 200) -> JSONResponse:
        return JSONResponse(value, status, headers={"x-simulator-time-scale": clock.shown})

    async def models(request: Request) -> JSONResponse:  # noqa: ARG001
        return reply({"object": "list", "data": [{"id": model, "object": "model"} for model in MODELS]})

    async def health(request: Request) -> JSONResponse:  # noqa: ARG001
        return reply({"ok": True})

    async def not_found(request: Request) -> JSONResponse:
        return reply(entry.wire.not_found(request.method, request.url.path), 404)

    async def file(request: Request) -> Response:
        stored = links.get(request.path_params["name"].partition(".")[0])
        if stored is None:
            return await not_found(request)
        return Response(stored.data, media_type=stored.content_type, headers={"x-simulator-time-scale": clock.shown})

    return Router(
        [
            *(Route(path, entry, methods=["POST"]) for path in entry.wire.paths),
            Route("/v1/models", models),
            Route("/files/{name}", file),
            Route("/healthz", health),
            Route("/{path:path}", not_found, methods=["GET", "POST", "PUT", "DELETE"]),
        ]
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
    entries = {
        name: Entry(name, layer, wire(layer, links), world, profile, clock, log) for name, layer in layers.items()
    }
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
    closing = {task for entry in entries.values() for task in entry.closing}
    await asyncio.gather(*closing)
    log.shut()


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: several share one process, and it is ours to stop them."""

    def __init__(self, app: Router, sock: socket.socket) -> None:
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


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
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
