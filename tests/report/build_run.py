"""Synthetic runs for the reading half: events, conditions and verdicts as the measuring half would leave them."""

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
    Host,
    RouteConditions,
    RunConditions,
    write_conditions,
)
from harness.diagnosis.model import (
    Decision,
    Diagnosis,
    EvidenceRow,
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
