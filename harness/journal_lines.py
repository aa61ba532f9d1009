"""WAIST: a journal (``events.jsonl``) read line by line, whatever stands in it: jobs, later checks of links, torn ends.

What a line holds is `harness.events`. Columns for figures come from `harness.frame`, which is made for a million lines;
here every event is an object.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from harness.events import JobEvent, LinkCheck

_decoder = msgspec.json.Decoder(JobEvent | LinkCheck)


class BadLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line that could not be read, set aside and never silently dropped."""

    line: int
    reason: str


def read_events(path: Path) -> tuple[list[JobEvent], list[BadLine]]:
    """Every event of a journal, and every line that is not one (with its number and the reason)."""
    events: list[JobEvent] = []
    bad: list[BadLine] = []
    for number, result in iter_events(path):
        if isinstance(result, JobEvent):
            events.append(result)
        else:
            bad.append(BadLine(line=number, reason=result))
    return events, bad


def iter_events(path: Path) -> Iterator[tuple[int, JobEvent | str]]:
    """Yield (line number, event or the reason why the line is not one). Later checks of links are passed over."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                found = _decoder.decode(line)
                if isinstance(found, JobEvent):
                    yield number, found
            except msgspec.ValidationError as error:
                yield number, f"not a job event: {error}"
            except msgspec.DecodeError:
                torn = "torn line (the writer was stopped)" if not line.endswith(b"\n") else "not JSON"
                yield number, torn


def read_link_checks(path: Path) -> list[LinkCheck]:
    """Every later check of a link that a journal holds."""
    found: list[LinkCheck] = []
    with path.open("rb") as lines:
        for line in lines:
            if b'"link_check"' in line[:64] and line.endswith(b"\n"):  # the last one may be under way
                found.append(msgspec.json.decode(line, type=LinkCheck))
    return found
