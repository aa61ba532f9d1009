"""A run that looks like the packaged demo, as the measuring half would leave it.

Four routes, three qualities, one of the routes behind an nginx that gives up at 60 s while the backend goes on, one
gateway that takes 45 s more, one account tier that is limited to few requests.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import msgspec

from harness.conditions import (
    Caps,
    Hypothesis,
    HypothesisTest,
    LayerCap,
    Objective,
    RouteConditions,
)
from harness.diagnosis.model import (
    Decision,
    Diagnosis,
    EvidenceRow,
    Finding,
    JobVerdict,
)
from harness.events import ApiError

from .build_run import SECONDS, Run, conditions, cut_by_nginx, job


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
