"""When the next round is due. Pure: takes moments, gives moments, all in seconds of this machine since 1970."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from harness.errors import UsageProblem

LEAST_S = 1.0
_UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_EVERY = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*(s|m|min|h|d)")


@dataclass(frozen=True)
class Due:
    """When a round begins, and how many rounds fell out before it: rounds are never made up for."""

    at_s: float
    missed: int = 0


def period(text: str, option: str) -> float:
    """ "15m" → 900.

    Raises:
        UsageProblem: it is no period, or a year and more.
    """
    found = _EVERY.fullmatch(text.strip())
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if not 0 < seconds <= 366 * 86_400:
        raise UsageProblem(f"{option}: {text!r} is no period; write 90s, 15m, 1h or 30d")
    return seconds


def first(last_began_s: float | None, every_s: float, now_s: float) -> Due:
    """The first round of this process. A watch that was killed and started again does not send more than one that ran
    on: the next round is due a period after the last one began, and at once when that is over."""
    if last_began_s is None or last_began_s > now_s:  # the clock was set back: what was due then is not known
        return Due(now_s)
    if now_s - last_began_s < every_s:
        return Due(last_began_s + every_s)
    return Due(now_s, missed=max(0, math.floor((now_s - last_began_s) / every_s) - 1))


def following(due_s: float, every_s: float, now_s: float) -> Due:
    """The round after the one that was due then: the next place on the same grid that is not over yet."""
    if now_s < due_s:  # set back
        return Due(now_s + every_s)
    places = max(1, math.ceil((now_s - due_s) / every_s))
    return Due(due_s + places * every_s, missed=places - 1)


def rounds_a_day(every_s: float) -> float:
    return 86_400.0 / every_s
