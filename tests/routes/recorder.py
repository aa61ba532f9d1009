"""A server that knows nothing of the harness: it keeps what came over the wire, byte by byte, and says what it is told.

Only the standard library reads the requests, so that what a route sends is checked by somebody else.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from harness.routes import make_route
from harness.routes.base import Answer, Call, ExchangeFailed, Route, Target
from harness.scenario.families import Options
from harness.wire.caps import Caps
from harness.wire.failures import exception_chain
from harness.wire.scrub import Scrubber
from harness.wire.trace import Trace

KEY = "sk-sim-test"
PROMPT = "a heron in the morning fog over still water"
CALL = Call({"model": "gpt-image-2", "prompt": PROMPT, "quality": "low"}, False, "harness-test-1", Caps())


@dataclass(frozen=True)
class Part:
    """One part of a multipart body, as the standard library's mail parser reads it."""

    name: str
    filename: str | None
    content_type: str
    data: bytes


@dataclass(frozen=True)
class Seen:
    """One request, as it came."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]  # names in lower case, in their order, none dropped
    body: bytes
    at_ns: int  # the whole request was here

    def all(self, name: str) -> list[str]:
        return [value for one, value in self.headers if one == name]

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    def json(self) -> Any:
        assert self.all("content-type") == ["application/json"]
        return json.loads(self.body)

    def parts(self) -> list[Part]:
        (kind,) = self.all("content-type")
        mail = BytesParser(policy=HTTP).parsebytes(b"content-type: " + kind.encode() + b"\r\n\r\n" + self.body)
        assert not mail.defects
        assert mail.get_content_type() == "multipart/form-data"
        parts = []
        for part in mail.iter_parts():
            data = part.get_payload(decode=True)
            assert isinstance(data, bytes)
            name = part.get_param("name", header="content-disposition")
            parts.append(Part(str(name), part.get_filename(), part.get_content_type(), data))
        return parts


def reply(body: object = b"", status: int = 200, kind: str = "application/json", **headers: str) -> bytes:
    """The bytes of a whole answer; what is not bytes goes out as JSON, a text as it stands."""
    data = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Said", f"content-type: {kind}", f"content-length: {len(data)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


Say = Callable[[Seen], bytes | Coroutine[Any, Any, bytes]]


@dataclass
class Recorder:
    """A running server."""

    say: Say
    port: int = 0
    seen: list[Seen] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def asked(self, start: str) -> list[Seen]:
        """The requests whose target begins like that."""
        return [one for one in self.seen if one.target.startswith(start)]


@asynccontextmanager
async def recording(say: Say) -> AsyncIterator[Recorder]:
    """A server on a free port of loopback that answers with `say`; an empty answer closes the connection."""
    recorder = Recorder(say)
    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                recorder.seen.append(seen := await _request(reader))
                said = recorder.say(seen)
                data = said if isinstance(said, bytes) else await said
                writer.write(data)
                await writer.drain()
                if not data or b"\r\nconnection: close" in data.partition(b"\r\n\r\n")[0]:
                    break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    recorder.port = server.sockets[0].getsockname()[1]
    try:
        yield recorder
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)


async def _request(reader: asyncio.StreamReader) -> Seen:
    first, *lines = (await reader.readuntil(b"\r\n\r\n"))[:-4].decode("latin-1").split("\r\n")
    method, target, version = first.split(" ")
    assert version == "HTTP/1.1"
    headers = tuple((name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines))
    lengths = [int(value) for name, value in headers if name == "content-length"]
    assert len(lengths) <= 1
    assert "transfer-encoding" not in dict(headers)
    body = await reader.readexactly(lengths[0]) if lengths else b""
    return Seen(method, target, headers, body, time.monotonic_ns())


@dataclass(frozen=True)
class Told:
    """What became of one exchange."""

    trace: Trace
    failure: tuple[str, ...]
    answer: Answer


async def ask(
    recorder: Recorder,
    kind: str,
    call: Call = CALL,
    *,
    options: Options | None = None,
    base: str = "/v1",
    headers: Mapping[str, str] | None = None,
    times: int = 1,
    time_scale: float = 1.0,
) -> list[Told]:
    """Make `times` exchanges of one route with the recorder, one after the other, and read their answers."""
    target = Target("t", recorder.url + base, KEY, headers or {}, options=options, time_scale=time_scale)
    route = make_route(kind, target)
    if kind == "task":
        await route.warm_up()
    try:
        return [await one(route, call) for _ in range(times)]
    finally:
        await route.aclose()


async def one(route: Route, call: Call) -> Told:
    """One exchange of a route that is at hand, and its answer."""
    trace, failure = Trace(call.caps), tuple[str, ...]()
    try:
        await route.exchange(call, trace)
    except ExchangeFailed as error:
        failure = exception_chain(error.__cause__)
    trace.finish()
    return Told(trace, failure, route.read(trace, Scrubber(prompt=PROMPT, secrets=(KEY,))))
