"""The rating page on loopback. Each vote is on the disk before the page hears that it is.

Nothing else on the machine or in the browser is to vote or look: the address holds a random token, a request has to
name this host and port (a name that somebody else's DNS turned to loopback does not), and what is sent has to come
from this page.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec
import uvicorn
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from harness.errors import HarnessError, UsageProblem
from harness.rating.gallery import Framer
from harness.rating.page import policy, render
from harness.rating.sitting import Sitting
from harness.rating.votes import Choice, append_votes, read_lines

HOST = "127.0.0.1"
LINGER_S = 60.0  # after the last vote, for taking it back
MAX_BODY_BYTES = 4096
KEPT_PICTURES = 16  # encoded ones; the next pair is fetched ahead


class _Cast(msgspec.Struct, kw_only=True):
    pair: str
    chosen: Choice | Literal["undone"]
    took_ms: float | None = None


class Desk:
    """One sitting of one rater: which pairs are open, and what is asked of the server."""

    def __init__(self, run_dir: Path, sitting: Sitting, rater: str | None, linger_s: float = LINGER_S) -> None:
        self.run_dir, self.sitting, self.rater, self.linger_s = run_dir, sitting, rater, linger_s
        self.pairs = {pair.name: pair for pair in sitting.pairs}
        self.pictures = sitting.pictures
        self.framer = Framer(run_dir, self.pictures)
        self.done = cast_by(run_dir, sitting, rater)
        self.finished = asyncio.Event()
        self._waiting: asyncio.TimerHandle | None = None
        self._one_at_a_time = asyncio.Lock()
        self._encoded: dict[int, bytes] = {}

    def routes(self) -> list[Route]:
        return [
            Route("/", self.page),
            Route("/picture/{number:int}", self.picture),
            Route("/votes", self.votes, methods=["POST"]),
            Route("/finish", self.finish, methods=["POST"]),
        ]

    async def page(self, request: Request) -> Response:  # noqa: ARG002
        sources = [f"picture/{number}" for number in range(len(self.pictures))]
        return HTMLResponse(render(self.sitting, sources, served=True, done=list(self.done)))

    async def picture(self, request: Request) -> Response:
        number: int = request.path_params["number"]
        if number >= len(self.pictures):
            return PlainTextResponse("no such picture", 404)
        if number not in self._encoded:
            try:
                encoded = await asyncio.to_thread(self.framer.png, self.pictures[number])
            except OSError:
                return PlainTextResponse("the file is gone", 410)
            self._encoded[number] = encoded
            while len(self._encoded) > KEPT_PICTURES:
                del self._encoded[next(iter(self._encoded))]
        return Response(self._encoded[number], media_type="image/png")

    async def votes(self, request: Request) -> Response:
        try:
            told = msgspec.json.decode(await _body(request), type=_Cast)
        except (msgspec.DecodeError, ValueError) as error:
            return PlainTextResponse(f"not a vote: {error}", 400)
        pair = self.pairs.get(told.pair)
        if pair is None:
            return PlainTextResponse("no such pair", 400)
        if told.took_ms is not None and not 0 <= told.took_ms < 1e9:
            return PlainTextResponse("took_ms: not a time", 400)
        chosen: Choice | None = None if told.chosen == "undone" else told.chosen
        async with self._one_at_a_time:
            if chosen is None and pair.name not in self.done:
                return PlainTextResponse("this pair has no vote", 409)
            vote = self.sitting.vote(pair, chosen, told.took_ms, self.rater, datetime.now(UTC))
            try:
                await asyncio.to_thread(append_votes, self.run_dir, [vote])
            except HarnessError as error:
                return PlainTextResponse(str(error.__cause__ or "disk"), 507)
            self.done.pop(pair.name, None)
            if chosen is not None:
                self.done[pair.name] = None
        self._wait_for_the_end()
        return Response(status_code=204)

    async def finish(self, request: Request) -> Response:  # noqa: ARG002
        if len(self.done) < len(self.pairs):
            return PlainTextResponse("pairs are left", 409)
        return Response(status_code=204, background=BackgroundTask(self._end))

    async def _end(self) -> None:
        self.finished.set()

    def _wait_for_the_end(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        if len(self.done) == len(self.pairs):
            self._waiting = asyncio.get_running_loop().call_later(self.linger_s, self.finished.set)


def cast_by(run_dir: Path, sitting: Sitting, rater: str | None) -> dict[str, None]:
    """The pairs of a sitting that a rater has voted on, in the order of the votes."""
    done: dict[str, None] = {}
    for vote in read_lines(run_dir)[0]:
        if vote.sitting == sitting.id and vote.rater == rater:
            done.pop(vote.pair, None)
            if vote.chosen != "undone":
                done[vote.pair] = None
    return done


class Guard:
    """Lets in what this page on this host asks for, and puts the same headers on every answer."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self._hosts = {f"{HOST}:{port}", f"localhost:{port}"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        request = Request(scope)
        if problem := self._problem(request):
            await PlainTextResponse(problem, 403)(scope, receive, sealed)
        else:
            await self._app(scope, receive, sealed)

    def _problem(self, request: Request) -> str:
        host = request.headers.get("host", "")
        if host not in self._hosts:
            return "another host"
        if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return "another site"
        origin = request.headers.get("origin")
        if origin is not None and origin != f"http://{host}":
            return "another origin"
        if request.method == "POST":
            if origin is None:
                return "no origin"
            if request.headers.get("content-type", "").split(";")[0] != "application/json":
                return "not JSON"
        return ""


_HEADERS = [
    (b"content-security-policy", f"{policy(served=True)}; frame-ancestors 'none'".encode()),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]


async def serve(desk: Desk, port: int, ready: Callable[[str], None]) -> None:
    """Serve until all pairs are done, or until Ctrl-C. `ready` gets the address.

    Raises:
        UsageProblem: the port is taken.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with contextlib.closing(sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((HOST, port))
        except OSError as error:
            raise UsageProblem(f"cannot listen on {HOST}:{port} ({error.strerror}); leave --port out") from None
        port = sock.getsockname()[1]
        token = secrets.token_urlsafe(18)
        server = _Server(Guard(Router([Mount(f"/{token}", routes=desk.routes())]), port), sock)
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(signum, desk.finished.set)
        running = asyncio.create_task(server.serve())
        sock.listen()  # who comes before the server is up waits for it
        ready(f"http://{HOST}:{port}/{token}/")
        ended = asyncio.create_task(desk.finished.wait())
        await asyncio.wait({running, ended}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        ended.cancel()
        await running


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: Ctrl-C is the usual end here, and no error."""

    def __init__(self, app: ASGIApp, sock: socket.socket) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http="httptools",
                ws="none",
                lifespan="off",
                log_level="critical",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=2,
            )
        )
        self._sock = sock

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        await self._serve([self._sock])


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise ValueError("too long")
    return body
