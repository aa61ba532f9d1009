"""What a watch looks out for: the scenario's objectives, and what needs no threshold of anybody's.

Each rule gives a `Finding`; what becomes of it over time is `harness.history.alerts`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from harness.conditions import Objective
from harness.estimate import Estimate
from harness.history.change import CellChart
from harness.history.judging import Found, judge, newest, not_watched
from harness.history.model import Finding, Judged, RoundRow, WatchConditions
from harness.stats import proportion

RATE_LIMITED, ABOVE_BASELINE = "ImageRateLimited", "ImageFailuresAboveBaseline"
DEAD_LINKS, CHANGED, ROUNDS_FAILING = "ImageDeadLinks", "ImageLatencyChanged", "HarnessRoundsFailing"
LATENCY, FAILURES, COST = "ImageLatency", "ImageErrorRate", "ImageCost"
# Judgements in a row before an alert fires, where not two: these look at several rounds by themselves.
AT_ONCE = frozenset({CHANGED, ROUNDS_FAILING, RATE_LIMITED})

LOOKED_AT, LIMITED_OF_THEM, CALM_OF_THEM = 4, 3, 1  # rounds
RECENT_JOBS, LEAST_RECENT, LEAST_BASELINE = 20, 10, 50
BREACH_P, CALM_P = 0.001, 0.05
DEAD_SHARE, LINKS_JUDGED, LEAST_LINKS = 0.05, 40, 5
FAILED_IN_A_ROW = 3


def findings(
    watch: WatchConditions,
    rounds: Sequence[RoundRow],
    jobs: pd.DataFrame,
    links: pd.DataFrame,
    charts: Sequence[CellChart],
    objectives_since_s: float,
) -> list[Finding]:
    """Every rule over the history as it stands. Objectives look at jobs since that moment only."""
    window = jobs[(jobs["at_s"] >= objectives_since_s).to_numpy(dtype=bool)] if len(jobs) else jobs
    found = [_objective(one, window) for one in watch.objectives if not_watched(one) is None]
    found += [_changed(chart) for chart in charts]
    for route, mine in jobs.groupby("route", sort=False) if len(jobs) else ():
        found.append(_rate_limited(str(route), mine, rounds))
        found.append(_above_baseline(str(route), mine))
    found += _dead_links(links, watch.links_live_s)
    found.append(_rounds_failing(rounds))
    return found


def _objective(objective: Objective, jobs: pd.DataFrame) -> Finding:
    judged, why, value = judge(objective, jobs)
    name = {"error_rate": FAILURES, "cost_usd": COST}.get(objective.metric, LATENCY)
    labels = {"objective": objective.text, **{k: v for k, v in objective.where.items() if k in ("route", "quality")}}
    return Finding(name=name, subject=objective.text, labels=labels, judged=judged, summary=why, value=value)


def _changed(chart: CellChart) -> Finding:
    followed, labels = chart.followed, {"cell": chart.cell, "route": chart.route}
    change = followed.open
    if followed.ranked == 0:
        judged, why = "not_enough", f"not enough: {len(chart.values)} rounds are known, 13 are needed"
    elif change is None:
        judged, why = "ok", f"no change over {followed.ranked} rounds"
    else:
        before, since = chart.level_ms(0, change.since), chart.level_ms(change.since, len(chart.values))
        way = "slower" if change.direction == "up" else "faster"
        levels = (
            "" if before is None or since is None else f": p50 {before / 1000:.1f} s before, {since / 1000:.1f} s since"
        )
        judged, why = "breach", f"{way} since {len(chart.values) - change.since} rounds{levels}"
    return Finding(name=CHANGED, subject=chart.cell, labels=labels, judged=_word(judged), summary=why)


def _rate_limited(route: str, jobs: pd.DataFrame, rounds: Sequence[RoundRow]) -> Finding:
    there = set(jobs["round_id"])
    last = [one.round_id for one in rounds if one.round_id in there][-LOOKED_AT:]
    hit = jobs[jobs["rate_limited"].to_numpy(dtype=bool)]
    limited = len(set(hit["round_id"]) & set(last))
    judged: Judged = "breach" if limited >= LIMITED_OF_THEM else "ok" if limited <= CALM_OF_THEM else "unclear"
    why = f"429 in {limited} of the last {len(last)} rounds"
    if len(last) < LOOKED_AT:
        judged, why = "not_enough", f"not enough: {len(last)} rounds, {LOOKED_AT} are needed"
    return Finding(name=RATE_LIMITED, subject=route, labels={"route": route}, judged=judged, summary=why)


def _above_baseline(route: str, jobs: pd.DataFrame) -> Finding:
    """Fisher's exact test, one-sided: the newest jobs against all before them."""
    counted = jobs[jobs["judged"].to_numpy(dtype=bool)]
    recent = newest(counted, RECENT_JOBS)
    before = counted.iloc[: len(counted) - len(recent)]
    n, base = len(recent), len(before)
    failed, failed_before = n - int(recent["good"].sum()), base - int(before["good"].sum())
    what = "tasks" if _is_task(jobs) else "jobs"
    found: Found
    if n < LEAST_RECENT or base < LEAST_BASELINE:
        found = (
            "not_enough",
            f"not enough: {n} new {what} and {base} before, {LEAST_RECENT} and {LEAST_BASELINE} are needed",
            None,
        )
    else:
        p = float(stats.hypergeom.sf(failed - 1, n + base, failed + failed_before, n))
        share = proportion(failed, n)
        value = Estimate(value=share.share, low=share.low, high=share.high, n=n)
        judged: Judged = "breach" if p < BREACH_P else "ok" if p > CALM_P else "unclear"
        found = judged, f"{failed} of the newest {n} {what} failed, {failed_before} of {base} before", value
    return Finding(
        name=ABOVE_BASELINE, subject=route, labels={"route": route}, judged=found[0], summary=found[1], value=found[2]
    )


