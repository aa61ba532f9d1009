"""What `make bench` runs: situations, and which arms take part in each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MB_AND_A_HALF = 1_500_000
PACED = 12_500_000
LOOP_ARMS = ("sdk_events", "httpx_raw", "aiohttp_arm", "pycurl_multi")


@dataclass(frozen=True)
class Situation:
    """Jobs at once, what each asks for, and over how many seconds their starts are spread (by a fixed seed)."""

    name: str
    jobs: int
    bytes: int = MB_AND_A_HALF
    events: int = 3
    rate: float = 0.0
    spread_s: float = 1.0
    tls: bool = False
    blocked: bool = False
    arms: tuple[str, ...] = ("ours", *LOOP_ARMS)
    goals_ms: dict[str, float] = field(default_factory=dict)  # p99 of |error| for our arm
    quick: bool = False

    def plan(self) -> dict[str, Any]:
        return {"kind": "sse", "events": self.events, "bytes": self.bytes, "rate_bytes_per_s": self.rate, "gap_ms": 300}


def _goals(first: float, whole: float) -> dict[str, float]:
    return {"first_byte": first, "event_first_byte": first, "event_whole": whole}


BURST, PACE = _goals(0.15, 0.3), _goals(0.15, 0.1)
TLS_BURST, TLS_PACE = _goals(0.5, 4.0), _goals(0.5, 0.1)

SITUATIONS = (
    Situation("1 job, burst", 1, goals_ms=BURST, quick=True, arms=("ours", *LOOP_ARMS, "curl_w")),
    Situation("16 jobs, burst", 16, goals_ms=BURST, quick=True),
    Situation("64 jobs, burst", 64, goals_ms=BURST),
    Situation("64 jobs, burst, all at once", 64, spread_s=0.0, goals_ms=BURST, arms=("ours", "sdk_events")),
    Situation("64 jobs, paced", 64, rate=PACED, goals_ms=PACE, quick=True),
    Situation("256 jobs, one event of 1.5 MB", 256, events=1, spread_s=2.0, goals_ms=BURST,
              arms=("ours", "sdk_events")),
    Situation(
        "1000 jobs, one event of 64 KB", 1000, bytes=64_000, events=1, spread_s=2.0, goals_ms=BURST,
        arms=("ours", "sdk_events"),
    ),
    Situation("64 jobs, burst, loop held 50 of 200 ms", 64, blocked=True, goals_ms=_goals(1.0, 1.0),
              arms=("ours", "sdk_events", "httpx_raw")),
    Situation("64 jobs, paced, loop held 50 of 200 ms", 64, rate=PACED, blocked=True, goals_ms=_goals(1.0, 1.0),
              arms=("ours",)),
    Situation("TLS, 1 job, burst", 1, tls=True, goals_ms=TLS_BURST, arms=("ours",), quick=True),
    Situation("TLS, 64 jobs, burst", 64, tls=True, goals_ms=TLS_BURST, arms=("ours",)),
    Situation("TLS, 64 jobs, paced", 64, rate=PACED, tls=True, goals_ms=TLS_PACE, arms=("ours",)),
    Situation("TLS, 256 jobs, one event of 1.5 MB", 256, events=1, spread_s=2.0, tls=True, goals_ms=TLS_BURST,
              arms=("ours",)),
)  # fmt: skip
