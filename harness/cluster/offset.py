"""How far a worker's wall clock is ahead of ours, from round trips: pure.

The worker reads its clock somewhere between our asking and its answer's arrival, so our middle is off by at most half
of the round trip, however unequal the two ways are (RFC 5905, section 8: offset and delay). The fastest round trip
says most. What is older may have drifted: `DRIFT` is what the worst ordinary quartz and a correcting NTP daemon make
of it (RFC 5905 lets a clock be slewed by 500 millionths).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

DRIFT = 500e-6
KEPT = 64


@dataclass(frozen=True)
class Sample:
    """One round trip: our wall clock before and after, the worker's in between, all in ns since 1970."""

    before_ns: int
    worker_ns: int
    after_ns: int


@dataclass(frozen=True)
class Offset:
    """The worker's clock minus ours, in ms, and how far that may be off."""

    ms: float
    error_ms: float


@dataclass
class Offsets:
    """The last round trips with one worker."""

    _samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=KEPT))

    def add(self, sample: Sample) -> None:
        """One more; one whose end lies before its beginning (our clock was set back) is passed over."""
        if sample.after_ns >= sample.before_ns:
            self._samples.append(sample)

    def at(self, now_ns: int) -> Offset | None:
        """The offset now; null before the first round trip."""
        found = [_read(sample, now_ns) for sample in self._samples]
        return min(found, key=lambda one: one.error_ms, default=None)


def _read(sample: Sample, now_ns: int) -> Offset:
    # Differences first: ns since 1970 have more digits than a float.
    half_ns = (sample.after_ns - sample.before_ns) / 2
    age_ns = abs(now_ns - sample.before_ns - half_ns)
    return Offset((sample.worker_ns - sample.before_ns - half_ns) / 1e6, (half_ns + DRIFT * age_ns) / 1e6)
