"""The record of a sweep, ``sweep.json``: what was tried, what came of it, what to configure."""

from __future__ import annotations

from typing import Literal

import msgspec

SWEEP_FILE = "sweep.json"
LimitKind = Literal["per_minute", "concurrent", "unknown"]


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """How a sweep looks."""

    most: int = 16  # levels above are not tried
    jobs: int = 6  # of a trial at least; three for each place otherwise
    confirm: int = 30  # jobs without a refusal at the level that is named: at most 10 % at 95 % (rule of three)
    rest_s: float = 61.0  # between trials: refused requests count against limits of a minute, too


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """So many kept under way for a while. It ends with its first refusal."""

    level: int
    jobs: int  # that were answered, refused ones included
    refused: int  # with a 429
    failed: int = 0  # otherwise
    took_s: float  # of the measured world, from the first send to the last answer
    images: int = 0  # asked for by the jobs that were let through


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """One request of the sweep."""

    at_s: float  # of the measured world, since the sweep's first
    level: int
    images: int  # that it counts as: each of n, and each reference image
    refused: bool
    failed: bool = False  # in another way: whether it counted against a limit is not known
    kind: LimitKind | None = None  # of a refusal: what it says it is
    stated_limit: float | None = None
    remaining_share: float | None = None  # of the fullest bucket that the answer's headers speak of


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What the trials show. Levels are requests under way; 0: one alone was refused."""

    level: int  # the highest without a refusal
    level_low: int  # the highest of which at most `tolerated` are refused, at 95 %
    level_high: int | None  # the highest that was not shown to be refused; null: no level was refused
    clean_jobs: int  # at that level or above it, none refused
    refused_share_high: float | None  # upper 95 % bound of the share refused at that level
    refused_at: int | None  # the lowest level that was refused
    refused_by: LimitKind | None
    stated_limit: float | None  # by the refusals' own words or headers
    images_per_minute_low: int  # the most that went through within a minute
    images_per_minute_high: int | None  # one more was refused as too many a minute; null: no such refusal
    headroom: float | None  # the least that was left of any bucket at that level, as a share; null: not told
    pace_per_minute: float | None  # requests a minute that the level gives, by the answers' own length
    images_per_request: float | None


class Configure(msgspec.Struct, frozen=True, kw_only=True):
    """The budget to configure in a client."""

    in_flight: int
    requests_per_minute: int | None
    images_per_minute: int | None


class SweepRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Written anew after each trial."""

    record: str = "sweep"
    schema_version: int = 1
    run_id: str
    scenario_sha256: str
    route: str
    rules: Rules
    trials: tuple[Trial, ...] = ()
    levels: dict[str, int] = {}  # job id → level of the trial that it was sent in
    status: Literal["running", "complete", "stopped"] = "running"
    stopped_by: str | None = None  # budget, user, breaker, failures: the search did not get to its end
    found: Found | None = None
    configure: Configure | None = None
