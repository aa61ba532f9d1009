"""What a route is: a way to turn one job's shape into HTTP calls, and an answer into plain data.

A route family is one file here and one line in `harness.routes`. It builds requests with the real SDK where there is
one, and it interprets bodies only after the exchange is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from harness.events import ApiError, BodyKind, ReceivePath, Usage
from harness.scenario.families import Options
from harness.wire.caps import Caps
from harness.wire.pool import KEEPALIVE_S
from harness.wire.scrub import Scrubber
from harness.wire.stamp import Stamp
from harness.wire.trace import Trace


class ExchangeFailed(Exception):
    """The exchange did not come to its end; `__cause__` is what the client library raised."""


@dataclass(frozen=True)
class Target:
    """Where and as whom a route speaks. `api_key` is held in memory only."""

    name: str
    base_url: str
    api_key: str
    headers: Mapping[str, str] = field(default_factory=dict)
    ca_file: str | None = None
    keepalive_s: float = KEEPALIVE_S
    max_connections: int | None = None
    receive_path: ReceivePath | None = None  # None: our own where it can carry the route
    options: Options | None = None  # what the scenario says to this family alone
    time_scale: float = 1.0  # how much faster than ours the measured world runs

    def secrets(self) -> tuple[str, ...]:
        """Values that must never be written anywhere."""
        return (self.api_key, *self.headers.values())


@dataclass(frozen=True)
class Picture:
    """A file that goes out with a request: a reference image or a mask."""

    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True)
class Call:
    """One attempt to be made: the request fields as the API names them, and our id for it."""

    fields: Mapping[str, object]  # model, prompt, size, quality, …: exactly what goes on the wire
    stream: bool
    client_request_id: str
    caps: Caps
    headers: Mapping[str, str] = field(default_factory=dict)  # beside those of the target
    references: tuple[Picture, ...] = ()  # one or more: an edit
    mask: Picture | None = None
    edit_form: str = "multipart"


@dataclass(frozen=True)
class Payload:
    """One image as the answer carries it, with the stamps of its first and last byte."""

    encoded: bytes  # base64 text, or the file itself
    first: Stamp
    whole: Stamp
    base64: bool = True


@dataclass(frozen=True)
class TaskSeen:
    """What was seen of a task from outside, at the moments at which somebody looked."""

    submitted: Stamp | None = None
    running: Stamp | None = None
    callback: Stamp | None = None
    polls: int = 0
    poll_error_ns: int | None = None  # between the last look that found it unfinished and the one that found it done
    queue_ms: float | None = None
    server_ms: float | None = None
    task_id: str | None = None


@dataclass(frozen=True)
class Answer:
    """What the bodies said, as plain data. Everything that was not said is None."""

    body_kind: BodyKind | None = None
    body_head: str | None = None
    error: ApiError | None = None
    finals: tuple[Payload, ...] = ()
    links: tuple[str, ...] = ()  # where the images lie that the answer does not hold; never written anywhere
    linked: tuple[tuple[Stamp, Stamp], ...] = ()  # first byte and whole of what held each link
    partials: tuple[tuple[Stamp, Stamp], ...] = ()  # first byte and whole of each partial image's frame
    first_event: Stamp | None = None
    sse_events: int = 0
    sse_comments: int = 0
    resolved_size: str | None = None
    resolved_quality: str | None = None
    resolved_format: str | None = None
    usage: Usage | None = None
    text_model: str | None = None
    deployment: str | None = None
    task: TaskSeen | None = None
    body_shape: str | None = None
    missing_path: str | None = None
    notes: tuple[str, ...] = ()


class Route(Protocol):
    """One target of one route family. Made once per run, used for many attempts."""

    expendable: bytes | None  # a word in the head of stream events of which only the stamps are wanted

    def endpoint(self, *, edits: bool) -> str:
        """The path of the API that a call goes to, as its owner documents it; no host."""
        ...

    async def warm_up(self) -> None:
        """Do once, without a network, what the first call of a process pays for: imports, models, codecs."""
        ...

    async def exchange(self, call: Call, trace: Trace) -> None:
        """Make one exchange, with whatever further ones belong to it, and leave what happened in `trace`.

        Raises:
            ExchangeFailed: it ended early. An error answer is an answer, not a failure.
        """
        ...

    def read(self, trace: Trace, scrubber: Scrubber) -> Answer:
        """Interpret what `trace` holds. Never raises for bad data; runs off the event loop."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...
