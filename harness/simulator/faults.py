"""Faults: each rewrites a planned answer. To add one, write a function and give it a name in `FAULTS`.

Chosen by the world's configuration for a share of requests, or by the header ``x-sim-fault: name[;key=value…]``.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from harness.simulator import script as s
from harness.simulator.profiles import Timing
from harness.simulator.requests import Refused, Shape
from harness.simulator.rope import Rope
from harness.simulator.script import Piece, Script
from harness.simulator.world import World

DRIP_STEP = 65_536

Options = dict[str, str]


@dataclass(frozen=True)
class Context:
    """What a fault may look at."""

    shape: Shape
    timing: Timing
    request_id: str
    options: Options

    def number(self, name: str, default: float) -> float:
        """A numeric option."""
        try:
            value = float(self.options.get(name, default))
        except ValueError:
            return default
        return value if math.isfinite(value) else default


Fault = Callable[[Script, Context], Script]


def _delay(script: Script, at: Context) -> Script:
    extra = at.number("s", 30)
    moved = [replace(piece, at_s=piece.at_s + extra) for piece in script.pieces]
    made = None if script.made_s is None else script.made_s + extra
    return replace(script, headers_s=script.headers_s + extra, made_s=made).with_pieces(moved)


def _cut(script: Script, at: Context) -> Script:
    after = at.options.get("after", "bytes")
    if after == "silence":
        return replace(script, no_reply=True)
    if after == "headers":
        return replace(script, cut_after=0)
    if after == "partial":
        first = next((len(piece.data) for piece in script.pieces if piece.kind == "partial"), 0)
        return replace(script, cut_after=first)
    total = sum(len(piece.data) for piece in script.pieces)
    return replace(script, cut_after=int(at.number("bytes", total // 2)))


def _refuse(refused: Callable[[Context], Refused], when: Callable[[Context], float] | None = None) -> Fault:
    def fault(script: Script, at: Context) -> Script:  # noqa: ARG001
        return s.refusal(refused(at), at.timing.refusal_s if when is None else when(at))

    return fault


def rate_limited(limit: int, used: int, asked: int, wait_s: float, *, type: str = "input-images") -> Refused:
    """The images-per-minute refusal, with the headers that tell when to come back."""
    whole_s = math.ceil(wait_s)  # never too early: who comes back then must be let in
    message = (
        f"Rate limit reached for gpt-image-2 (for limit gpt-image) in organization org-simulated on {type} per min: "
        f"Limit {limit}, Used {used}, Requested {asked}. Please try again in {whole_s}s. "
        "Visit https://platform.openai.com/account/rate-limits to learn more."
    )
    headers = {
        "retry-after": f"{max(whole_s, 1)}",
        "retry-after-ms": f"{math.ceil(wait_s * 1000)}",
        "x-ratelimit-limit-input-images": str(limit),
        "x-ratelimit-remaining-input-images": str(max(limit - used, 0)),
        "x-ratelimit-reset-input-images": f"{wait_s:.3f}s",
    }
    return Refused(429, message, type=type, code="rate_limit_exceeded", headers=headers)


def too_large(limit: int, asked: int) -> Refused:
    """More images in one request than the limit ever lets through: no waiting helps, so none is advised."""
    message = (
        "Request too large for gpt-image-2 (for limit gpt-image) in organization org-simulated on input-images per "
        f"min: Limit {limit}, Requested {asked}. You can increase your rate limit by adding a payment method to your "
        "account."
    )
    return Refused(429, message, type="input-images", code="rate_limit_exceeded")


def _429(script: Script, at: Context) -> Script:  # noqa: ARG001
    variant = at.options.get("kind", "images")
    wait_s = at.number("retry_after", 12)
    if variant == "limit0":
        refused = too_large(0, at.shape.n)
    elif variant == "slow_down":
        message = f"You've exceeded the rate limit, please slow down and try again after {wait_s:.2f} seconds."
        refused = Refused(429, message, code="rate_limit_exceeded", headers={"retry-after": f"{math.ceil(wait_s)}"})
    elif variant == "quota":
        message = "You exceeded your current quota, please check your plan and billing details."
        refused = Refused(429, message, type="insufficient_quota", code="insufficient_quota")
    else:
        refused = rate_limited(5, 5, at.shape.n, wait_s)
    return s.refusal(refused, at.timing.refusal_s)


def _moderation(stage: str) -> Callable[[Context], Refused]:
    def refused(at: Context) -> Refused:
        message = (
            "Your request was rejected by the safety system. If you believe this is an error, contact us at "
            f"help.openai.com and include the request ID {at.request_id}. safety_violations=[violence]."
        )
        details = {"moderation_stage": stage, "categories": ["violence"]}
        return Refused(
            400,
            message,
            type="image_generation_user_error",
            code="moderation_blocked",
            moderation_details=details,
        )

    return refused


def _server_error(at: Context) -> Refused:
    message = (
        "An error occurred while processing your request. You can retry your request, or contact us through our help "
        "center at help.openai.com if the error persists. Please include the request ID "
        f"{at.request_id} in your message."
    )
    return Refused(500, message, type="server_error", code="server_error")


def _overloaded(at: Context) -> Refused:  # noqa: ARG001
    message = "Our servers are currently overloaded. Please try again later."
    return Refused(503, message, type="service_unavailable_error", code="server_is_overloaded")


def _billing(at: Context) -> Refused:  # noqa: ARG001
    message = "Billing hard limit has been reached."
    return Refused(400, message, type="billing_limit_user_error", code="billing_hard_limit_reached")


def _unverified(at: Context) -> Refused:
    message = (
        f"Your organization must be verified to use the model `{at.shape.model}`. Please go to: "
        "https://platform.openai.com/settings/organization/general and click on Verify Organization. If you just "
        "verified, it can take up to 15 minutes for access to propagate."
    )
    return Refused(403, message)


def _html(status: int, title: str) -> Fault:
    def fault(script: Script, at: Context) -> Script:  # noqa: ARG001
        page = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
        headers = {"content-type": "text/html", "server": "cloudflare"}
        when = at.number("s", at.timing.refusal_s)
        return Script(status, headers, when, (Piece(when, Rope(page.encode()), "body"),), None)

    return fault


def _silent_end(script: Script, at: Context) -> Script:  # noqa: ARG001
    return script.with_pieces([piece for piece in script.pieces if piece.kind != "completed"])


def _as_json(script: Script, at: Context) -> Script:  # noqa: ARG001
    return s.plain(at.shape, at.timing, 0, 0)


def _stream_error(body: dict[str, object]) -> Fault:
    def fault(script: Script, at: Context) -> Script:
        kept = [piece for piece in script.pieces if piece.kind == "partial"]
        data = f"event: error\ndata: {json.dumps(body)}\n\n".encode()
        return replace(script, made_s=None).with_pieces([*kept, Piece(at.timing.done_s, Rope(data))])

    return fault


def _every(seconds: float, data: bytes) -> Fault:
    def fault(script: Script, at: Context) -> Script:
        gap = max(at.number("every", seconds), 0.01)
        count = int(at.timing.done_s / gap)
        filler = [Piece(gap * (i + 1), Rope(data)) for i in range(count) if gap * (i + 1) < at.timing.done_s]
        early = min(script.headers_s, at.timing.moderation_s)
        return replace(script, headers_s=early).with_pieces([*filler, *script.pieces])

    return fault


def _mapped(change: Callable[[bytes], bytes]) -> Fault:
    def fault(script: Script, at: Context) -> Script:  # noqa: ARG001
        return script.with_pieces([replace(piece, data=Rope(change(bytes(piece.data)))) for piece in script.pieces])

    return fault


def _done(script: Script, at: Context) -> Script:
    return script.with_pieces([*script.pieces, Piece(at.timing.done_s + 0.001, Rope(b"data: [DONE]\n\n"))])


def _no_blank_line(script: Script, at: Context) -> Script:  # noqa: ARG001
    last = script.pieces[-1]
    return script.with_pieces([*script.pieces[:-1], replace(last, data=Rope(bytes(last.data).rstrip(b"\n"), b"\n"))])


def _body(data: bytes, content_type: str) -> Fault:
    def fault(script: Script, at: Context) -> Script:
        headers = {**script.headers, "content-type": content_type}
        piece = Piece(at.timing.done_s, Rope(data), "body")
        return replace(script, headers=headers, headers_s=at.timing.done_s, pieces=(piece,))

    return fault


def _truncated(script: Script, at: Context) -> Script:
    def halve(data: bytes) -> bytes:
        picture = s.encoded(at.shape, 0)
        head, found, tail = data.partition(b'"b64_json": "')
        return head + found + picture[: len(picture) // 2 - 1] + tail[tail.find(b'"') :] if found else data

    return _mapped(halve)(script, at)


def _other(**changes: str) -> Fault:
    def fault(script: Script, at: Context) -> Script:
        shape = replace(at.shape, **changes)  # type: ignore[arg-type]
        wrong = s.encoded(shape, 0)

        def swap(data: bytes) -> bytes:
            head, found, tail = data.partition(b'"b64_json": "')
            return head + found + wrong + tail[tail.find(b'"') :] if found else data

        return _mapped(swap)(script, at)

    return fault


def _other_format(script: Script, at: Context) -> Script:
    return _other(output_format="png" if at.shape.output_format == "jpeg" else "jpeg")(script, at)


def _drip(script: Script, at: Context) -> Script:
    rate = max(at.number("bytes_per_s", 100_000), 1)
    pieces: list[Piece] = []
    free_s = 0.0  # when the line has carried everything before
    for piece in script.pieces:
        free_s = max(free_s, piece.at_s)
        for start in range(0, len(piece.data), DRIP_STEP):
            part = piece.data.between(start, start + DRIP_STEP)
            free_s += len(part) / rate
            pieces.append(Piece(free_s, part, piece.kind, piece.index))
    return script.with_pieces(pieces)


def applied(name: str, script: Script, at: Context) -> Script:
    """The answer after the fault; a refusal when there is no such fault."""
    if name not in FAULTS:
        return s.refusal(Refused(400, f"x-sim-fault: there is no fault {name[:40]!r}"), 0.2)
    return FAULTS[name](script, at)


FAULTS: dict[str, Fault] = {
    "delay": _delay,
    "cut": _cut,
    "429": _429,
    "500": _refuse(_server_error),
    "503": _refuse(_overloaded),
    "520html": _html(520, "520: Web server is returning an unknown error"),
    "524html": _html(524, "524: A timeout occurred"),
    "moderation_input": _refuse(_moderation("input"), lambda at: at.timing.moderation_s),
    "moderation_output": _refuse(_moderation("output"), lambda at: at.timing.done_s),
    "billing_hard_limit": _refuse(_billing),
    "org_unverified": _refuse(_unverified),
    "silent_end": _silent_end,
    "json_instead_of_sse": _as_json,
    "stream_error_a": _stream_error(
        {
            "type": "error",
            "error": {"type": "server_error", "code": "server_error", "message": "It broke.", "param": None},
        }
    ),
    "stream_error_b": _stream_error(
        {"type": "error", "code": "server_error", "message": "It broke.", "param": None, "sequence_number": 3}
    ),
    "comments": _every(15, b": keep-alive\n\n"),
    "keepalive_events": _every(30, b'event: keepalive\ndata: {"type":"keepalive","sequence_number":1}\n\n'),
    "whitespace_keepalive": _every(15, b" \n"),
    "done_sentinel": _done,
    "data_only_frames": _mapped(lambda data: b"".join(x for x in data.splitlines(True) if x[:6] != b"event:")),
    "no_final_blank_line": _no_blank_line,
    "empty_200": _body(b'{"created": 1, "data": []}', "application/json"),
    "html_200": _body(b"<html><body>ok</body></html>", "text/html"),
    "truncated_b64": _truncated,
    "wrong_size": _other(size="1264x1264"),
    "wrong_format": _other_format,
    "drip": _drip,
}


def parse(text: str) -> tuple[str, Options]:
    """``name;key=value;…`` → name and options."""
    name, *rest = text.split(";")
    pairs = (part.partition("=") for part in rest)
    return name.strip(), {key.strip(): value.strip() for key, _, value in pairs}


def chosen(world: World, shape: Shape, entry: str, dice: random.Random) -> str | None:
    """The fault that the world's configuration plans for this request, if any."""
    for fault in world.faults:
        wanted = {"quality": shape.quality, "size": shape.size, "entry": entry, "stream": shape.stream}
        matches = all(getattr(fault, name) in (None, value) for name, value in wanted.items())
        if matches and dice.random() < fault.share:
            return fault.fault
    return None
