"""What named gateways do to what passes through them, as measured (LiteLLM, Portkey) or as published (the others).

Each product is a function from what the API answers to what the caller gets, and a name in `PASSES`; what it changes on
the way in stands in `forwarded`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from harness.simulator import gateway_bodies as bodies
from harness.simulator import script as s
from harness.simulator.clock import SimClock
from harness.simulator.requests import Shape
from harness.simulator.script import Piece, Script
from harness.simulator.signatures import kong_id, new_api_id, ray, uuid_of
from harness.simulator.wires import Ask
from harness.simulator.world import Layer

# What gateways reckon with; a name of somebody's own is taken for gpt-image-2.
USD_PER_TOKEN = {"text": 5e-6, "image": 8e-6, "output": 30e-6}
USD_PER_TOKEN_OF = {
    "gpt-image-1.5": {"text": 5e-6, "image": 8e-6, "output": 32e-6},
    "gpt-image-1-mini": {"text": 2e-6, "image": 2.5e-6, "output": 8e-6},
}
LITELLM_TRIES = 3  # its router's, each a whole generation
OPENROUTER_COMMENT = b": OPENROUTER PROCESSING\n\n"
OPENROUTER_GAP_S = 15.0
CACHED_S = 0.05
MOST_REMEMBERED = 256
# Everything else is dropped without a word.
PORTKEY_KNOWS = {"prompt", "model", "n", "quality", "response_format", "size", "style", "user"}


@dataclass(frozen=True)
class Exchange:
    """One request and what the API understood of it."""

    ask: Ask  # as the caller sent it
    shape: Shape | None
    request_id: str
    received_ns: int
    retries: int

    @property
    def cost_usd(self) -> float:
        """List price of one generation."""
        shape = self.shape
        if shape is None:
            return 0.0
        counts = {"text": shape.text_tokens, "image": shape.reference_tokens, "output": shape.output_tokens}
        usd = USD_PER_TOKEN_OF.get(shape.model, USD_PER_TOKEN)
        return sum(usd[name] * count for name, count in counts.items())


@dataclass(frozen=True)
class Remembered:
    """An answer that a cache holds from `ready_ns` on."""

    ready_ns: int
    answer: Script
    shape: Shape


@dataclass
class Gateway:
    """What one layer does to requests and answers."""

    layer: Layer
    clock: SimClock
    _cache: dict[bytes, Remembered] = field(default_factory=dict)

    def forwarded(self, ask: Ask) -> Ask:
        """The request as it goes on to the API."""
        value = ask.json() if self.layer.imitates == "portkey" and ask.api == "images.generations" else None
        if not isinstance(value, dict):
            return ask
        kept = {name: item for name, item in value.items() if name in PORTKEY_KNOWS}
        return replace(ask, body=json.dumps(kept).encode())

    def remembered(self, ask: Ask) -> Remembered | None:
        """What a cache has for this very request."""
        found = self._cache.get(_key(ask)) if self.layer.cache else None
        return found if found is not None and found.ready_ns <= self.clock.now_ns() else None

    def passed(self, planned: Script, x: Exchange) -> Script:
        """What the caller gets."""
        planned = repeated(planned, x.retries)
        change = PASSES.get(self.layer.imitates or "")
        told = planned if change is None else change(planned, x)
        if not self.layer.cache:
            return told
        if x.shape is not None and told.status == 200 and told.made_s is not None and not s.is_stream(told):
            self._remember(told, x, x.shape)
        return _cached(told, "MISS") if self.layer.imitates == "cloudflare_aig" else told

    def _remember(self, told: Script, x: Exchange, shape: Shape) -> None:
        if len(self._cache) >= MOST_REMEMBERED:
            del self._cache[next(iter(self._cache))]
        pieces = tuple(replace(piece, at_s=CACHED_S) for piece in told.pieces)
        kept = replace(told, headers_s=CACHED_S, made_s=None, tokens=0, upstream_calls=0, pieces=pieces)
        if self.layer.imitates == "cloudflare_aig":
            kept = _cached(kept, "HIT")
        last_s = max(piece.at_s for piece in told.pieces)
        self._cache[_key(x.ask)] = Remembered(self.clock.moment_ns(x.received_ns, last_s), kept, shape)


def repeated(planned: Script, times: int) -> Script:
    """The same answer after so many calls that were thrown away. What the caller did wrong is not tried again."""
    if not times or (400 <= planned.status < 500 and planned.status not in {408, 429}):
        return planned
    last_s = max((piece.at_s for piece in planned.pieces), default=planned.headers_s)
    again = s.later(planned, last_s * times)
    return replace(again, tokens=planned.tokens * (times + 1), upstream_calls=times + 1)


def _litellm(planned: Script, x: Exchange) -> Script:
    """Generations lose all headers of the API, and a stream of them: it is made three times and never arrives."""
    is_images = x.ask.api != "responses"
    model = x.shape.model if x.shape else "gpt-image-2"
    if is_images and s.is_stream(planned):
        planned = _thrice(planned, x)
    elif is_images and (planned.no_reply or planned.cut_after is not None):
        planned = _instead(planned, 500, bodies.litellm_error(500, "Connection error."))
    elif planned.status >= 400:
        planned = _instead(planned, planned.status, bodies.litellm_reworded(planned))
    elif is_images:
        nothing = b'"revised_prompt": null, "url": null, "provider_specific_fields": null, "b64_json": "'
        planned = bodies.replaced(planned, b'"b64_json": "', nothing)
    own = {
        "content-type": planned.headers["content-type"],
        "server": "uvicorn",
        "x-litellm-call-id": uuid_of(x.request_id),
        "x-litellm-model-id": hashlib.sha256(model.encode()).hexdigest(),
        "x-litellm-model-api-base": "https://api.openai.com/v1",
        "x-litellm-version": "1.106.2",
        "x-litellm-response-cost": f"{x.cost_usd if planned.status == 200 else 0.0}",
        "x-litellm-key-spend": "0.0",
        "x-litellm-response-duration-ms": f"{planned.headers_s * 1000:.1f}",
        "x-litellm-callback-duration-ms": "0.4",
    }
    if x.ask.api == "images.generations":
        return replace(planned, headers=own)
    told = {name: value for name, value in planned.headers.items() if name.startswith("x-ratelimit-")}
    for name in ("x-request-id", "openai-processing-ms", *told):
        if name in planned.headers:
            own[f"llm_provider-{name}"] = planned.headers[name]
    own |= {name: value for name, value in told.items() if name.endswith("-requests")}
    own |= {"x-litellm-model-group": model, "x-litellm-model-name": f"openai/{model}"}
    own |= {"x-litellm-attempted-retries": f"{x.retries}", "x-litellm-attempted-fallbacks": "0"}
    if x.ask.api == "responses":
        own |= {"x-litellm-overhead-duration-ms": "3.1", "x-accel-buffering": "no"}
    return replace(planned, headers=own)


def _thrice(planned: Script, x: Exchange) -> Script:
    """It reads the whole stream, cannot make anything of it, and has its router try again."""
    edit = x.ask.api == "images.edits"
    why = bodies.sse_text(planned) if edit else "'str' object has no attribute 'model_dump'"
    one_s = max(piece.at_s for piece in planned.pieces)
    again = s.later(planned, one_s * (LITELLM_TRIES - 1))
    again = replace(again, tokens=planned.tokens * LITELLM_TRIES, upstream_calls=LITELLM_TRIES * planned.upstream_calls)
    kind = "APIError" if edit else "APIConnectionError"
    return _instead(again, 500, bodies.litellm_error(500, why, kind))


def _portkey(planned: Script, x: Exchange) -> Script:
    """The API's headers pass; a stream of images breaks it once the image is made."""
    own = {
        "x-portkey-cache-status": "DISABLED",
        "x-portkey-last-used-option-index": "0",
        "x-portkey-provider": "openai",
        "x-portkey-retry-attempt-count": f"{x.retries if planned.status == 200 else -1 if x.retries else 0}",
        "x-portkey-trace-id": uuid_of(x.request_id),
    }
    asked = x.ask.json() if x.ask.api == "images.generations" else None
    if planned.status >= 400:
        planned = _instead(planned, planned.status, bodies.portkey_reworded(planned))
    elif isinstance(asked, dict) and asked.get("stream") is True:
        planned = _instead(planned, 500, b'{"status":"failure","message":"Something went wrong"}')
        own["x-portkey-gateway-exception"] = "true"
    return replace(planned, headers={**planned.headers, **own})


