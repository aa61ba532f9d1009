"""Times as configuration files write them, each product with its own units."""

from __future__ import annotations

import re
from collections.abc import Mapping

_PART = re.compile(r"(\d{1,15}(?:\.\d{0,15})?|\.\d{1,15})([A-Za-zµ]*)")
LONGEST_S = 10 * 366 * 86_400.0  # what is longer than ten years is a mistake, not a cap

_COMMON = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
NGINX = {**_COMMON, "": 1.0, "w": 604_800.0, "M": 2_592_000.0, "y": 31_536_000.0}
HAPROXY = {**_COMMON, "": 0.001, "us": 1e-6}
APACHE = {"": 1.0, "us": 1e-6, "ms": 0.001, "s": 1.0, "mi": 60.0, "min": 60.0, "h": 3600.0}
GO = {**_COMMON, "ns": 1e-9, "us": 1e-6, "µs": 1e-6}
PROTOBUF = {"s": 1.0}


def seconds(text: str, units: Mapping[str, float], *, joined: bool = False) -> float:
    """A time in seconds. `units` maps each unit to seconds, the empty one to what a bare number means.

    `joined`: several parts may follow one another (``1m30s``, ``1h 30m``). A bare 0 is a time in every product.

    Raises:
        ValueError: it is no time in these units.
    """
    packed = "".join(text.split()) if joined else text.strip()
    if packed == "0":
        return 0.0
    total, at = 0.0, 0
    while at < len(packed):
        found = _PART.match(packed, at)
        if found is None or found[2] not in units or (at and not joined):
            raise ValueError(text[:40])
        total += float(found[1]) * units[found[2]]
        at = found.end()
    if at == 0 or total > LONGEST_S:
        raise ValueError(text[:40])
    return round(total, 6)
