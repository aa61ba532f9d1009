"""What the trials of a sweep show, with intervals, and what to configure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.sweeping.model import Configure, Found, Sent, Trial
from harness.sweeping.search import bounds

TOLERATED = 0.1  # a level counts as shown when no more than this share can be refused there, at 95 %
MINUTE_S = 60.0


def found(trials: Sequence[Trial], sent: Sequence[Sent]) -> Found | None:
    """Null before the first trial."""
    if not trials:
        return None
    so_far = bounds(trials)
    level, high = so_far.low, so_far.high
    clean = {one.level: one.jobs - one.failed for one in _by_level(trials) if one.refused == 0}
    low = 0
    for candidate in sorted((one for one in clean if one <= level), reverse=True):
        # What went through at a higher level would have gone through at a lower one.
        if _share_high(sum(jobs for one, jobs in clean.items() if candidate <= one <= level)) <= TOLERATED:
            low = candidate
            break
    refusals = [one for one in sent if one.refused]
    decisive = [one for one in refusals if one.level == high] or refusals
    kinds = Counter(one.kind for one in decisive if one.kind is not None)
    stated = [one.stated_limit for one in decisive if one.stated_limit is not None]
    left = [one.remaining_share for one in sent if one.level == level and one.remaining_share is not None]
    minute_low, minute_high = per_minute(sent)
    at = [trial for trial in trials if trial.level == level and not trial.refused]
    took, jobs = sum(trial.took_s for trial in at), sum(trial.jobs - trial.failed for trial in at)
    return Found(
        level=level,
        level_low=low,
        level_high=None if high is None else high - 1,
        clean_jobs=so_far.clean_jobs if level else 0,
        refused_share_high=_share_high(so_far.clean_jobs) if level and so_far.clean_jobs else None,
        refused_at=high,
        refused_by=kinds.most_common(1)[0][0] if kinds else None,
        stated_limit=min(stated) if stated else None,
        images_per_minute_low=minute_low,
        images_per_minute_high=minute_high,
        headroom=round(min(left), 4) if left else None,
        pace_per_minute=round(MINUTE_S * jobs / took, 3) if took > 0 and jobs else None,
        images_per_request=round(sum(trial.images for trial in at) / jobs, 3) if jobs else None,
    )


def per_minute(sent: Sequence[Sent]) -> tuple[int, int | None]:
    """(most images let through within a minute, the most that a limit of a minute can be).

    A refusal "per minute" of a request of k images, when u had gone through in the minute before, means that the limit
    is below u + k. Refused requests may count as well, which only lowers what went through: the bound stays right.
    """
    passed = [one for one in sent if not one.refused]
    brought = [one for one in passed if not one.failed]
    most = max((_within(brought, one.at_s) for one in brought), default=0)
    over = [_within(passed, one.at_s) + one.images - 1 for one in sent if one.refused and one.kind == "per_minute"]
    return most, max(min(over), 0) if over else None


def configure(what: Found) -> Configure | None:
    """What a client should be set to; null where not even one request at a time went through."""
    if what.level == 0:
        return None
    images, pace = what.images_per_minute_low, what.pace_per_minute
    limited = what.images_per_minute_high is not None
    # Where no limit of a minute was met, the pace of the level itself is the most that has been shown.
    requests = None if pace is None else max(1, int(pace))
    each = what.images_per_request or 1.0
    if limited:
        images = min(images, what.images_per_minute_high or images)
        requests = max(1, int(images / each)) if requests is None else min(requests, max(1, int(images / each)))
    elif requests is not None:
        images = max(1, int(requests * each))
    return Configure(
        in_flight=what.level_low or what.level, requests_per_minute=requests, images_per_minute=images or None
    )


def _within(passed: Sequence[Sent], until_s: float) -> int:
    return sum(one.images for one in passed if until_s - MINUTE_S < one.at_s <= until_s)


def _share_high(clean: int) -> float:
    """Upper 95 % bound of a share after none of `clean`: exact and one-sided, the "rule of three" for large ones.

    Source: Hanley and Lippman-Hand, "If nothing goes wrong, is everything all right?", JAMA 249 (1983).
    """
    return 1.0 if clean == 0 else round(1 - 0.05 ** (1 / clean), 4)


def _by_level(trials: Sequence[Trial]) -> list[Trial]:
    levels = sorted({trial.level for trial in trials})
    return [
        Trial(
            level=level,
            jobs=sum(t.jobs for t in trials if t.level == level),
            refused=sum(t.refused for t in trials if t.level == level),
            failed=sum(t.failed for t in trials if t.level == level),
            took_s=sum(t.took_s for t in trials if t.level == level),
        )
        for level in levels
    ]