def _openrouter(planned: Script, x: Exchange) -> Script:
    """Its own ids, an answer that tells its cost, and comments while a stream is silent."""
    own = {
        "content-type": planned.headers["content-type"],
        "server": "cloudflare",
        "cf-ray": ray(x.request_id + "/edge"),
        "x-generation-id": f"gen-{uuid_of(x.request_id).replace('-', '')[:24]}",
        "x-provider-name": "OpenAI",
    }
    if planned.status >= 400:
        return replace(_instead(planned, planned.status, bodies.openrouter_reworded(planned)), headers=own)
    kind = f"image/{x.shape.output_format}" if x.shape else "image/png"
    planned = bodies.replaced(planned, b'"b64_json": "', f'"media_type": "{kind}", "b64_json": "'.encode())
    planned = bodies.replaced(planned, b'"usage": {', f'"usage": {{"cost": {x.cost_usd:.6f}, '.encode())
    planned = replace(planned, headers=own)
    if not s.is_stream(planned):
        return planned
    last_s = max((piece.at_s for piece in planned.pieces), default=planned.headers_s)
    return s.with_filler(bodies.data_only(planned), OPENROUTER_GAP_S, OPENROUTER_COMMENT, last_s, planned.headers_s)


def _cloudflare_aig(planned: Script, x: Exchange) -> Script:
    """Everything passes; its own ids are added."""
    own = {
        "cf-aig-log-id": uuid_of(x.request_id).replace("-", "").upper()[:26],
        "cf-aig-event-id": uuid_of(x.request_id + "/event").replace("-", "").upper()[:26],
        "cf-aig-step": "0",
    }
    return replace(planned, headers={**planned.headers, **own})


