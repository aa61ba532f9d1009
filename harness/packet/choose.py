"""Which job of a run its packet speaks of.

The rule, first difference decides:

0. the job that `harness shrink` looked for the smallest reproduction of, unless a verdict is asked for,
1. a job whose verdict is the run's headline (none: any job that is not ok; none again: any job),
2. the better grade of evidence for the layer that gave up (proven, attributed, inferred, none),
3. the other side's record says whether the image was made,
4. an API request id is at hand: support can look this one up,
5. the longer the user waited, the more there is to find; then the earlier in the journal.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.diagnosis.model import JobVerdict
from harness.errors import UsageProblem
from harness.events import JobEvent
from harness.packet.ids import fits
from harness.packet.inputs import RunInputs

_GRADES = {"proven": 0, "attributed": 1, "inferred": 2}


def _telling(event: JobEvent, verdict: JobVerdict | None) -> tuple[int, bool, bool, float]:
    grade = verdict.grade if verdict is not None else None
    return (
        _GRADES.get(grade or "", 3),
        verdict is None or verdict.backend_finished is None,
        not any(fits("x-request-id", attempt.request_id or "") for attempt in event.attempts),
        -(event.total_ms or 0.0),
    )


def choose(inputs: RunInputs, job_id: str | None = None, verdict: str | None = None) -> JobEvent:
    """The job that was asked for, else the most telling one, of this verdict where one is given.

    Raises:
        UsageProblem: there is no such job.
    """
    if job_id is not None:
        found = next((event for event in inputs.events if event.job_id == job_id), None)
        if found is None:
            raise UsageProblem("no job of that id in this run; `harness diagnose` lists them")
        return found
    named = {event.job_id: inputs.verdicts.get(event.job_id) for event in inputs.events}

    def of(wanted: object) -> list[JobEvent]:
        return [event for event in inputs.events if (one := named[event.job_id]) and one.verdict == wanted]

    if verdict is not None:
        candidates: Sequence[JobEvent] = of(verdict)
        if not candidates:
            met = ", ".join(sorted({one.verdict for one in inputs.verdicts.values()}))
            raise UsageProblem(f"no job of this run has the verdict {verdict[:40]!r}; there are {met}")
    else:
        shrunk = [event for event in inputs.events if inputs.shrunk and event.job_id == inputs.shrunk.job_id]
        candidates = shrunk or of(inputs.diagnosis.headline) or _not_ok(inputs) or inputs.events
    return min(candidates, key=lambda event: _telling(event, named[event.job_id]))


def worst(inputs: RunInputs, verdict: str | None = None) -> JobEvent:
    """The job that was waited for longest among those that are not ok, or that have this verdict.

    Raises:
        UsageProblem: no job has it, or every job is ok.
    """
    candidates = _not_ok(inputs)
    if verdict is not None:
        choose(inputs, verdict=verdict)
        candidates = [one for one in inputs.events if _named(inputs, one) == verdict]
    if not candidates:
        raise UsageProblem("every job of this run is ok; give --job to make a packet of one of them")
    return max(candidates, key=lambda event: event.total_ms or 0.0)


def _named(inputs: RunInputs, event: JobEvent) -> str | None:
    verdict = inputs.verdicts.get(event.job_id)
    return None if verdict is None else verdict.verdict


def _not_ok(inputs: RunInputs) -> list[JobEvent]:
    return [event for event in inputs.events if _named(inputs, event) != "ok"]
