"""What the API says when it does not do the work, in its own words, as faults and from its limits."""

from __future__ import annotations

import math
from collections.abc import Callable

from harness.simulator import script as s
from harness.simulator.context import Context, Fault
from harness.simulator.requests import Refused
from harness.simulator.script import Script


def refuse(refused: Callable[[Context], Refused], when: Callable[[Context], float] | None = None) -> Fault:
    """A fault that answers with a refusal instead."""

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
        f"x-ratelimit-limit-{type}": str(limit),
        f"x-ratelimit-remaining-{type}": str(max(limit - used, 0)),
        f"x-ratelimit-reset-{type}": f"{wait_s:.3f}s",
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


def limited(script: Script, at: Context) -> Script:  # noqa: ARG001
    """429 in one of its many wordings (`kind`)."""
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


def moderation(stage: str) -> Callable[[Context], Refused]:
    """The safety system says no, to the prompt at once or to the image after all of its time."""

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


def server_error(at: Context) -> Refused:
    """500."""
    message = (
        "An error occurred while processing your request. You can retry your request, or contact us through our help "
        "center at help.openai.com if the error persists. Please include the request ID "
        f"{at.request_id} in your message."
    )
    return Refused(500, message, type="server_error", code="server_error")


def overloaded(at: Context) -> Refused:  # noqa: ARG001
    """503."""
    message = "Our servers are currently overloaded. Please try again later."
    return Refused(503, message, type="service_unavailable_error", code="server_is_overloaded")


def too_late(at: Context) -> Refused:  # noqa: ARG001
    """504 of the API itself: something behind it took too long. No proxy in front had a part in it."""
    message = "The engine did not answer in time. Please try again later."
    return Refused(504, message, type="server_error", code="engine_timeout")


def billing(at: Context) -> Refused:  # noqa: ARG001
    """A limit of spending, which is a 400."""
    message = "Billing hard limit has been reached."
    return Refused(400, message, type="billing_limit_user_error", code="billing_hard_limit_reached")


def unverified(at: Context) -> Refused:
    """403: the organization has to show who it is first."""
    message = (
        f"Your organization must be verified to use the model `{at.shape.model}`. Please go to: "
        "https://platform.openai.com/settings/organization/general and click on Verify Organization. If you just "
        "verified, it can take up to 15 minutes for access to propagate."
    )
    return Refused(403, message)
