"""A large journal: real events of the sample run, varied, and as many as asked for."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec

from harness.events import JobEvent, from_line, to_line

VARIANTS = 40  # of every event of the sample
_PLACE = "JOB-ID-GOES-HERE"


def templates(sample: Path, seed: int = 1) -> list[list[bytes]]:
    """Lines cut at the places where a job's own id belongs; figures differ between the variants."""
    dice = random.Random(seed)
    cut: list[list[bytes]] = []
    for line in sample.read_bytes().splitlines():
        event = from_line(line)
        for _ in range(VARIANTS):
            cut.append(to_line(_varied(event, dice.lognormvariate(0, 0.15))).split(_PLACE.encode()))
    dice.shuffle(cut)
    return cut


def _varied(event: JobEvent, factor: float) -> JobEvent:
    """The event with its times stretched; a cut stays where the cap is, but for a little."""
    stretch = 1 + (factor - 1) * 0.01 if event.outcome in {"cut", "error"} else factor

    def scaled(name: str, value: object) -> object:
        timed = name.endswith("_ms") and isinstance(value, float) and name != "cap_ms"
        return round(value * stretch, 3) if timed and isinstance(value, float) else value

    last = event.attempts[-1]
    names = last.marks.__struct_fields__
    marks = msgspec.structs.replace(last.marks, **{n: scaled(n, getattr(last.marks, n)) for n in names})
    attempt = msgspec.structs.replace(
        last, marks=marks, client_request_id=f"harness-{_PLACE}-1", request_id=last.request_id and f"req_{_PLACE}"
    )
    clocks = {n: scaled(n, getattr(event, n)) for n in event.__struct_fields__}
    clocks |= {"job_id": _PLACE, "attempts": (*event.attempts[:-1], attempt), "request_id": attempt.request_id}
    return msgspec.structs.replace(event, **clocks)


def write_journal(target: Path, sample: Path, count: int) -> int:
    """Write `count` events, every one with ids of its own; the file's size in bytes."""
    lines = templates(sample)
    with target.open("wb", buffering=1 << 22) as out:
        for number in range(count):
            out.write((b"%016x" % number).join(lines[number % len(lines)]))
    return target.stat().st_size
