"""What Azure says when it does not do the work, in its own words."""

from __future__ import annotations

import math
import time
import uuid
from dataclasses import replace

from harness.simulator import refusals
from harness.simulator import script as s
from harness.simulator.context import Context
from harness.simulator.requests import Refused
from harness.simulator.script import Script
from harness.simulator.signatures import page

SILENCE_S = 60.0  # its gateway's patience, measured
NOT_FOUND = {"error": {"code": "404", "message": "Resource not found"}}
NO_ACCESS = {
    "error": {
        "code": "401",
        "message": "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid "
        "key for an active subscription and use a correct regional API endpoint for your resource.",
    }
}
NO_DEPLOYMENT = {
    "error": {"code": "BadRequest", "message": "The request is invalid."}
}  # as little as the real one says


def silence_408(script: Script, at: Context) -> Script:
    """Its gateway gives up after a minute without a byte of the body. The image is made all the same, and billed."""
    patience_s = at.number("s", SILENCE_S)
    first_s = min((piece.at_s for piece in script.pieces), default=math.inf)
    if first_s <= patience_s:
        return replace(script, headers_s=first_s)  # nothing leaves before the body does
    gone = page("azure", patience_s, at.request_id)
    data = s.with_pictures(gone.body.decode())
    return replace(
        script,
        status=gone.status,
        headers=gone.headers,
        headers_s=patience_s,
        pieces=(s.Piece(patience_s, data, "body"),),
        ends_s=patience_s,
    )


def content_filter(script: Script, at: Context) -> Script:  # noqa: ARG001
    """The safety system, as documented (`shape=a`) or as seen with gpt-image-2 (`shape=b`); `stage` as usual."""
    stage = at.options.get("stage", "input")
    when_s = at.timing.done_s if stage == "output" else at.timing.moderation_s
    if at.options.get("shape", "a") == "b":
        refused = refusals.moderation(stage)(at)
        error = refused.body["error"]
        support = f"contact us at Azure support ticket and include the request ID {at.request_id}"
        error["message"] = error["message"].replace(
            f"contact us at help.openai.com and include the request ID {at.request_id}", support
        )
        return s.refusal(refused, when_s)
    what = "Generated image was filtered" if stage == "output" else "Your task failed"
    body = {
        "created": int(time.time()),
        "error": {"code": "contentFilter", "message": f"{what} as a result of our safety system."},
    }
    return s.refusal(Refused.saying(400, body), when_s)


def quota(at: Context) -> Refused:
    """A limit per minute that calls itself a quota."""
    wait_s = at.number("retry_after", 12)
    message = "You exceeded your current quota, please check your plan and billing details."
    headers = {"retry-after": f"{math.ceil(wait_s)}", "retry-after-ms": f"{math.ceil(wait_s * 1000)}"}
    return Refused(429, message, type="insufficient_quota", code="insufficient_quota", headers=headers)


def session(request_id: str) -> str:
    """An id of the model's session, made of the request's."""
    return f"d{uuid.uuid5(uuid.NAMESPACE_OID, request_id).hex[:15]}"
