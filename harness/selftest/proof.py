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


def errors_of(drive: Drive) -> dict[str, Errors]:
    """Errors by clock over all jobs of a round."""
    gathered: dict[str, list[tuple[int, bool]]] = {clock: [] for clock in CLOCKS}
    for seen in drive.seen:
        for clock, error in _of_job(seen, drive.truth[seen.id]):
            gathered[clock].append(error)
    return {
        clock: Errors(tuple(off for off, _ in found), sum(inside for _, inside in found))
        for clock, found in gathered.items()
    }


def _of_job(seen: Seen, truth: Mapping[str, Any]) -> list[tuple[str, tuple[int, bool]]]:
    headers = truth["headers"]
    found = [("first_byte", _error(seen.first_byte, headers["first_before_ns"], headers["first_after_ns"]))]
    for (first, whole), sent in zip(seen.events, truth["events"], strict=True):
        # What the call carried left between its two stamps; the mark is held against the tighter meaning of each:
        # a first byte cannot leave before its call began, an event is not whole before its last call returned.
        found.append(("event_first_byte", _error(first, sent["first_before_ns"], sent["first_after_ns"])))
        held = whole.not_before_ns <= sent["whole_ns"] and sent["last_before_ns"] <= whole.ns
        found.append(("event_whole", (whole.ns - sent["whole_ns"], held)))
    return found


def _error(stamp: Stamp, before_ns: int, after_ns: int) -> tuple[int, bool]:
    return stamp.ns - before_ns, stamp.not_before_ns <= after_ns and before_ns <= stamp.ns


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
