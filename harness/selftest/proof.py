"""How far our clocks are off, and whether that is what the documentation promises."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.conditions import ClockProof, ProofRow
from harness.selftest.drive import Drive, Seen
from harness.wire.stamp import Stamp

CLOCKS = ("first_byte", "event_first_byte", "event_whole")

# What docs/clocks.md promises for kernel stamps on a machine that is not overrun: p99 of |error| in ms.
PROMISED_MS: dict[tuple[str, bool], float] = {
    ("first_byte", False): 0.5,
    ("event_first_byte", False): 0.5,
    ("event_whole", False): 0.5,
    ("first_byte", True): 1.0,
    ("event_first_byte", True): 1.0,
    ("event_whole", True): 4.0,
}


@dataclass(frozen=True)
class Errors:
    """Stamp minus truth, in ns, and whether the truth lies in the stamp's interval."""

    off_ns: tuple[int, ...] = ()
    inside: int = 0

    def __add__(self, other: Errors) -> Errors:
        return Errors(self.off_ns + other.off_ns, self.inside + other.inside)


def errors_of(drive: Drive, truth: Mapping[str, Mapping[str, Any]]) -> dict[str, Errors]:
    """Errors by clock over all jobs of a round."""
    gathered: dict[str, list[tuple[int, bool]]] = {clock: [] for clock in CLOCKS}
    for seen in drive.seen:
        for clock, error in _of_job(seen, truth[seen.id]):
            gathered[clock].append(error)
    return {
        clock: Errors(tuple(off for off, _ in found), sum(inside for _, inside in found))
        for clock, found in gathered.items()
    }


def _of_job(seen: Seen, truth: Mapping[str, Any]) -> list[tuple[str, tuple[int, bool]]]:
    headers = truth["headers"]
    found = [("first_byte", _began(seen.first_byte, headers))]
    for (first, whole), sent in zip(seen.events, truth["events"], strict=True):
        found.append(("event_first_byte", _began(first, sent)))
        off_ns = whole_off_ns(whole.ns, sent)
        found.append(("event_whole", (off_ns, off_ns >= 0 and whole.not_before_ns <= sent["whole_ns"])))
    return found


def _began(stamp: Stamp, sent: Mapping[str, int]) -> tuple[int, bool]:
    """The error, and whether the stamp's interval meets the time in which the byte left."""
    off_ns = began_off_ns(stamp.ns, sent)
    return off_ns, off_ns >= 0 and stamp.not_before_ns <= sent["first_after_ns"]


def began_off_ns(stamp_ns: int, sent: Mapping[str, int]) -> int:
    """A first byte's stamp minus the moment before the call that carried it: it cannot have left before that."""
    return stamp_ns - sent["first_before_ns"]


def whole_off_ns(stamp_ns: int, sent: Mapping[str, int]) -> int:
    """How far a last byte's stamp lies outside of the call that carried it; 0 inside.

    The call carries 4 KB and takes some 10 µs. Where the server was put off the processor in the middle of it, nobody
    knows the truth any better than that.
    """
    if stamp_ns > sent["whole_ns"]:
        return stamp_ns - sent["whole_ns"]
    return min(stamp_ns - sent["last_before_ns"], 0)


def nearest_rank(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def row_of(clock: str, jobs: int, tls: bool, errors: Errors, *, kernel: bool) -> ProofRow:
    """One line of the table."""
    off_ms = [off / 1e6 for off in errors.off_ns]
    sizes = [abs(off) for off in off_ms]
    p99_ms = nearest_rank(sizes, 0.99)
    promised_ms = PROMISED_MS[clock, tls] if kernel else None
    return ProofRow(
        clock=clock,
        jobs=jobs,
        tls=tls,
        stamps=len(off_ms),
        bias_ms=round(nearest_rank(off_ms, 0.5), 4),
        p99_ms=round(p99_ms, 4),
        worst_ms=round(max(sizes), 4),
        inside=round(errors.inside / len(off_ms), 4),
        promised_ms=promised_ms,
        kept=None if promised_ms is None else p99_ms <= promised_ms,
    )


def broken(proof: ClockProof) -> list[ProofRow]:
    """Rows that break their promise."""
    return [row for row in proof.rows if row.kept is False]
