"""Findings → alerts, with hysteresis: pending → firing → resolved. Pure.

::

    not_enough ──► inactive ──► pending ──► firing ──► inactive (resolved_at)
                               a breach     NEED in a row    CALM judgements in a row that are ok

What is unclear changes nothing, so that a figure on its limit does not make an alert flicker. Not enough never fires,
and does not end an alert that fires either: silence is no recovery.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from harness.history.model import AlertState, Finding

NEED, CALM = 2, 3


def update(
    before: Sequence[AlertState], findings: Sequence[Finding], at: str, at_once: Collection[str] = ()
) -> tuple[AlertState, ...]:
    """Where every alert stands after this round. Names in `at_once` fire at their first breach."""
    known = {one.key: one for one in before}
    after = [_next(known.pop(_key(one), None), one, at, 1 if one.name in at_once else NEED) for one in findings]
    gone = [_dropped(one, at) for one in known.values() if one.state == "firing"]
    return (*after, *gone)


def _key(finding: Finding) -> str:
    return f"{finding.name} {finding.subject}"


def _next(before: AlertState | None, finding: Finding, at: str, need: int) -> AlertState:
    was = before or AlertState(name=finding.name, subject=finding.subject, since=at)
    bad, good, state = was.bad, was.good, was.state
    if finding.judged == "breach":
        bad, good = bad + 1, 0
        state = "firing" if state == "firing" or bad >= need else "pending"
    elif finding.judged == "ok":
        bad, good = 0, good + 1
        state = "firing" if state == "firing" and good < CALM else "inactive"
    elif finding.judged == "unclear":
        good = 0
        state = "inactive" if state == "not_enough" else state
    else:
        bad = good = 0
        state = "firing" if state == "firing" else "not_enough"
    started, resolved = was.started_at, was.resolved_at
    if state == "firing" and was.state != "firing":
        started, resolved = at, None
    if was.state == "firing" and state != "firing":
        resolved = at
    return AlertState(
        name=finding.name,
        subject=finding.subject,
        labels=finding.labels,
        state=state,
        since=was.since if state == was.state else at,
        started_at=started,
        resolved_at=resolved,
        summary=finding.summary,
        value=finding.value,
        bad=bad,
        good=good,
    )


def _dropped(alert: AlertState, at: str) -> AlertState:
    """What is no longer looked at does not fire on; it is told once more, as resolved."""
    return msgspec.structs.replace(
        alert, state="inactive", since=at, resolved_at=at, summary="no longer watched", bad=0, good=0
    )


def newly(before: Sequence[AlertState], after: Sequence[AlertState]) -> tuple[list[AlertState], list[AlertState]]:
    """Alerts that began to fire with this round, and those that were resolved."""
    firing = {one.key for one in before if one.state == "firing"}
    fired = [one for one in after if one.state == "firing" and one.key not in firing]
    resolved = [one for one in after if one.state != "firing" and one.key in firing]
    return fired, resolved
