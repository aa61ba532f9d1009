"""From the jobs of one policy to what they came to: counts with their intervals, times with censoring kept. Pure.

Times. A job that was lost counts as one that never got there, as in `harness.policies.results`: a quantile that so many
jobs did not reach is null. A job that the drill itself stopped (its budget, its user) is censored at that moment, and
counts for no share.

Time to failover counts from the break to the first image for a job that began after it; time to recovery from the
mending to the first image by the primary of a leg that was sent after it. Both are null when nothing of that kind
came, which is not zero.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from harness.drills.model import (
    DROPPED,
    NOT_SENT,
    PHASES,
    Billed,
    Leg,
    Outage,
    PolicyResult,
    Share,
    Time,
    UserJob,
)
from harness.policies.model import Policy
from harness.stats.censored import survival
from harness.stats.quantiles import proportion

QUANTILES = (0.5, 0.95)
NEVER_S = 1e12  # stands for never where a number is asked for
Truths = Mapping[str, Mapping[str, Any]]  # of the embedded API's own record, by client request id


def measured(
    policy: Policy, primary: str, jobs: Sequence[UserJob], outage: Outage | None, truths: Truths | None
) -> PolicyResult:
    """Everything about one policy. `truths` is null where no embedded API answered every leg."""
    over = [job for job in jobs if job.outcome != "stopped"]
    legs = [leg for job in jobs for leg in job.legs if leg.end != NOT_SENT]
    failover = _failover(over, outage)
    return PolicyResult(
        policy=policy.name,
        why=policy.why,
        jobs=len(over),
        stopped=len(jobs) - len(over),
        outage=outage,
        success=_success(over),
        by_phase={phase: _success([job for job in over if job.phase == phase]) for phase in PHASES} if outage else {},
        lost=dict(Counter(job.why or "unknown" for job in over if job.outcome == "lost")),
        failover_s=None if failover is None else failover[0],
        failover_route=None if failover is None else failover[1],
        failover_sent_s=_failover_sent_s(over, primary, outage),
        failover_open=failover is None and _anybody_came(over, outage),
        recovery_s=_recovery_s(over, primary, outage),
        last_loss_s=_last_loss_s(over, outage),
        image=_times(jobs, "image_s"),
        seen=_times(jobs, "seen_s"),
        legs=len(legs),
        roles=dict(Counter(leg.role for leg in legs)),
        refused_429=sum(leg.http_status == 429 for leg in legs),
        cache_hits=sum(job.cached for job in over),
        cost_usd=_total([leg.cost_usd for leg in legs]),
        maybe_billed_usd=math.fsum(leg.cost_usd or 0.0 for leg in legs if leg.maybe_billed),
        maybe_duplicates=sum(_beyond_one(job, _may_be_billed) for job in jobs),
        maybe_orphans=sum(_left_alone(leg) for leg in legs),
        billed=None if truths is None else _billed(jobs, truths),
    )


def _success(jobs: Sequence[UserJob]) -> Share:
    found = proportion(sum(job.outcome == "image" for job in jobs), len(jobs))
    return Share(count=found.count, n=found.n, share=found.share, low=found.low, high=found.high)


def _times(jobs: Sequence[UserJob], clock: str) -> tuple[Time, ...]:
    times: list[float] = []
    cut: list[bool] = []
    for job in jobs:
        value: float | None = getattr(job, clock)
        waiting = value is None and job.outcome == "stopped"
        times.append(job.ended_s - job.arrived_s if waiting else NEVER_S if value is None else value)
        cut.append(waiting)
    curve = survival(times, cut)

    def known(value: float | None) -> float | None:
        return None if value is None or value >= NEVER_S else value

    return tuple(
        Time(
            p=q.p,
            value=known(q.value),
            low=known(q.low),
            high=known(q.high),
            n=q.n,
            never=sum(time == NEVER_S for time in times),
            censored=q.censored,
            thin=q.thin,
        )
        for q in map(curve.quantile, QUANTILES)
    )


def _image_at_s(job: UserJob) -> float:
    return job.arrived_s + (job.image_s or 0.0)


def _failover(jobs: Sequence[UserJob], outage: Outage | None) -> tuple[float, str | None] | None:
    if outage is None or outage.broken_s is None:
        return None
    end_s = math.inf if outage.mended_s is None else outage.mended_s
    served = [
        job
        for job in jobs
        if job.outcome == "image" and not job.cached and outage.broken_s <= job.arrived_s and _image_at_s(job) <= end_s
    ]
    first = min(served, key=_image_at_s, default=None)
    return None if first is None else (round(_image_at_s(first) - outage.broken_s, 3), first.route)


def _anybody_came(jobs: Sequence[UserJob], outage: Outage | None) -> bool:
    """While it was broken; without anybody nothing is known of a failover."""
    return outage is not None and outage.broken_s is not None and any(job.arrived_s >= outage.broken_s for job in jobs)


def _failover_sent_s(jobs: Sequence[UserJob], primary: str, outage: Outage | None) -> float | None:
    if outage is None or outage.broken_s is None:
        return None
    sent = [
        leg.begun_s
        for job in jobs
        for leg in job.legs
        if job.arrived_s >= outage.broken_s and leg.route != primary and leg.end != NOT_SENT
    ]
    return round(min(sent) - outage.broken_s, 3) if sent else None


def _recovery_s(jobs: Sequence[UserJob], primary: str, outage: Outage | None) -> float | None:
    if outage is None or outage.mended_s is None:
        return None
    came = [
        leg.ended_s
        for job in jobs
        for leg in job.legs
        if leg.end == "image" and leg.route == primary and leg.begun_s >= outage.mended_s
    ]
    return round(min(came) - outage.mended_s, 3) if came else None


def _last_loss_s(jobs: Sequence[UserJob], outage: Outage | None) -> float | None:
    if outage is None or outage.mended_s is None:
        return None
    ends = [job.ended_s for job in jobs if job.outcome == "lost" and job.ended_s >= outage.mended_s]
    return round(max(ends) - outage.mended_s, 3) if ends else None


def _may_be_billed(leg: Leg) -> bool:
    return leg.end != NOT_SENT and (leg.cost_usd is None or leg.cost_usd > 0)


def _left_alone(leg: Leg) -> bool:
    """Nobody waited for its end: given up, timed out, or cut on the way."""
    return leg.end in (DROPPED, "timeout", "cut") and _may_be_billed(leg)


def _beyond_one(job: UserJob, counts: Any) -> int:
    per_stage = Counter(leg.stage for leg in job.legs if counts(leg))
    return sum(count - 1 for count in per_stage.values())


def _billed(jobs: Sequence[UserJob], truths: Truths) -> Billed:
    def made(leg: Leg) -> bool:
        return bool(truths.get(leg.client_request_id, {}).get("finished"))

    legs = [leg for job in jobs for leg in job.legs if made(leg)]
    duplicates = [leg for job in jobs for leg in _later_ones([leg for leg in job.legs if made(leg)])]
    return Billed(
        images=len(legs),
        usd=_total([_usd(leg) for leg in legs]),
        duplicates=len(duplicates),
        duplicates_usd=_total([_usd(leg) for leg in duplicates]),
        orphans=sum(bool(truths[leg.client_request_id]["finished_after_client_left"]) for leg in legs),
    )


def _later_ones(legs: Sequence[Leg]) -> list[Leg]:
    """All but one of each stage."""
    seen: set[int] = set()
    later = []
    for leg in legs:
        (later.append(leg) if leg.stage in seen else seen.add(leg.stage))
    return later


def _usd(leg: Leg) -> float | None:
    """What a generation cost: by its usage where its answer was seen, else at the price of its shape."""
    return leg.cost_usd if leg.cost_usd and not leg.maybe_billed else leg.estimate_usd


def _total(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(math.fsum(known), 6) if len(known) == len(values) else None
