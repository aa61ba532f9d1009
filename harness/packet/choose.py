"""Which job of a run its packet speaks of.

The rule, first difference decides:

1. a job whose verdict is the run's headline (none: any job that is not ok; none again: any job),
2. the better grade of evidence for the layer that gave up (proven, attributed, inferred, none),
3. the other side's record says whether the image was made,
4. an API request id is at hand: support can look this one up,
5. the longer the user waited, the more there is to find; then the earlier in the journal.
"""

from __future__ import annotations

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


def choose(inputs: RunInputs, job_id: str | None = None) -> JobEvent:
    """The job that was asked for, else the most telling one.

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

    ok = {event.job_id for event in of("ok")}
    candidates = of(inputs.diagnosis.headline) or [e for e in inputs.events if e.job_id not in ok] or inputs.events
    return min(candidates, key=lambda event: _telling(event, named[event.job_id]))
