"""Runs whose truth is known: latencies drawn from the embedded API's own profiles, cells as asked for."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from harness.conditions import LayerCap, RouteConditions
from harness.diagnosis.model import JobVerdict
from harness.estimate import Estimate
from harness.frame import frame_of
from harness.recommend.candidate import Candidate
from harness.recommend.model import Recommendation, UseResult
from harness.report.jobs import join_verdicts
from harness.report.recommendation import recommendation
from harness.simulator.profiles import Profile
from harness.stats import survival
from tests.report.build_run import PRICE, Run, job, of_events

TUNING, CAUSES = "tuning-article", "failure-causes-article"


@dataclass(frozen=True)
class Shape:
    """What a cell asks for, and how its route treats it. `cap_s`: its route gives up there."""

    quality: str = "medium"
    size: str = "1024x1024"
    output_format: str = "png"
    output_compression: int | None = None
    route: str = "direct"
    slower: float = 1.0
    cap_s: float | None = None
    price: float | None = None
    stream: bool = False


def tiers(**changes: Any) -> list[Shape]:
    """The pre-launch experiment: three tiers at one size."""
    return [Shape(quality=quality, **changes) for quality in ("low", "medium", "high")]


def world(shapes: Sequence[Shape], *, profile: str = TUNING, blocks: int = 100, seed: int = 1, **changes: Any) -> Run:
    """One job of each shape in every block."""
    drawn = Profile(profile)
    events, verdicts = [], []
    for block in range(blocks):
        for index, shape in enumerate(shapes):
            number = block * len(shapes) + index
            dice = random.Random(f"{seed}/{number}")
            seconds = drawn.timing(shape.quality, shape.size, 1, dice).generation_s * shape.slower
            cut = shape.cap_s is not None and seconds > shape.cap_s
            fields: dict[str, Any] = {
                "route": shape.route,
                "quality": shape.quality,
                "size": shape.size,
                "output_format": shape.output_format,
                "output_compression": shape.output_compression,
                "stream": shape.stream,
                "block": block,
                "cell": f"{shape.route}/{shape.quality}/{shape.size}/{shape.output_format}/{shape.stream}",
                "cost_usd": shape.price or PRICE[shape.quality],
            }
            if cut and shape.cap_s is not None:
                event = job(
                    number, seconds=shape.cap_s, outcome="error", status=504, server="nginx",
                    **{**fields, "cost_basis": "maybe_billed"},
                )  # fmt: skip
                verdicts.append(JobVerdict(job_id=event.job_id, verdict="false_timeout", censored_at_ms=event.total_ms))
            else:
                event = job(number, seconds=seconds, **fields)
            events.append(event)
    return of_events(events, verdicts, blocks=blocks, **changes)


def cell_of(times_ms: Sequence[float], key: str = "x", **changes: Any) -> Candidate:
    """A candidate out of times alone, none of them cut: for tests of many worlds."""
    price = Estimate(value=0.053, low=0.053, high=0.053, n=len(times_ms))
    fields: dict[str, Any] = {
        "key": key, "cell": key, "label": key, "short": key, "route": key, "quality": "medium", "size": "1024x1024",
        "output_format": "png", "transparent": False, "n": 1, "stream": False, "reference_images": 0,
        "curve": survival(times_ms, [False] * len(times_ms)), "silence": None, "cuts_ms": None,
        "judged": len(times_ms), "failed": 0, "wrong": 0, "price": price, "spent": price, "maybe_share": 0.0,
        "jobs_per_image": 1.0, "caps": (),
    }  # fmt: skip
    return Candidate(**{**fields, **changes})


def with_chain(run: Run, route: str, *chain: LayerCap) -> Run:
    routes = tuple(replace(one, chain=chain) if one.name == route else one for one in run.conditions.routes) or (
        RouteConditions(name=route, kind="images", owner="openai", chain=chain),
    )
    return Run(replace(run.conditions, routes=routes), run.events, run.verdicts)


def recommended(run: Run, **options: Any) -> Recommendation:
    found = recommendation(join_verdicts(frame_of(run.events), run.verdicts), run.conditions, **options)
    assert found is not None
    return found


def answer(run: Run, use: str, **options: Any) -> UseResult:
    (found,) = (one for one in recommended(run, **options).uses if one.use == use)
    return found
