"""Public cases, transcribed to evidence as far as their text gives it: each ends in its own cause or in undetermined.

The cases and their links are those of issues and forum threads of 2025 and 2026. What a text does not give (a header, a
body) is not in the evidence either; the right answer then is often "undetermined", and naming another layer is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from harness.conditions import LayerCap
from harness.diagnosis.judge import judge
from harness.events import ApiError, ImageCheck, JobEvent, Usage
from harness.frame import frame_of
from tests.diagnosis.test_attribution import conditions, event

NOBODY = "a layer not named by the evidence"
LEFT_OPEN = {("undetermined", None)}


@dataclass(frozen=True)
class Case:
    """One public case. `right` are (verdict, product) that its label allows; undetermined is always allowed."""

    id: str
    link: str
    label: str
    events: tuple[JobEvent, ...]
    right: frozenset[tuple[str, str | None]] = frozenset()
    chain: tuple[LayerCap, ...] = ()
    decided: bool = False  # the text gives enough: undetermined would be too little


def case(
    id: str, link: str, label: str, *events: JobEvent, right: Sequence[tuple[str, str | None]] = (), **more: Any
) -> Case:
    return Case(id, link, label, events, frozenset(right), **more)


def job(event_: JobEvent, **changes: Any) -> JobEvent:
    return msgspec.structs.replace(event_, **changes)


def image(number: int, took_s: float, **changes: Any) -> JobEvent:
    """A job that brought its image."""
    came = event(number, cut_s=took_s, status=200, body_kind="json")
    end = took_s * 1000
    clocks = {"wait_ms": end - 100, "final_image_ms": end, "delivered_ms": end, "total_ms": end, "download_ms": 50.0}
    return job(came, outcome="image", ended="complete", **{**clocks, **changes})


def message(text: str, **more: Any) -> ApiError:
    return ApiError(message=text, message_chars=len(text), **more)


def several(count: int, **evidence: Any) -> tuple[JobEvent, ...]:
    """The same end again and again, as close together as timers are."""
    cut_s = evidence.pop("cut_s")
    return tuple(event(n, cut_s=cut_s * (1 + 0.0004 * n), **evidence) for n in range(1, count + 1))


AZURE = message("The operation was timeout.", code="Timeout")
CASES = (
    case("R01", "https://learn.microsoft.com/en-us/answers/a/12770558", "Azure's front door, idle for 60 s",
         event(1, cut_s=60.19, status=408, body_kind="json", error=AZURE, ids={"apim-request-id": "a-1"},
               headers={"content-type": "application/json"}),
         event(2, cut_s=60.26, status=408, body_kind="json", error=AZURE, ids={"apim-request-id": "a-2"}),
         right=[("false_timeout", "azure"), ("false_timeout", "azure_openai")], decided=True),
    case("R03", "openclaw#71705", "the application's own constant of 180 s",
         event(1, cut_s=180.0, status=None, ended="local_cap", cap="total", cap_ms=180_000.0, failure=("TimeoutError",)),  # noqa: E501
         right=[("false_timeout", "harness")], decided=True),
    case("R05", "api.comfy.org thread", "a proxy's idle cap of 60.1 s, and the client's retries",
         *several(4, cut_s=60.1, status=None), right=[("false_timeout", None)]),
    case("R07", "relay behind Cloudflare", "a CDN's cap of 126 s",
         *several(6, cut_s=126.0, status=None), right=[("false_timeout", None), ("false_timeout", "cloudflare")]),
    case("R09", "frontend behind Cloudflare", "a CDN's cap of 100 s, seen as a failed fetch",
         event(1, cut_s=100.4, status=None, failure=("TypeError",)), right=[("false_timeout", "cloudflare")]),
    case("R11", "https://github.com/DEEIX-AI/DEEIX-Chat/issues/326", "the application's cap on its upstream, 60 s",
         event(1, cut_s=60.3, status=500, body_kind="json", error=message("upstream timeout"))),
    case("R13", "Vercel forum", "the platform's cap on a function, 60 s",
         event(1, cut_s=60.4, status=504, body_kind="text", headers={"x-vercel-error": "FUNCTION_INVOCATION_TIMEOUT"},
               body_head="An error occurred with your deployment\n\nFUNCTION_INVOCATION_TIMEOUT\n"),
         right=[("false_timeout", "vercel")], decided=True,
         chain=(LayerCap(layer="function", product="vercel", kind="total", cap_s=60, setting="maxDuration"),)),
    case("R17", "reverse route", "the route's own cap on polling, 120 s",
         job(event(1, cut_s=120.0, status=200, ended="local_cap", cap="poll", cap_ms=120_000.0), outcome="cut"),
         right=[("false_timeout", "harness")], decided=True),
    case("R19", "Codex thread", "the provider's backend or edge; nobody knows", event(1, cut_s=241.0, status=None),
         event(2, cut_s=287.0, status=None), event(3, cut_s=300.5, status=None)),
    case("R21", "issue 461", "a path over IPv6 that leads nowhere",
         image(1, 140.0, connect_ms=127_000.0, wait_ms=12_000.0), right=[("connect_delay", None)], decided=True),
    case("R23", "https://github.com/QuantumNous/new-api/issues/1234", "a gateway dropped a parameter",
         event(1, cut_s=1.2, status=400, body_kind="json",
               error=message("Streaming must have non-zero partial images.", type="image_generation_user_error",
                             param="tools")),
         right=[("parameter_mismatch", None), ("parameter_dropped", None)], decided=True),
    case("R25", "proxy with a header timeout", "a gateway's cap of 5 s on headers",
         *several(6, cut_s=5.0, body_head="Gateway Timeout"), right=[("false_timeout", None)]),
    case("R27", "official relay", "slow, and nothing else", image(1, 204.0), image(2, 197.0),
         right=[("long_model_wait", None)], decided=True),
    case("R29", "pollinations", "the provider's own CDN, 124.5 s",
         event(1, cut_s=124.466, status=524, body_kind="html", headers={"server": "cloudflare"}, ids={"cf-ray": "r-1"},
               body_head="<!DOCTYPE html>\n<title>api.example.com | 524: A timeout occurred</title>"),
         right=[("false_timeout", "cloudflare")]),
    case("R31", "relay's own documentation", "a silent downgrade to medium",
         image(1, 80.0, quality="high", size="1536x2048", resolved_quality="medium", resolved_size="1536x2048",
               usage=Usage(output_tokens=2223),
               images=(ImageCheck(image_bytes=10, format="png", width=1536, height=2048),)),
         right=[("silent_downgrade", None)], decided=True),
    case("R33", "browser over a relay", "a proxy's idle cap of about 60 s",
         event(1, cut_s=60.9, status=None, failure=("TypeError",)), event(2, cut_s=62.0, status=None),
         right=[("false_timeout", None)]),
    case("R35", "codex-lb", "the provider's own error, handed on",
         event(1, cut_s=40.0, status=200, body_kind="sse",
               error=message("An error occurred while processing your request.", type="server_error", in_stream=True))),
    case("R37", "reverse pool", "inputs that are too large",
         event(1, cut_s=3.0, status=500, body_kind="json", error=message("Unknown error", code="shell_api_error"))),
)  # fmt: skip


@pytest.mark.parametrize("one", CASES, ids=lambda one: one.id)
def test_a_public_case_ends_in_its_own_cause_or_in_undetermined_and_never_in_another_layer(one: Case) -> None:
    _, verdicts = judge(frame_of(one.events), conditions(*one.chain))
    for verdict in verdicts:
        product = verdict.product if verdict.verdict == "false_timeout" else None
        said = (verdict.verdict, product)
        if verdict.verdict == "false_timeout" and product is None:
            assert verdict.layer in (NOBODY, None), verdict  # a timer, and nobody accused
        allowed = one.right | (frozenset() if one.decided else frozenset({("undetermined", None)}))
        assert said in allowed, (one.label, verdict)


def test_a_download_that_fails_at_its_own_constant_is_no_generation_that_failed() -> None:
    """R15: the link came at 52.4 s, and the download of it was given up after 30 s."""
    marks = msgspec.structs.replace(
        event().attempts[0].marks, final_image_at_ms=52_390.0, download_began_at_ms=52_400.0, ended_at_ms=82_400.0
    )
    cut = event(1, cut_s=82.4, status=200, ended="remote_closed", marks=marks)
    cut = job(cut, outcome="cut", final_image_ms=52_390.0)
    _, verdicts = judge(frame_of([cut]), conditions())
    assert verdicts[0].verdict in ("link_expired", "undetermined")
