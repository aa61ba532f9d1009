"""Faults: each rewrites a planned answer. To add one, write a function and give it a name in `FAULTS`.

Chosen by the world's configuration for a share of requests, or by the header ``x-sim-fault: name[;key=value…]``.
"""

from __future__ import annotations

import json
import random
from dataclasses import replace

from harness.simulator import azure_words, refusals, responses, spoiled, talking
from harness.simulator import script as s
from harness.simulator.context import Context, Fault, Options
from harness.simulator.refusals import refuse
from harness.simulator.requests import Refused, Shape
from harness.simulator.rope import Rope
from harness.simulator.script import Piece, Script
from harness.simulator.world import World

DRIP_STEP = 65_536


def _delay(script: Script, at: Context) -> Script:
    return s.later(script, at.number("s", 30))


def _stall(script: Script, at: Context) -> Script:
    """The headers leave after the input check, and then comes nothing for so much longer."""
    return replace(s.later(script, at.number("s", 30)), headers_s=min(script.headers_s, at.timing.moderation_s))


def _cut(script: Script, at: Context) -> Script:
    after = at.options.get("after", "bytes")
    if "s" in at.options:  # the connection breaks that early, headers are half as late; the work goes on as planned
        early_s = at.number("s", 0)
        sooner = s.later(script, early_s - script.headers_s)
        headers_s = early_s if after == "silence" else early_s / 2
        script = replace(sooner, headers_s=headers_s, made_s=script.made_s, ends_s=script.ends_s)
    if after == "silence":
        return replace(script, no_reply=True)
    if after == "headers":
        return replace(script, cut_after=0)
    if after == "partial":
        first = next((len(piece.data) for piece in script.pieces if piece.kind == "partial"), 0)
        return replace(script, cut_after=first)
    total = sum(len(piece.data) for piece in script.pieces)
    return replace(script, cut_after=int(at.number("bytes", total // 2)))


def _html(status: int, title: str) -> Fault:
    def fault(script: Script, at: Context) -> Script:  # noqa: ARG001
        page = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
        headers = {"content-type": "text/html", "server": "cloudflare"}
        when = at.number("s", at.timing.refusal_s)
        return Script(status, headers, when, (Piece(when, Rope(page.encode()), "body"),), None)

    return fault


def _silent_end(script: Script, at: Context) -> Script:  # noqa: ARG001
    return script.with_pieces([piece for piece in script.pieces if piece.kind not in {"completed", "end"}])


def _as_json(script: Script, at: Context) -> Script:  # noqa: ARG001
    if at.shape.api == "responses":
        return responses.Talk(at.shape, at.timing, 0, at.request_id).plain(0)
    return s.plain(at.shape, at.timing, 0, 0)


def _stream_error(body: dict[str, object]) -> Fault:
    def fault(script: Script, at: Context) -> Script:
        if at.shape.api == "responses":
            event = {name: value for name, value in body.items() if name not in {"type", "sequence_number"}}
            return responses.with_end(script, at.timing.done_s, ("error", event))
        kept = [piece for piece in script.pieces if piece.kind == "partial"]
        data = f"event: error\ndata: {json.dumps(body)}\n\n".encode()
        return replace(script, made_s=None).with_pieces([*kept, Piece(at.timing.done_s, Rope(data))])

    return fault


def _every(seconds: float, data: bytes) -> Fault:
    def fault(script: Script, at: Context) -> Script:
        gap_s = max(at.number("every", seconds), 0.01)
        return s.with_filler(script, gap_s, data, at.timing.done_s, at.timing.moderation_s)

    return fault


def _done(script: Script, at: Context) -> Script:
    last_s = max((piece.at_s for piece in script.pieces), default=at.timing.done_s)
    return script.with_pieces([*script.pieces, Piece(last_s + 0.001, Rope(b"data: [DONE]\n\n"))])


def _no_blank_line(script: Script, at: Context) -> Script:  # noqa: ARG001
    last = script.pieces[-1]
    return script.with_pieces([*script.pieces[:-1], replace(last, data=Rope(bytes(last.data).rstrip(b"\n"), b"\n"))])


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
    "stall": _stall,
    "cut": _cut,
    "429": refusals.limited,
    "500": refuse(refusals.server_error),
    "503": refuse(refusals.overloaded),
    "504": refuse(refusals.too_late),
    "520html": _html(520, "520: Web server is returning an unknown error"),
    "524html": _html(524, "524: A timeout occurred"),
    "moderation_input": refuse(refusals.moderation("input"), lambda at: at.timing.moderation_s),
    "moderation_output": refuse(refusals.moderation("output"), lambda at: at.timing.done_s),
    "billing_hard_limit": refuse(refusals.billing),
    "org_unverified": refuse(refusals.unverified),
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
    "data_only_frames": spoiled.mapped(lambda data: b"".join(x for x in data.splitlines(True) if x[:6] != b"event:")),
    "no_final_blank_line": _no_blank_line,
    "empty_200": spoiled.body(b'{"created": 1, "data": []}', "application/json"),
    "html_200": spoiled.body(b"<html><body>ok</body></html>", "text/html"),
    "error_in_200": spoiled.error_in_200,
    "truncated_b64": spoiled.truncated,
    "blank_image": spoiled.blank,
    "not_an_image": spoiled.not_an_image,
    "wrong_count": spoiled.wrong_count,
    "misspelled": spoiled.misspelled,
    "wrong_size": spoiled.other(size="1264x1264"),
    "wrong_format": spoiled.other_format,
    "drip": _drip,
    "response_failed": talking.response_failed,
    "keepalive_then_failed": talking.keepalive_then_failed,
    "item_failed": talking.item_failed,
    "azure_408": azure_words.silence_408,
    "azure_quota": refuse(azure_words.quota),
    "content_filter": azure_words.content_filter,
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
