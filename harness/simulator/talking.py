"""Faults of the Responses API: what breaks says so in an event or in the Response itself, with HTTP status 200."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from harness.simulator import refusals
from harness.simulator import script as s
from harness.simulator.context import Context, Fault
from harness.simulator.requests import Refused
from harness.simulator.responses import Talk, with_end
from harness.simulator.rope import Rope
from harness.simulator.script import Piece, Script


def _in_responses(name: str, change: Callable[[Script, Context, Talk], Script]) -> Fault:
    def fault(script: Script, at: Context) -> Script:
        if at.shape.api != "responses":
            return s.refusal(Refused(400, f"x-sim-fault: {name} is a fault of /v1/responses"), 0.2)
        return change(script, at, Talk(at.shape, at.timing, int(time.time()), at.request_id))

    return fault


def _whole(script: Script, at_s: float, response: dict[str, Any]) -> Script:
    """A Response object as the one body of a plain answer; no image is made."""
    return replace(
        script, made_s=None, headers_s=at_s, pieces=(Piece(at_s, Rope(json.dumps(response).encode()), "body"),)
    )


def _failed(script: Script, at: Context, talk: Talk) -> Script:
    code = at.options.get("code", "server_error")
    response = talk.response(
        "failed", [], {"code": code, "message": refusals.server_error(at).body["error"]["message"]}
    )
    if not s.is_stream(script):
        return _whole(script, at.timing.done_s, response)
    return with_end(script, at.timing.done_s, ("response.failed", {"response": response}))


def _shed(script: Script, at: Context, talk: Talk) -> Script:
    error = refusals.overloaded(at).body["error"]
    response = talk.response("failed", [], {"code": error["code"], "message": error["message"]})
    if not s.is_stream(script):
        return _whole(script, at.timing.done_s, response)
    told = {name: error[name] for name in ("code", "message", "param")}
    failed = ("response.failed", {"response": response})
    return with_end(script, at.timing.done_s, ("keepalive", {}), ("error", told), failed)


def _item(script: Script, at: Context, talk: Talk) -> Script:
    """The image is refused once it is made, and the text model ends in peace."""
    item = talk.item("failed", error=refusals.moderation("output")(at).body["error"])
    response = talk.response("completed", [item])
    response["tool_usage"]["image_gen"].update(output_tokens=0, total_tokens=0, input_tokens=0)
    if not s.is_stream(script):
        return _whole(script, at.timing.done_s, response)
    done = ("response.output_item.done", {"output_index": 0, "item": item})
    return with_end(script, at.timing.done_s, done, ("response.completed", {"response": response}))


response_failed = _in_responses("response_failed", _failed)
keepalive_then_failed = _in_responses("keepalive_then_failed", _shed)
item_failed = _in_responses("item_failed", _item)
