"""Synthetic runs for the reading half: events, conditions and verdicts as the measuring half would leave them.

`demo` looks like the packaged demo: four routes, three qualities, one of the routes behind an nginx that gives up at
60 s while the backend goes on, one gateway that takes 45 s more, one account tier that is limited to few requests.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec

from harness.conditions import (
    EVENTS_FILE,
    Caps,
    Host,
    Hypothesis,
    HypothesisTest,
    LayerCap,
    Objective,
    RouteConditions,
    RunConditions,
    write_conditions,
)
from harness.diagnosis.model import (
    Decision,
    Diagnosis,
    EvidenceRow,
    Finding,
    JobVerdict,
    write_diagnosis,
)
from harness.diagnosis.verdicts import Verdicts
from harness.events import ApiError, Attempt, ImageCheck, JobEvent, Marks, Span, Usage, to_line
from harness.metrics import job_clocks, phase_reached

START = datetime(2026, 3, 2, 9, 30, tzinfo=timezone(timedelta(hours=8)))
PRICE = {"low": 0.006, "medium": 0.053, "high": 0.211}
TOKENS = {"low": 272, "medium": 1056, "high": 4160}
SECONDS = {"low": (5.0, 0.22), "medium": (27.0, 0.16), "high": (195.0, 0.13)}


@dataclass
class Run:
    """What a run directory holds."""

    conditions: RunConditions
    events: list[JobEvent] = field(default_factory=list)
    verdicts: list[JobVerdict] = field(default_factory=list)
    diagnosis: Diagnosis | None = None

    def write(self, directory: Path, torn: bytes = b"") -> Path:
        directory.mkdir(parents=True, exist_ok=True)
        write_conditions(directory, self.conditions)
        (directory / EVENTS_FILE).write_bytes(b"".join(map(to_line, self.events)) + torn)
        write_diagnosis(directory, self.diagnosis or plain_diagnosis(self), Verdicts.of(self.verdicts).lines())
        return directory


def conditions(**changes: Any) -> RunConditions:
    base = RunConditions(
        run_id="run-0302",
        scenario="demo",
        why="Is the slow route slow, or does something on it give up too early?",
        scenario_sha256="5f" * 32,
        seed=7,
        started_at=START.isoformat(),
        finished_at=(START + timedelta(minutes=52)).isoformat(),
        status="complete",
        timezone="+08:00",
        planned_jobs=0,
        blocks=1,
        concurrency=3,
        host=Host(python="3.11.7", platform="Linux x86_64", cpus=2, openai_sdk="3.52.0", harness="0.1.0"),
        routes=(RouteConditions(name="direct", kind="images", owner="openai", direct=True),),
    )
    return msgspec.structs.replace(base, **changes)


def job(
    number: int,
    *,
    route: str = "direct",
    owner: str = "openai",
    quality: str = "low",
    seconds: float = 5.0,
    outcome: str = "image",
    status: int | None = 200,
    stream: bool = False,
    partials_at_s: tuple[float, ...] = (),
    server: str | None = "cloudflare",
    error: ApiError | None = None,
    earlier: tuple[tuple[int, float], ...] = (),
    size: str = "1024x1024",
    block: int = 0,
    cost_basis: str = "usage",
    **changes: Any,
) -> JobEvent:
    """One job whose last attempt lasts `seconds` from the job's start (or, after `earlier`, from its own start).

    `earlier` are attempts before it, as (status, ms at which the next one began).
    """
    rng = random.Random(number)
    began = earlier[-1][1] if earlier else 0.0
    attempts = []
    previous = 0.0
    for index, (early_status, next_at) in enumerate(earlier, start=1):
        marks = Marks(
            started_at_ms=previous,
            pool_acquired_at_ms=previous + 0.2,
            request_sent_at_ms=previous + 1,
            first_byte_at_ms=previous + 180,
            headers_at_ms=previous + 181,
            first_body_byte_at_ms=previous + 182,
            body_end_at_ms=previous + 183,
            ended_at_ms=previous + 183,
        )
        attempts.append(
            Attempt(
                number=index,
                client_request_id=f"c-{number}-{index}",
                marks=marks,
                ended="complete",
                http_status=early_status,
            )
        )
        previous = next_at
    end = began + seconds * 1000
    good = outcome == "image"
    dns, tcp, tls = (began + 0.3 + rng.uniform(4, 30), rng.uniform(15, 40), rng.uniform(20, 60))
    tcp += dns
    tls += tcp
    sent = tls + rng.uniform(0.4, 3)
    download = rng.uniform(250, 600) if good else 1.0
    spans = tuple(Span(first_byte_at_ms=began + at * 1000 - 90, whole_at_ms=began + at * 1000) for at in partials_at_s)
    first = began + rng.uniform(700, 1200) if stream else end - download
    marks = Marks(
        started_at_ms=began,
        pool_acquired_at_ms=began + 0.3,
        dns_done_at_ms=dns,
        tcp_connected_at_ms=tcp,
        tls_done_at_ms=tls,
        request_sent_at_ms=sent,
        first_byte_at_ms=first if status is not None else None,
        headers_at_ms=first + 0.4 if status is not None else None,
        first_body_byte_at_ms=first + 0.6 if status is not None else None,
        first_event_at_ms=spans[0].first_byte_at_ms if spans else None,
        partial_images=spans,
        final_images=(Span(first_byte_at_ms=end - download, whole_at_ms=end),) if good else (),
        final_image_at_ms=end if good else None,
        body_end_at_ms=end if status is not None else None,
        rendered_at_ms=end + rng.uniform(20, 45) if good else None,
        ended_at_ms=end,
    )
    last = Attempt(
        number=len(attempts) + 1,
        client_request_id=f"c-{number}-{len(attempts) + 1}",
        marks=marks,
        ended="complete" if status is not None else "remote_closed",
        http_status=status,
        http_version="HTTP/1.1",
        headers={"server": server} if server else {},
        request_id=f"req_{number:06d}" if good else None,
        error=error,
        server_ms=(seconds - 0.7) * 1000 if good and not stream else None,
        longest_silence_ms=seconds * 1000 - 200,
        connection_reused=False,
    )
    attempts.append(last)
    clocks = job_clocks(attempts)
    tokens = TOKENS[quality] + 100 * len(spans)
    fields: dict[str, Any] = {
        "run_id": "run-0302",
        "job_id": f"j{number:05d}",
        "cell": f"route={route} quality={quality} size={size} stream={str(stream).lower()}",
        "block": block,
        "position": number,
        "request_started_at": (START + timedelta(seconds=number * 12)).isoformat(),
        "timezone": "+08:00",
        "route": route,
        "route_kind": "images",
        "route_owner": owner,
        "endpoint": "images.generate",
        "model": "gpt-image-2",
        "quality": quality,
        "size": size,
        "output_format": "png",
        "stream": stream,
        "partial_images": 2 if stream else None,
        "prompt_chars": 120,
        "prompt_complexity": "medium",
        "prompt_hash": "ab12",
        "in_flight": 1 + number % 3,
        "outcome": outcome,
        "phase": phase_reached(marks),
        "ended": last.ended,
        "http_status": status,
        "error_type": error.type if error else None,
        "error_code": error.code if error else None,
        "request_id": last.request_id,
        "retry_count": len(earlier),
        "retry_reason": "429" if earlier else None,
        **clocks,
        "host_lag_ms": round(rng.uniform(0.2, 4), 3),
        "bytes_up": 900,
        "bytes_down": 1_500_000 if good else 160,
        "images": (ImageCheck(image_bytes=1_100_000, format="png", width=1024, height=1024),) if good else (),
        "usage": Usage(total_tokens=tokens + 40, input_tokens=40, output_tokens=tokens) if good else None,
        "cost_usd": round(PRICE[quality] + 0.003 * len(spans), 6) if good or cost_basis == "maybe_billed" else None,
        "cost_basis": cost_basis,
        "attempts": tuple(attempts),
    }
    return JobEvent(**{**fields, **changes})


def cut_by_nginx(number: int, *, route: str = "edge", quality: str = "high", seconds: float = 60.0, **changes: Any):
    """A job that nginx answered with 504 while the backend went on: its event and its verdict."""
    event = job(
        number,
        route=route,
        owner="reverse",
        quality=quality,
        seconds=seconds,
        outcome="error",
        status=504,
        server="nginx",
        cost_basis="maybe_billed",
        **changes,
    )
    verdict = JobVerdict(
        job_id=event.job_id,
        verdict="false_timeout",
        grade="proven",
        layer="edge-nginx",
        product="nginx",
        setting="proxy_read_timeout",
        cap_s=60,
        cap_kind="first_byte",
        backend_finished=True,
        censored_at_ms=event.total_ms,
        evidence=(EvidenceRow(fact="the backend's record shows the image done after the cut"),),
    )
    return event, verdict


def demo(blocks: int = 10, seed: int = 7) -> Run:
    rng = random.Random(seed)
    run = Run(
        conditions(
            blocks=blocks,
            time_scale=50.0,
            simulated=True,
            simulator_profile="gpt-image-2",
            axes=("route", "quality", "stream"),
            routes=(
                RouteConditions(
                    name="direct",
                    kind="images",
                    owner="openai",
                    direct=True,
                    chain=(LayerCap(layer="sdk", product="openai-python", kind="total", cap_s=600),),
                ),
                RouteConditions(
                    name="edge",
                    kind="images",
                    owner="reverse",
                    chain=(
                        LayerCap(layer="sdk", product="openai-python", kind="total", cap_s=600),
                        LayerCap(
                            layer="edge-nginx",
                            product="nginx",
                            kind="first_byte",
                            cap_s=60,
                            setting="proxy_read_timeout",
                        ),
                    ),
                ),
                RouteConditions(
                    name="gateway",
                    kind="images",
                    owner="acme-gateway",
                    chain=(
                        LayerCap(layer="sdk", product="openai-python", kind="total", cap_s=600),
                        LayerCap(layer="gateway", kind="total", cap_s=300),
                    ),
                ),
                RouteConditions(name="tier1", kind="images", owner="openai"),
            ),
            caps=Caps(connect_s=10, first_byte_s=None, idle_s=None, total_s=600),
            retries=2,
            budget_usd=25.0,
            objectives=(
                _objective("p50 of final_image_ms at low < 10 s", "final_image_ms", "p50", "<", 10, "s", quality="low"),
                _objective(
                    "p90 of final_image_ms at medium < 60 s", "final_image_ms", "p90", "<", 60, "s", quality="medium"
                ),
                _objective(
                    "p50 of final_image_ms on edge at high < 240 s",
                    "final_image_ms", "p50", "<", 240, "s", route="edge", quality="high",
                ),
                _objective("error rate < 2 %", "error_rate", "share", "<", 2, "%"),
                _objective("mean cost < 0.25 USD", "cost_usd", "mean", "<", 0.25, "usd"),
                _objective("p99 of first_byte_ms on azure < 20 s", "first_byte_ms", "p99", "<", 20, "s", route="azure"),
            ),
            hypotheses=_claims(),
        )
    )  # fmt: skip
    number = 0
    for block in range(blocks):
        for route in ("direct", "edge", "gateway", "tier1"):
            for quality in ("low", "medium", "high"):
                if route == "tier1" and quality != "low":
                    continue
                number += 1
                median, spread = SECONDS[quality]
                seconds = median * rng.lognormvariate(0, spread) + (45 if route == "gateway" else 0)
                owner = {"edge": "reverse", "gateway": "acme-gateway"}.get(route, "openai")
                if route == "edge" and quality == "high":
                    event, verdict = cut_by_nginx(number, block=block, seconds=60 + rng.uniform(0.01, 0.12))
                    run.verdicts.append(verdict)
                elif route == "tier1" and block % 3 == 1:
                    event = job(number, route=route, seconds=seconds, block=block, earlier=((429, 8200.0),))
                    run.verdicts.append(JobVerdict(job_id=event.job_id, verdict="retry_pressure"))
                elif route == "tier1" and block % 3 == 2:
                    event = job(
                        number,
                        route=route,
                        seconds=0.2,
                        block=block,
                        outcome="error",
                        status=429,
                        error=ApiError(type="requests", code="rate_limit_exceeded"),
                        earlier=((429, 7900.0), (429, 21000.0)),
                        cost_basis="not_billed",
                    )
                    run.verdicts.append(JobVerdict(job_id=event.job_id, verdict="retry_pressure"))
                else:
                    event = job(number, route=route, owner=owner, quality=quality, seconds=seconds, block=block)
                    name = "route_owner_delay" if route == "gateway" else "long_model_wait" if seconds > 60 else "ok"
                    run.verdicts.append(JobVerdict(job_id=event.job_id, verdict=name))
                run.events.append(event)
        number += 1
        seconds = 195 * rng.lognormvariate(0, 0.13)
        streamed = job(
            number,
            quality="high",
            seconds=seconds,
            stream=True,
            partials_at_s=(rng.uniform(8, 14), rng.uniform(80, 95)),
            block=block,
        )
        run.events.append(streamed)
        run.verdicts.append(JobVerdict(job_id=streamed.job_id, verdict="long_model_wait"))
    cells = tuple(dict.fromkeys(event.cell for event in run.events))
    run.conditions = msgspec.structs.replace(
        run.conditions, planned_jobs=len(run.events), cells=cells, planned_cost_usd=round(1.25 * blocks, 2)
    )
    run.diagnosis = _demo_diagnosis(run, blocks)
    return run


def _demo_diagnosis(run: Run, blocks: int) -> Diagnosis:
    return Diagnosis(
        run_id=run.conditions.run_id,
        headline="false_timeout",
        answer=(
            "False timeout: nginx on route edge gives up after 60 s while the image is still being made; "
            "the model itself needs about 195 s at high quality, and the backend finished every one of those jobs."
        ),
        conclusive=True,
        counts=dict(Counter(verdict.verdict for verdict in run.verdicts)),
        backend_records=len(run.events),
        findings=(
            Finding(
                id="false-timeout",
                title="nginx on route edge cut jobs that the backend finished",
                state="holds",
                verdict="false_timeout",
                route="edge",
                jobs=blocks,
                of_jobs=blocks,
                grade="proven",
                layer="edge-nginx",
                evidence=(
                    EvidenceRow(fact=f"{blocks} of {blocks} high jobs ended with HTTP 504, signed by nginx"),
                    EvidenceRow(fact="all of them between 60.0 s and 60.2 s, the declared proxy_read_timeout"),
                    EvidenceRow(fact=f"the backend's record shows {blocks} of {blocks} images done after the cut"),
                    EvidenceRow(
                        fact="no low or medium job on the same route failed: all ended before 60 s", points="context"
                    ),
                ),
                next_step="Raise proxy_read_timeout on that location to 360 s and leave the other caps as they are.",
                job_ids=tuple(v.job_id for v in run.verdicts if v.verdict == "false_timeout")[:3],
            ),
            Finding(
                id="route-delay",
                title="Route gateway takes 45 s longer than the direct route",
                state="holds",
                verdict="route_owner_delay",
                route="gateway",
                jobs=3 * blocks,
                of_jobs=3 * blocks,
                evidence=(
                    EvidenceRow(fact="the same shapes at the same time: median +45.1 s at low, +44.7 s at medium"),
                    EvidenceRow(fact="the difference lies between request sent and first byte"),
                ),
                next_step="Take it to the owner of the gateway with the packet.",
            ),
            Finding(
                id="retry-pressure",
                title="Route tier1 is rate limited",
                state="holds",
                verdict="retry_pressure",
                route="tier1",
                jobs=6,
                of_jobs=blocks,
                evidence=(EvidenceRow(fact="6 of 10 jobs met a 429, 3 of them to the end"),),
                next_step="Lower the concurrency on this route, honour the reset headers.",
            ),
            Finding(
                id="stream-buffered",
                title="Nothing holds streamed bytes back",
                state="does_not_hold",
                jobs=0,
                of_jobs=blocks,
                evidence=(EvidenceRow(fact="first partial images came 181 s before the final one", points="against"),),
            ),
            Finding(id="silent-downgrade", title="Usage agrees with the quality asked for", state="does_not_hold"),
            Finding(
                id="client-bound",
                title="Our own host may have been late",
                state="inconclusive",
                evidence=(EvidenceRow(fact="host lag was at most 4 ms", points="context"),),
            ),
            Finding(id="link-expired", title="No result was given as a link", state="not_applicable"),
        ),
        decision=Decision(
            kind="widen_timeout",
            sentence="Raise proxy_read_timeout of nginx on route edge from 60 s to 360 s; change nothing else yet.",
            route="edge",
            layer="edge-nginx",
            setting="proxy_read_timeout",
            from_s=60,
            to_s=360,
        ),
    )  # fmt: skip


def _objective(text: str, metric: str, statistic: str, comparison: Any, value: float, unit: str, **where: str):
    return Objective(
        text=text, metric=metric, statistic=statistic, comparison=comparison, value=value, unit=unit, where=where
    )


def _claims() -> tuple[Hypothesis, ...]:
    """One that holds, its contradiction, one of a tail, one of another load, one of a comparison, one for elsewhere."""

    def claim(name: str, told: str, threshold: str, contradicts: tuple[str, ...] = (), **test: Any) -> Hypothesis:
        fields = {"metric": "final_image_ms", "statistic": "p50", "measure": "value", "unit": "ms"} | test
        return Hypothesis(
            name=name,
            claim=told,
            source="B",
            contradicts=contradicts,
            threshold=threshold,
            test=HypothesisTest(**fields),
        )

    medium, direct = {"quality": ("medium",), "route": ("direct",)}, {"route": ("direct",), "quality": ("low",)}
    return (
        claim("medium-20-to-40", "Medium takes 20 to 40 s", "20s to 40s", b=medium, at_least=20_000, at_most=40_000),
        claim("medium-80", "Medium takes about 80 s", "about 80s", ("medium-20-to-40",), b=medium, at_least=64_000),
        claim("p95-8", "The p95 of low is under 8 s", "< 8s", statistic="p95", b=direct, at_most=8000, strict=True),
        claim("five-at-once", "Five at a time are stable", "<= 2%", metric="rate_limited_rate", statistic="share",
              unit="share", b={"concurrency": ("5",)}, at_most=0.02),
        claim("gateway-slower", "The gateway takes longer", "difference > 30s", measure="difference", a=direct,
              b={"route": ("gateway",), "quality": ("low",)}, at_least=30_000),
        Hypothesis(name="links-die", claim="Links die <soon>", source="D", elsewhere="it takes a day"),
    )  # fmt: skip


def plain_diagnosis(run: Run, answer: str = "Nothing on the way gave up; the time is the model's own.") -> Diagnosis:
    counts = Counter(verdict.verdict for verdict in run.verdicts)
    return Diagnosis(
        run_id=run.conditions.run_id,
        headline=counts.most_common(1)[0][0] if counts else "undetermined",
        answer=answer if run.events else "No job was run, so nothing can be said.",
        conclusive=bool(run.events),
        counts=dict(counts),
        findings=(),
        decision=Decision(
            kind="nothing" if run.events else "none_justified",
            sentence="Change nothing." if run.events else "No decision is justified.",
        ),
    )


def of_events(events: list[JobEvent], verdicts: list[JobVerdict] | None = None, **changes: Any) -> Run:
    """A run of exactly these events; jobs without a verdict are "ok"."""
    known = {verdict.job_id for verdict in verdicts or ()}
    run = Run(
        conditions(
            **{
                "planned_jobs": len(events),
                "cells": tuple(dict.fromkeys(event.cell for event in events)),
                "routes": tuple(
                    RouteConditions(name=route, kind="images", owner="openai", direct=route == "direct")
                    for route in dict.fromkeys(event.route for event in events)
                ),
                **changes,
            }
        ),
        events,
        [*(verdicts or ()), *(JobVerdict(job_id=e.job_id, verdict="ok") for e in events if e.job_id not in known)],
    )
    return replace(run, diagnosis=plain_diagnosis(run))


def healthy(n: int = 12) -> Run:
    return of_events([job(i, seconds=4 + i * 0.17, block=i) for i in range(n)])


def many(n: int = 5000) -> Run:
    rng = random.Random(3)
    events, verdicts = [], []
    for number in range(n):
        quality = ("low", "medium", "high")[number % 3]
        route = ("direct", "edge")[number // 3 % 2]
        if quality == "high" and route == "edge":
            event, verdict = cut_by_nginx(number, seconds=60 + rng.uniform(0.01, 0.3), block=number // 6)
            verdicts.append(verdict)
        else:
            median, spread = SECONDS[quality]
            event = job(
                number,
                route=route,
                quality=quality,
                seconds=median * rng.lognormvariate(0, spread),
                block=number // 6,
            )
        events.append(event)
    return of_events(events, verdicts, blocks=n // 6)
