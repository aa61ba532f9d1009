"""WAIST: how a run put its load on, and what that did: the shape as it was asked for, late starts, routes given up."""

from __future__ import annotations

from typing import Literal

import msgspec

LoadKind = Literal["closed", "rate", "batch"]
Arrivals = Literal["constant", "poisson"]


class LoadShape(msgspec.Struct, frozen=True, kw_only=True):
    """The load of a run. Seconds are of the measured world.

    closed: `concurrency` jobs are kept under way. rate: `rate_per_s` jobs become due a second, whatever is under way.
    batch: `concurrency` jobs at once, then `gap_s` of rest after the last of them.
    """

    kind: LoadKind = "closed"
    concurrency: int = 1  # at most so many under way; of a rate: max_in_flight, and 0 stands for no limit
    rate_per_s: float | None = None
    arrivals: Arrivals = "constant"
    when_full: Literal["wait", "drop"] = "wait"
    gap_s: float = 0.0
    ramp_from: float | None = None  # of concurrency, or of the rate in jobs a second
    ramp_s: float = 0.0
    stop_after_s: float | None = None  # nothing is sent after that
    requests_per_minute: int | None = None  # our own limits, on each route
    images_per_minute: int | None = None
    respect_limits: bool = False  # wait as long as a 429 or an emptied bucket asks for

    def text(self) -> str:
        """One phrase for a person: "up to 4 at a time", "6 a minute (poisson), at most 10 under way"."""
        at_most = f"at most {self.concurrency} under way" if self.concurrency else "however many are under way"
        if self.kind == "rate":
            words = f"{rate_text(self.rate_per_s or 0.0)} ({self.arrivals}), {at_most}, late ones {self.when_full}"
        elif self.kind == "batch":
            words = f"{self.concurrency} at a time, {self.gap_s:g} s between batches"
        else:
            words = f"up to {self.concurrency} at a time"
        if self.ramp_from is not None:
            begin = rate_text(self.ramp_from) if self.kind == "rate" else f"{self.ramp_from:g}"
            words += f", rising from {begin} over {self.ramp_s:g} s"
        limits = [
            f"{limit} {noun} a minute"
            for limit, noun in ((self.requests_per_minute, "requests"), (self.images_per_minute, "images"))
            if limit is not None
        ]
        if limits:
            words += f", on each route no more than {' and '.join(limits)}"
        if self.respect_limits:
            words += ", waiting as long as a refusal asks"
        return words


class ClosedRoute(msgspec.Struct, frozen=True, kw_only=True):
    """A route that was given up while the run went on, and what that left unsent."""

    route: str
    why: str  # words of ours
    after_jobs: int  # jobs of this route that were over by then
    jobs_not_sent: int
    usd_not_spent: float | None  # by estimate; null where a price is not known


class LoadResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the pacer did. Counts are of the last process that worked on the run."""

    sent: int = 0
    late: int = 0  # due while all places were taken, or while a limit held them: sent later than planned
    worst_late_ms: float = 0.0
    dropped: int = 0  # due while all places were taken, and never sent
    most_in_flight: int = 0
    retries_refused: int = 0  # by the budget


def remarks(found: LoadResult) -> list[str]:
    """What the load did to the plan, a phrase each; nothing where every job went out when it was due."""
    words = []
    if found.late:
        words.append(f"{found.late} of {found.sent} jobs sent late, at most by {found.worst_late_ms / 1000:.1f} s")
    if found.dropped:
        words.append(f"{found.dropped} jobs dropped: due while all places were taken")
    if found.retries_refused:
        words.append(f"{found.retries_refused} retries not made: the budget was spent, or the run was stopping")
    return words


def rate_text(per_s: float) -> str:
    """Jobs a second in the unit that reads best."""
    for unit, seconds in (("second", 1.0), ("minute", 60.0)):
        if per_s * seconds >= 1:
            return f"{per_s * seconds:.4g} a {unit}"
    return f"{per_s * 3600:.4g} an hour"
