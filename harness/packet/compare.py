"""What a job is measured against: its like on the same route, and the same shape on the most direct route."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from harness.events import JobEvent
from harness.packet.inputs import RunInputs
from harness.packet.narrow import Narrower
from harness.packet.schema import Comparison, Route, Side, When

_SHAPE = (
    "model", "quality", "size", "output_format", "output_compression", "n", "stream", "partial_images", "background",
    "moderation", "reference_images", "reference_bytes", "prompt_chars", "prompt_complexity",
)  # fmt: skip


def shape(event: JobEvent) -> tuple[object, ...]:
    """What two jobs must have in common for their times to be compared: everything that was asked for."""
    return tuple(getattr(event, name) for name in _SHAPE)


def when(job: JobEvent, inputs: RunInputs, narrow: Narrower) -> When:
    """One-off or repeated: n of m jobs on this route with the same verdict and layer, since when."""
    mine = inputs.verdicts.get(job.job_id)
    on_route = [event for event in inputs.events if event.route == job.route]

    def alike(event: JobEvent) -> bool:
        other = inputs.verdicts.get(event.job_id)
        if mine is None or other is None:
            return event.job_id == job.job_id
        return (mine.verdict, mine.layer, mine.product) == (other.verdict, other.layer, other.product)

    quiet = Narrower()  # the moments of other jobs are not this job's drops
    started = narrow.moment(job.request_started_at)
    same = [event for event in on_route if alike(event)]
    moments = sorted(at for event in same if (at := quiet.moment(event.request_started_at)) is not None)
    offset = started.utcoffset() if started is not None else None
    return When(
        started_at=started,
        utc_offset_minutes=None if offset is None else round(offset.total_seconds() / 60),
        pattern="repeated" if len(same) > 1 else "one_off",
        jobs=len(same),
        of_jobs=len(on_route),
        since=moments[0] if moments else None,
        until=moments[-1] if moments else None,
    )


def _refused(event: JobEvent) -> bool:
    status = event.http_status
    return event.outcome == "error" and status is not None and 400 <= status < 500 and status != 408


def side(events: Sequence[JobEvent], narrow: Narrower) -> Side:
    """Median of the final image over all jobs. Jobs without one count as slower than all: cuts do not flatter."""
    measured = [event for event in events if not _refused(event)]
    times = [event.final_image_ms if event.outcome == "image" else None for event in measured]
    known = sorted(time for time in times if time is not None)
    ranked = [*known, *([float("inf")] * (len(times) - len(known)))]
    median = statistics.median(ranked) if ranked else float("inf")
    return Side(
        jobs=len(measured),
        refused=len(events) - len(measured),
        with_image=len(known),
        median_final_image_ms=None if median == float("inf") else narrow.ms(median),
    )


def compare(job: JobEvent, inputs: RunInputs, routes: dict[str, Route], narrow: Narrower) -> Comparison | None:
    """This route beside the most direct one, when the run measured the same shape on both."""
    direct = next((route.name for route in inputs.conditions.routes if route.direct), None)
    if direct is None or direct == job.route:
        return None
    alike = [event for event in inputs.events if shape(event) == shape(job)]
    there = [event for event in alike if event.route == direct]
    if not there:
        return None
    here = [event for event in alike if event.route == job.route]
    return Comparison(direct=routes[direct], on_direct=side(there, narrow), on_this=side(here, narrow))
