"""Which level to try next: pure, from the trials alone, so that a sweep that was stopped goes on where it was.

Doubling until something is refused, halving between, then more jobs at the highest clean level. One refusal is enough
to call a level refused: what is looked for is the level without any. A refusal at a level that was clean before counts,
and takes the answer down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.sweeping.model import Rules, Trial


@dataclass(frozen=True)
class Bounds:
    """`low`: the highest level that was clean, 0 for none. `high`: the lowest that was refused, null for none."""

    low: int
    high: int | None
    clean_jobs: int  # at `low`


def bounds(trials: Sequence[Trial]) -> Bounds:
    """What the trials say so far."""
    refused = {trial.level for trial in trials if trial.refused}
    high = min(refused, default=None)
    # A level at which every job failed in another way was not shown to be clean.
    clean = {t.level for t in trials if not t.refused and t.jobs > t.failed and t.level not in refused}
    low = max((level for level in clean if high is None or level < high), default=0)
    return Bounds(low, high, sum(t.jobs - t.failed for t in trials if t.level == low))


def next_trial(trials: Sequence[Trial], rules: Rules) -> tuple[int, int] | None:
    """(level, jobs) of the next trial; null when the question is answered."""
    found = bounds(trials)
    if found.high is None and found.low < rules.most:
        level = min(2 * found.low or 1, rules.most)
    elif found.high is not None and found.high - found.low > 1:
        level = (found.low + found.high) // 2
    elif found.low and found.clean_jobs < rules.confirm:
        return found.low, rules.confirm - found.clean_jobs
    else:
        return None
    return level, max(rules.jobs, 3 * level)


def most_jobs(rules: Rules) -> tuple[int, int]:
    """(jobs, trials) of the dearest search that these rules can lead to: before anything is paid."""
    searches = [_search(rules, limit) for limit in range(rules.most + 1)]
    return max(jobs for jobs, _ in searches), max(count for _, count in searches)


def _search(rules: Rules, limit: int) -> tuple[int, int]:
    trials: list[Trial] = []
    while (step := next_trial(trials, rules)) is not None:
        level, jobs = step
        trials.append(Trial(level=level, jobs=jobs, refused=int(level > limit), took_s=0))
    return sum(trial.jobs for trial in trials), len(trials)
