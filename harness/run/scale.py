"""An embedded API says how fast its world goes; times read at another speed would all be wrong."""

from __future__ import annotations

import re

from harness.errors import UsageProblem
from harness.events import JobEvent

SCALE_HEADER = "x-simulator-time-scale"


def check_scale(event: JobEvent) -> None:
    """Hold what the answers of a job say against what we were told.

    Raises:
        UsageProblem: the other side runs its world at another speed.
    """
    for attempt in event.attempts:
        said = attempt.headers.get(SCALE_HEADER)
        if said is not None and re.fullmatch(r"\d+(\.\d+)?", said) and float(said) != event.time_scale:
            raise UsageProblem(
                f"route {event.route}: the embedded API runs its world {said} times faster, but we were told "
                f"{event.time_scale:g}; every time would be wrong. Give --time-scale {said}."
            )
