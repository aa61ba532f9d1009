"""A client that gives up by itself, and what it says of that, brought into the harness's own record.

What is written into `failure` is what the client's error itself says, outermost first: names of classes and codes
(``TypeError < HeadersTimeoutError < UND_ERR_HEADERS_TIMEOUT``), and for curl the name of its exit code in libcurl
(``CURLE_OPERATION_TIMEDOUT``). Never a message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from harness.events import ApiError, Attempt, Ended, JobEvent, Marks, Outcome
from harness.evidence import kept_headers
from tests.layers.server import Cap
from tests.layers.situations import SITUATIONS, Situation

BODY = {"model": "gpt-image-2", "prompt": "A red apple on a white table", "quality": "low", "size": "1024x1024"}


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a client says of one call. Times in ms since it began."""

    situation: str
    client_request_id: str
    ended: Ended  # complete; local_cap: its own words are that it gave up; remote_closed; connect_failed
    names: tuple[str, ...] = ()
    status: int | None = None
    headers: dict[str, str] = {}
    error: ApiError | None = None
    headers_at_ms: float | None = None
    last_byte_at_ms: float | None = None
    longest_silence_ms: float | None = None
    ended_at_ms: float
    bytes_down: int = 0
    image: bool = False


@dataclass(frozen=True)
class Calls:
    """What a client is to call: one call in each situation, all at the same time."""

    live: str  # base URL with /v1
    dead: str
    key: str
    ids: Mapping[str, str]  # situation → X-Client-Request-Id

    def plan(self) -> list[dict[str, Any]]:
        """As plain data, for clients in other languages."""
        return [
            {
                "situation": one.name,
                "base": self.live if one.listens else self.dead,
                "body": {**BODY, **one.fields},
                "headers": self.headers(one),
            }
            for one in SITUATIONS.values()
        ]

    def headers(self, situation: Situation) -> dict[str, str]:
        """Extra headers of one call; the key is not among them."""
        found = {"x-client-request-id": self.ids[situation.name]}
        if situation.fault:
            found["x-sim-fault"] = situation.fault
        return found


@dataclass(frozen=True)
class Client:
    """A client: its program, its caps, and what it says of all situations."""

    name: str
    product: str
    program: Callable[[], str]
    version: Callable[[], str]
    call: Callable[[Path, Calls], Sequence[Told]]
    caps: Sequence[Cap] = field(default=())

    def chain(self) -> list[dict[str, object]]:
        """Its caps, as a scenario declares them."""
        return [
            {"layer": self.name, "product": self.product, "kind": one.kind, "cap_s": one.cap_s, "setting": one.setting}
            for one in self.caps
        ]


def as_event(client: Client, told: Told) -> JobEvent:
    """The job as the harness records it, with what this client's own report holds of it."""
    kept, ids = kept_headers(told.headers.items())
    request_id = ids.pop("x-request-id", None)
    sent = None if told.ended == "connect_failed" else 0.0  # loopback: nobody says it more exactly
    marks = Marks(
        started_at_ms=0.0,
        request_sent_at_ms=sent,
        first_byte_at_ms=told.headers_at_ms,
        headers_at_ms=told.headers_at_ms,
        last_byte_at_ms=told.last_byte_at_ms,
        ended_at_ms=told.ended_at_ms,
    )
    attempt = Attempt(
        number=1,
        client_request_id=told.client_request_id,
        marks=marks,
        ended=told.ended,
        failure=told.names,
        http_status=told.status,
        headers=kept,
        request_id=request_id,
        ids=ids,
        error=told.error,
        body_kind="json" if told.error else None,
        bytes_down=told.bytes_down,
        longest_silence_ms=told.longest_silence_ms,
    )
    situation = SITUATIONS[told.situation]
    return JobEvent(
        run_id="layers",
        job_id=f"{client.name}-{told.situation}",
        cell=told.situation,
        block=1,
        position=1,
        request_started_at="2026-11-21T00:00:00+00:00",
        timezone="UTC",
        route=f"{client.name}-{told.situation}",
        route_kind="images",
        route_owner="client_infrastructure",
        endpoint="images.generations",
        model="gpt-image-2",
        quality="low",
        size="1024x1024",
        stream=bool(situation.fields),
        prompt_chars=len(BODY["prompt"]),
        prompt_hash="0" * 16,
        outcome=_outcome(told),
        phase="headers" if told.headers_at_ms is not None else "started",
        ended=told.ended,
        http_status=told.status,
        error_type=told.error.type if told.error else None,
        error_code=told.error.code if told.error else None,
        request_id=request_id,
        total_ms=told.ended_at_ms,
        bytes_down=told.bytes_down,
        attempts=(attempt,),
    )


def _outcome(told: Told) -> Outcome:
    if told.image:
        return "image"
    if told.ended == "connect_failed":
        return "unreachable"
    if (told.status or 0) >= 400:
        return "error"
    return "empty" if told.ended == "complete" else "cut"
