"""What a month costs: volume times what an image cost with everything counted that was or may have been paid."""

from __future__ import annotations

import re

from harness.conditions import Use
from harness.errors import UsageProblem
from harness.estimate import Estimate
from harness.recommend.candidate import Candidate
from harness.recommend.model import MonthlyCost
from harness.recommend.words import percent, plural

EXAMPLE_PER_MONTH = 1000.0
DAYS = 365.25 / 12
_PER_MONTH = {"month": 1.0, "day": DAYS, "hour": DAYS * 24}
_VOLUME = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s*/\s*(month|day|hour)")


def per_month(text: str) -> float:
    """Images a month of ``10000/month``, ``300/day`` or ``20/hour``.

    Raises:
        UsageProblem: it is none of these.
    """
    found = _VOLUME.fullmatch(text.strip().lower().replace("_", ""))
    if found is None or float(found[1]) <= 0:
        raise UsageProblem(f"--volume {text}: not a volume; write 10000/month, 300/day or 20/hour")
    return float(found[1]) * _PER_MONTH[found[2]]


def monthly(use: Use, cell: Candidate, volume: float | None) -> MonthlyCost:
    """The cost of a month: of the volume asked for, else the use's own, else of an example."""
    given = volume if volume is not None else use.images_per_month
    images = EXAMPLE_PER_MONTH if given is None else given

    def times(value: float | None) -> float | None:
        return None if value is None else round(value * images, 4)

    spent = cell.spent
    sends = None if cell.jobs_per_image is None else round(cell.jobs_per_image * images, 1)
    if spent.value is None:
        why = "no delivered image has a price"
    else:
        why = f"from {plural(cell.judged, 'job')}, those without an image included"
        if cell.maybe_share > 0:
            why += f"; {percent(cell.maybe_share)} of it is for jobs that may have been billed without an image"
    return MonthlyCost(
        images_per_month=round(images, 3),
        example=given is None,
        usd=Estimate(value=times(spent.value), low=times(spent.low), high=times(spent.high), n=spent.n),
        jobs_per_month=sends,
        maybe_billed_usd=times(None if spent.value is None else spent.value * cell.maybe_share),
        why=why,
    )