def _is_task(jobs: pd.DataFrame) -> bool:
    return str(jobs["route_kind"].iloc[-1]).startswith("task")


def _dead_links(links: pd.DataFrame, live_s: float) -> Iterator[Finding]:
    """Looks at an age at which the link was promised to be alive; later ones are expected to fail."""
    promised = links[(links["due_s"] <= live_s).to_numpy(dtype=bool)] if len(links) else links
    for route, mine in promised.groupby("route", sort=False) if len(promised) else ():
        looked = newest(mine, LINKS_JUDGED)
        dead, n = int(np.count_nonzero(~looked["alive"].to_numpy(dtype=bool))), len(looked)
        share = proportion(dead, n)
        value = Estimate(value=share.share, low=share.low, high=share.high, n=n)
        why = f"{dead} of the newest {n} links were dead within {live_s / 3600:g} h"
        judged: Judged = "ok" if dead <= DEAD_SHARE * n else "unclear"
        if n < LEAST_LINKS:
            judged, why = "not_enough", f"not enough: {n} looks at links, {LEAST_LINKS} are needed"
        elif share.low is not None and share.low > DEAD_SHARE:
            judged = "breach"
        yield Finding(
            name=DEAD_LINKS, subject=str(route), labels={"route": str(route)}, judged=judged, summary=why, value=value
        )


def _rounds_failing(rounds: Sequence[RoundRow]) -> Finding:
    last = [one.status == "failed" for one in rounds[-FAILED_IN_A_ROW:]]
    judged: Judged = (
        "breach" if len(last) == FAILED_IN_A_ROW and all(last) else "unclear" if last and last[-1] else "ok"
    )
    why = f"{sum(last)} of the last {len(last)} rounds failed on our side"
    if any(last):
        why += f": {next(one.why for one in reversed(rounds) if one.status == 'failed')}"
    return Finding(name=ROUNDS_FAILING, subject="watch", judged=judged, summary=why)


def _word(judged: str) -> Judged:
    return {"not_enough": "not_enough", "ok": "ok", "breach": "breach"}.get(judged, "unclear")  # type: ignore[return-value]
