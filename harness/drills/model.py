"""What a drill leaves behind: one line a job in ``drills.jsonl``, and ``drill.json`` over all of them.

Times are seconds of the measured world since the first moment of the policy's drill. What did not happen is null.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from harness.drills.course import Role

DRILLS_FILE = "drills.jsonl"
RESULT_FILE = "drill.json"

Phase = Literal["before", "broken", "after"]
PHASES: tuple[Phase, ...] = ("before", "broken", "after")
# Beside the ends that a policy file knows: what a leg came to that was not waited for.
DROPPED = "dropped"  # given up, by the policy or by the user
NOT_SENT = "not_sent"  # the budget did not allow it


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One request that went out for a job. Its event stands in the journal under `job_id`."""

    job_id: str
    client_request_id: str
    role: Role
    stage: int  # from 1; a policy with two stages asks twice
    route: str
    begun_s: float
    ended_s: float
    end: str  # "image", an end of the policy file's, or one of the two above
    estimate_usd: float | None = None
    cost_usd: float | None = None
    maybe_billed: bool = False  # the cost is what it may be: nobody has seen an answer that says so
    http_status: int | None = None


class UserJob(msgspec.Struct, frozen=True, kw_only=True):
    """One job as its user saw it."""

    policy: str
    number: int  # from 1
    phase: Phase
    arrived_s: float
    ended_s: float
    outcome: Literal["image", "lost", "stopped"]  # stopped: by the drill's own budget or user, and no observation
    why: str | None = None  # of a lost one: how its last leg ended, or "deadline"
    route: str | None = None  # that brought the image
    cached: bool = False
    kept_first: bool = False  # of two stages the first image was enough
    image_s: float | None = None  # since arrival, until the last byte of the image
    seen_s: float | None = None  # since arrival, until there was something to see: a preview, or the image
    legs: tuple[Leg, ...] = ()


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """How and when the primary route was broken."""

    route: str
    how: str  # "embedded: 503", or "command"
    broken_s: float | None = None
    mended_s: float | None = None
    dropped: int | None = None  # exchanges that were under way and cut by it; null where nobody could count them


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """A count with its share and interval; null when there was nothing to count."""

    count: int
    n: int
    share: float | None = None
    low: float | None = None
    high: float | None = None


class Time(msgspec.Struct, frozen=True, kw_only=True):
    """A quantile in seconds, with its interval; null where so many jobs never got there. `thin`: too few to rely on it.

    `never`: jobs that were lost before. `censored`: jobs that the drill stopped, which might have come to it.
    """

    p: float
    value: float | None
    low: float | None
    high: float | None
    n: int
    never: int
    censored: int
    thin: bool


class Billed(msgspec.Struct, frozen=True, kw_only=True):
    """By the embedded API's own record: what was made, and for whom."""

    images: int  # generations that were carried out
    usd: float | None  # at list price
    duplicates: int  # of them, beyond the one that each stage of a job needs
    duplicates_usd: float | None
    orphans: int  # made after whoever asked had left, or had been cut off


class PolicyResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one policy came to."""

    policy: str
    why: str | None
    jobs: int  # that are over, those left out as "stopped" not counted
    stopped: int
    outage: Outage | None
    success: Share
    by_phase: dict[str, Share]
    lost: dict[str, int]  # by why
    failover_s: float | None  # from the break to the first image for a job that began after it
    failover_route: str | None  # and the route that brought it
    failover_sent_s: float | None  # from the break to the first leg to another route, of a job that began after it
    failover_open: bool  # none came until the mending: the time is longer than the outage
    recovery_s: float | None  # from the mending to the first image by the primary, of a leg begun after it
    last_loss_s: float | None  # from the mending to the end of the last job that was lost after it; null: none was
    image: tuple[Time, ...]
    seen: tuple[Time, ...]
    legs: int
    roles: dict[str, int]
    refused_429: int
    cache_hits: int
    cost_usd: float | None  # as the client can know it
    maybe_billed_usd: float  # of that, without an answer that says so
    maybe_duplicates: int  # legs that may have been billed, beyond the one that each stage of a job needs
    maybe_orphans: int  # legs that nobody waited for to the end, and that may have been billed
    billed: Billed | None  # null where only a provider's bill could tell


class DrillResult(msgspec.Struct, frozen=True, kw_only=True):
    """``drill.json``."""

    schema_version: int = 1
    run_id: str
    scenario: str
    scenario_sha256: str
    started_at: str
    finished_at: str
    simulated: bool
    time_scale: float
    load: str
    primary: str
    stopped_by: str | None
    message: str | None
    policies: tuple[PolicyResult, ...]