def _cached(planned: Script, status: str) -> Script:
    return replace(planned, headers={**planned.headers, "cf-aig-cache-status": status})


def _kong(planned: Script, x: Exchange) -> Script:
    """Everything passes; it tells how long it waited and how long it took itself."""
    own = {
        "via": "1.1 kong/3.9.1",
        "x-kong-upstream-latency": f"{planned.headers_s * 1000:.0f}",
        "x-kong-proxy-latency": "2",
        "x-kong-request-id": kong_id(x.request_id),
    }
    return replace(planned, headers={**planned.headers, **own})


def _new_api(planned: Script, x: Exchange) -> Script:
    """Its own id, which it also writes into messages of errors; frames without names, and a sentinel."""
    name = new_api_id(x.request_id)
    headers = {"content-type": planned.headers["content-type"], "x-oneapi-request-id": name}
    if planned.status >= 400:
        return replace(_instead(planned, planned.status, bodies.new_api_reworded(planned, name)), headers=headers)
    planned = replace(planned, headers=headers)
    return bodies.data_only(planned) if s.is_stream(planned) else planned


def _instead(planned: Script, status: int, body: bytes) -> Script:
    """Another body at the moment of the last piece; whatever was made stays made, and billed."""
    at_s = max((piece.at_s for piece in planned.pieces), default=planned.headers_s)
    if planned.status >= 400 or planned.no_reply:
        at_s = planned.headers_s
    headers = {**planned.headers, "content-type": "application/json"}
    piece = Piece(at_s, s.with_pictures(body.decode()), "body")
    return replace(
        planned, status=status, headers=headers, headers_s=at_s, pieces=(piece,), cut_after=None, no_reply=False
    )


def _key(ask: Ask) -> bytes:
    return hashlib.sha256(ask.path.encode() + b"\n" + ask.body).digest()


PASSES: dict[str, Callable[[Script, Exchange], Script]] = {
    "litellm": _litellm,
    "portkey": _portkey,
    "openrouter": _openrouter,
    "cloudflare_aig": _cloudflare_aig,
    "kong": _kong,
    "new_api": _new_api,
}
