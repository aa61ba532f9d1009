"""What happens behind (or before) a layer. The embedded API plays it; "refused" is a port without a listener."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CAP_S = 2.0  # of every layer, unless its module says why not


@dataclass(frozen=True)
class Situation:
    """One way in which an answer may fail to come."""

    name: str
    says: str  # one phrase, for the table
    fault: str | None = None  # of the embedded API; None: as it is
    fields: Mapping[str, Any] = field(default_factory=dict)  # of the request
    listens: bool = True  # whether anything is behind the layer at all
    plain_fault: str | None = None  # where no stream gets through


STREAMED = {"stream": True}

SITUATIONS = {
    one.name: one
    for one in (
        Situation("silent", "no byte for longer than the cap", "delay;s=6"),
        Situation("stall", "headers, then nothing for longer than the cap", "stall;s=8", STREAMED),
        Situation(
            "drip",
            "a few bytes every half second, in all for longer than the cap",
            "comments;every=0.5",
            STREAMED,
            plain_fault="whitespace_keepalive;every=0.5",
        ),
        Situation("closed", "the upstream closes before any byte", "cut;after=silence;s=0.3"),
        Situation("broken", "the upstream closes in the middle of the body", "cut;s=0.6"),
        Situation("refused", "nothing listens there", listens=False),
        Situation("own-504", "the upstream's own 504 is passed on", "504"),
    )
}

FAULT_HEADER = "x-sim-fault"
