"""An embedded API says how fast its world goes; times read at another speed would all be wrong."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from harness.errors import UsageProblem
from harness.events import JobEvent

SCALE_HEADER = "x-simulator-time-scale"
_OWN_NAMES = (".localhost", ".local", ".internal", ".lan", ".home.arpa", ".test", ".example", ".invalid")


def check_address(source: str, route: str, base_url: str, time_scale: float) -> None:
    """Whether a route that the embedded API does not serve itself may be in a world that runs faster.

    Raises:
        UsageProblem: it is somebody's public address, and its clocks would be multiplied.
    """
    host = urlsplit(base_url).hostname or ""
    if time_scale == 1 or not _public(host):
        return
    raise UsageProblem(
        f"{source}: route {route}: this world runs {time_scale:g} times faster, and {host} does not: every time of it "
        f"would be {time_scale:g} times too long. Leave --time-scale out, or set `simulator: {{time_scale: 1}}`."
    )


def _public(host: str) -> bool:
    try:
        return ip_address(host).is_global
    except ValueError:
        return "." in host and not host.rstrip(".").lower().endswith(_OWN_NAMES)


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
