"""What a port speaks: who may come in, what is understood, and how an answer looks before any layer touches it."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.simulator import responses, script
from harness.simulator.edits import validate_edit
from harness.simulator.profiles import Timing
from harness.simulator.requests import OPENAI, Api, Refused, Shape, validate
from harness.simulator.script import Script
from harness.simulator.signatures import ray
from harness.simulator.world import Layer

KEY_PREFIX = "sk-sim-"
APIS: dict[str, Api] = {
    "/images/generations": "images.generations",
    "/images/edits": "images.edits",
    "/responses": "responses",
}


@dataclass(frozen=True)
class Ask:
    """A request as it came in; names of headers are in small letters."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def api(self) -> Api:
        """What it is for."""
        return next(api for end, api in APIS.items() if self.path.endswith(end))

    def json(self) -> object:
        """The body; None when it is no JSON."""
        try:
            value: object = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return value


class Wire:
    """OpenAI's own wire, and what others are told apart from."""

    paths: tuple[str, ...] = ("/v1/images/generations", "/v1/images/edits", "/v1/responses")
    rewrites = False  # whether to finish an answer is work on its pictures, which nobody else should wait for
    product: str | None = None  # whose page it is when nobody in front of it has one

    def __init__(self, layer: Layer) -> None:
        self._layer = layer

    def request_id(self) -> str:
        """A new one."""
        return f"req_{uuid.uuid4().hex}"

    def not_found(self, method: str, path: str) -> dict[str, Any]:
        """The body of a 404."""
        message = f"Invalid URL ({method} {path})"
        return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}

    def check_key(self, ask: Ask) -> None:
        """Raises `Refused` for a key that is none of ours."""
        key = ask.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if not key:
            raise Refused(401, "You didn't provide an API key.")
        if not key.startswith(KEY_PREFIX):
            where = "You can find your API key at https://platform.openai.com."
            raise Refused(401, f"Incorrect API key provided: {key[:3]}***. {where}", code="invalid_api_key")

    def validate(self, ask: Ask) -> Shape:
        """The shape of what is asked for; raises `Refused`. May take long: references are looked at."""
        if ask.api == "images.edits":
            return validate_edit(ask.body, ask.headers.get("content-type", ""), OPENAI)
        if ask.api == "responses":
            return responses.validate_response(ask.json())
        return validate(ask.json())

    def stretch(self, timing: Timing, shape: Shape, dice: random.Random) -> Timing:
        """The times of the whole way, where more stands before the image than its making."""
        return later(timing, dice.uniform(*responses.HOP_S)) if shape.api == "responses" else timing

    def make(self, shape: Shape, timing: Timing, created: int, variant: int, request_id: str) -> Script:
        """The answer that is planned when nothing goes wrong."""
        if shape.api == "responses":
            talk = responses.Talk(shape, timing, created, request_id)
            return talk.streamed(variant, self._layer.keepalive_s) if shape.stream else talk.plain(variant)
        return (script.streamed if shape.stream else script.plain)(shape, timing, created, variant)

    def finish(self, planned: Script, ask: Ask, shape: Shape | None, request_id: str) -> Script:  # noqa: ARG002
        """The answer as it leaves the API, with all of its headers."""
        own = {
            "x-request-id": request_id,
            "openai-organization": "org-simulated",
            "openai-version": "2020-10-01",
            "openai-processing-ms": "12",
            "server": "cloudflare",
            "cf-ray": ray(request_id),
            "cf-cache-status": "DYNAMIC",
            "strict-transport-security": "max-age=31536000; includeSubDomains; preload",
            "x-content-type-options": "nosniff",
        }
        return replace(planned, headers={**own, **planned.headers})


def later(timing: Timing, extra_s: float) -> Timing:
    """The same times with something before them."""
    return Timing(
        generation_s=timing.generation_s + extra_s,
        first_partial_s=timing.first_partial_s + extra_s,
        moderation_s=timing.moderation_s + extra_s,
        refusal_s=timing.refusal_s,
        before_s=timing.before_s + extra_s,
    )
