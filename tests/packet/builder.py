"""A realistic run directory for tests: four routes, the ways a job can go wrong, and values that must not leave."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from harness.conditions import (
    EVENTS_FILE,
    Caps,
    Host,
    LayerCap,
    RouteConditions,
    RunConditions,
    write_conditions,
)
from harness.diagnosis.model import Decision, Diagnosis, EvidenceRow, Finding, JobVerdict, write_diagnosis
from harness.diagnosis.verdicts import Verdicts
from harness.events import (
    AddressTry,
    ApiError,
    Attempt,
    ImageCheck,
    JobEvent,
    Marks,
    Span,
    Usage,
    to_line,
)

PROMPT = "Draw the unreleased Falcon prototype for Example Motors, customer 4711, on a red cliff"
API_ID = "req_0123456789abcdef0123456789abcdef"
UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
OUR_ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
RAY = "95fb86278f70e0d3-MUC"
NGINX_PAGE = (
    "<html><head><title>504 Gateway Time-out</title></head><body><hr><center>nginx/1.22.1</center></body></html>"
)


def marks(start: float = 0.0, end: float = 60_012.5, **more: Any) -> Marks:
    given: dict[str, Any] = {
        "started_at_ms": start,
        "pool_acquired_at_ms": start + 0.2,
        "dns_done_at_ms": start + 1.4,
        "tcp_connected_at_ms": start + 12.0,
        "tls_done_at_ms": start + 31.0,
        "request_sent_at_ms": start + 32.5,
        "ended_at_ms": end,
        "last_byte_at_ms": end,
    }
    return Marks(**{**given, **more})


def attempt(number: int = 1, **more: Any) -> Attempt:
    given: dict[str, Any] = {
        "number": number,
        "client_request_id": OUR_ID,
        "marks": marks(first_byte_at_ms=60_011.0, headers_at_ms=60_011.5, body_end_at_ms=60_012.5),
        "ended": "complete",
        "http_version": "HTTP/1.1",
        "bytes_up": 812,
        "bytes_down": 4321,
        "connection_reused": False,
        "addresses": (AddressTry(family="ipv4", connected=True, tcp_ms=10.6),),
        "longest_silence_ms": 59_978.0,
    }
    return Attempt(**{**given, **more})


def event(job_id: str, **more: Any) -> JobEvent:
    given: dict[str, Any] = {
        "run_id": "run-20261120-falcon",
        "job_id": job_id,
        "cell": "edge/high/2048x2048",
        "block": 1,
        "position": 3,
        "request_started_at": "2026-11-20T10:15:30.250+02:00",
        "timezone": "Europe/Helsinki",
        "scheduled_at_ms": -4.0,
        "route": "edge-falcon.corp",
        "route_kind": "edge",
        "route_owner": "openai",
        "endpoint": "/v1/images/generations",
        "model": "gpt-image-2",
        "quality": "high",
        "size": "2048x2048",
        "output_format": "jpeg",
        "output_compression": 80,
        "prompt_chars": len(PROMPT),
        "prompt_complexity": "complex",
        "prompt_hash": hashlib.sha256(PROMPT.encode()).hexdigest(),
        "prompt_text": PROMPT,
        "in_flight": 4,
        "outcome": "error",
        "phase": "body_end",
        "ended": "complete",
        "http_status": 504,
        "total_ms": 60_012.5,
        "first_byte_ms": 60_011.0,
        "connect_ms": 30.8,
        "longest_silence_ms": 59_978.0,
        "notes": ("answer_not_json",),
        "attempts": (
            attempt(
                http_status=504,
                headers={"server": "nginx/1.22.1", "content-type": "text/html", "via": "1.1 edge-7.falcon.corp"},
                ids={"cf-ray": RAY, "x-request-id": API_ID},
                request_id=API_ID,
                body_kind="html",
                body_head=NGINX_PAGE,
            ),
        ),
    }
    return JobEvent(**{**given, **more})


def image(job_id: str, final_ms: float = 118_400.0, **more: Any) -> JobEvent:
    """A job that got its image on the direct route."""
    whole = marks(
        end=final_ms,
        first_byte_at_ms=900.0,
        headers_at_ms=901.0,
        first_body_byte_at_ms=final_ms - 300,
        final_image_at_ms=final_ms,
        final_images=(Span(first_byte_at_ms=final_ms - 300, whole_at_ms=final_ms),),
        body_end_at_ms=final_ms,
        rendered_at_ms=final_ms + 40,
    )
    given: dict[str, Any] = {
        "route": "straight",
        "route_kind": "openai",
        "outcome": "image",
        "phase": "rendered",
        "http_status": 200,
        "total_ms": final_ms,
        "final_image_ms": final_ms,
        "first_byte_ms": 900.0,
        "server_ms": 117_000.0,
        "images": (ImageCheck(image_bytes=3_270_588, format="JPEG", width=2048, height=2048),),
        "usage": Usage(total_tokens=14_400, input_tokens=128, output_tokens=14_272),
        "attempts": (
            attempt(
                marks=whole,
                http_status=200,
                ids={"x-request-id": API_ID},
                headers={"openai-processing-ms": "117000", "x-ratelimit-limit-input-images": "50"},
                request_id=API_ID,
                body_kind="json",
            ),
        ),
    }
    return event(job_id, **{**given, **more})


def rate_limited(job_id: str) -> JobEvent:
    message = "Rate limit reached for gpt-image-2 (for limit gpt-image) in organization org-AbCdEf0123456789AbCdEf01"
    limited = attempt(
        marks=marks(end=210.0, first_byte_at_ms=200.0, headers_at_ms=201.0, body_end_at_ms=210.0),
        http_status=429,
        headers={
            "retry-after-ms": "534",
            "x-should-retry": "true",
            "x-ratelimit-limit-requests": "500",
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "6m0.5s",
            "x-ratelimit-limit-input-images": "5",
            "x-ratelimit-remaining-input-images": "0",
            "x-ratelimit-reset-input-images": "120ms",
            "x-ratelimit-limit-falcon-pool": "9",
        },
        request_id=API_ID,
        error=ApiError(
            type="input-images",
            code="rate_limit_exceeded",
            message=message,
            message_chars=240,
            fingerprint="00112233aabbccdd",
        ),
        body_kind="json",
    )
    again = msgspec.structs.replace(limited, number=2, marks=marks(800.0, 1010.0))
    return event(
        job_id,
        route="gateway-eu.falcon.corp",
        route_kind="gateway",
        route_owner="litellm",
        http_status=429,
        error_type="input-images",
        error_code="rate_limit_exceeded",
        retry_count=1,
        retry_reason="429",
        gateway_retries=2,
        total_ms=1010.0,
        attempts=(limited, again),
    )


def moderated(job_id: str) -> JobEvent:
    refused = attempt(
        http_status=400,
        request_id=API_ID,
        error=ApiError(
            type="image_generation_user_error",
            code="moderation_blocked",
            message=f"Your request was rejected by the safety system. Include the request ID {API_ID}.",
            message_chars=190,
            fingerprint="ffeeddccbbaa0099",
            moderation_stage="output",
        ),
        body_kind="json",
    )
    return event(job_id, route="straight", route_kind="openai", http_status=400, attempts=(refused,))


def cut(job_id: str) -> JobEvent:
    broken = attempt(
        marks=marks(end=30_000.0, first_byte_at_ms=500.0, headers_at_ms=501.0, first_event_at_ms=20_000.0,
                    partial_images=(Span(first_byte_at_ms=20_000.0, whole_at_ms=20_400.0),)),
        ended="remote_closed",
        http_status=200,
        failure=("RemoteProtocolError", "FalconProxyError", "ECONNRESET"),
        request_id=API_ID,
        body_kind="sse",
    )  # fmt: skip
    return event(
        job_id, outcome="cut", ended="remote_closed", http_status=200, stream=True, partial_images=2, attempts=(broken,)
    )


def unreachable(job_id: str) -> JobEvent:
    never = attempt(
        marks=Marks(started_at_ms=0.0, pool_acquired_at_ms=0.3, dns_done_at_ms=4.0, ended_at_ms=5000.0),
        ended="connect_failed",
        http_version=None,
        failure=("ConnectTimeout", "gaierror"),
        addresses=(),
    )
    return event(
        job_id,
        route="tier-1",
        route_kind="tier1",
        route_owner="client infrastructure",
        outcome="unreachable",
        ended="connect_failed",
        http_status=None,
        total_ms=5000.0,
        attempts=(never,),
    )


def conditions(**more: Any) -> RunConditions:
    chain = (
        LayerCap(layer="edge-7.falcon.corp", product="cloudflare", kind="idle", cap_s=120.0),
        LayerCap(
            layer="ingress-falcon", product="nginx", kind="first_byte", cap_s=60.0, setting="proxy_read_timeout"
        ),
        LayerCap(layer="falcon-relay", kind="total", cap_s=300.0, setting="FALCON_TOTAL"),
    )  # fmt: skip
    given: dict[str, Any] = {
        "run_id": "run-20261120-falcon",
        "scenario": "falcon-launch-check",
        "why": "Example Motors complains",
        "scenario_sha256": "ab" * 32,
        "seed": 7,
        "started_at": "2026-11-20T10:00:00+02:00",
        "timezone": "Europe/Helsinki",
        "planned_jobs": 8,
        "blocks": 2,
        "routes": (
            RouteConditions(name="straight", kind="openai", owner="openai", direct=True),
            RouteConditions(name="edge-falcon.corp", kind="edge", owner="openai", chain=chain),
            RouteConditions(name="gateway-eu.falcon.corp", kind="gateway", owner="litellm"),
            RouteConditions(name="tier-1", kind="tier1", owner="client infrastructure"),
        ),
        "caps": Caps(connect_s=5.0, total_s=600.0),
        "concurrency": 4,
        "host": Host(python="3.11.2", platform="Linux-6.1-falcon", cpus=2, openai_sdk="3.52.0", harness="0.1.0"),
    }
    return RunConditions(**{**given, **more})


def verdicts() -> list[JobVerdict]:
    layer: dict[str, Any] = {
        "layer": "ingress-falcon",
        "product": "nginx",
        "setting": "proxy_read_timeout",
        "cap_s": 60.0,
        "cap_kind": "first_byte",
    }
    fact = EvidenceRow(fact="ingress-falcon answered 504 at 60.0 s for Example Motors")
    return [
        JobVerdict(job_id="j1", verdict="false_timeout", grade="attributed", evidence=(fact,), **layer),
        JobVerdict(job_id="j2", verdict="false_timeout", grade="proven", backend_finished=True, **layer),
        JobVerdict(job_id="j3", verdict="ok"),
        JobVerdict(job_id="j4", verdict="long_model_wait"),
        JobVerdict(job_id="j5", verdict="retry_pressure"),
        JobVerdict(job_id="j6", verdict="moderation_output"),
        JobVerdict(job_id="j7", verdict="incomplete_stream", settle="ask falcon-relay"),
        JobVerdict(job_id="j8", verdict="connect_delay"),
    ]


def diagnosis(**more: Any) -> Diagnosis:
    finding = Finding(
        id="false_timeout",
        title="ingress-falcon gave up",
        state="holds",
        verdict="false_timeout",
        route="edge-falcon.corp",
        jobs=2,
        of_jobs=3,
        grade="proven",
        next_step="ask anna@falcon.example",
        job_ids=("j2",),
    )
    given: dict[str, Any] = {
        "run_id": "run-20261120-falcon",
        "headline": "false_timeout",
        "answer": "ingress-falcon cut Example Motors at 60 s",
        "conclusive": True,
        "counts": {"false_timeout": 2},
        "findings": (finding,),
        "decision": Decision(
            kind="widen_timeout",
            sentence="Widen proxy_read_timeout on ingress-falcon",
            route="edge-falcon.corp",
            layer="ingress-falcon",
            setting="proxy_read_timeout",
            from_s=60.0,
            to_s=300.0,
        ),
    }
    return Diagnosis(**{**given, **more})


def events() -> list[JobEvent]:
    return [
        event("j1"),
        event("j2", request_started_at="2026-11-20T10:25:30+02:00"),
        image("j3"),
        image("j4", 131_000.0),
        rate_limited("j5"),
        moderated("j6"),
        cut("j7"),
        unreachable("j8"),
    ]


def write_run(
    run_dir: Path,
    *,
    jobs: list[JobEvent] | None = None,
    said: list[JobVerdict] | None = None,
    found: Diagnosis | None = None,
    under: RunConditions | None = None,
) -> Path:
    """A diagnosed run directory."""
    run_dir.mkdir(parents=True, exist_ok=True)
    lines = b"".join(to_line(one) for one in (events() if jobs is None else jobs))
    (run_dir / EVENTS_FILE).write_bytes(lines)
    write_conditions(run_dir, conditions() if under is None else under)
    write_diagnosis(
        run_dir, diagnosis() if found is None else found, Verdicts.of(verdicts() if said is None else said).lines()
    )
    return run_dir
