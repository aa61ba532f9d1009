"""Votes on disk: ``votes.jsonl`` in the run's folder, one line a vote, appended and flushed as it is cast.

Nothing is ever rewritten. Of several lines of one rater on one pair the last one counts, and "undone" means that the
pair is open again.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from harness.errors import HarnessError, UsageProblem
from harness.journal_lines import BadLine

VOTES_FILE = "votes.jsonl"
VOTES_SCHEMA_VERSION = 1

Choice = Literal["left", "right", "tie", "neither"]


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One picture of a pair."""

    job_id: str
    index: int
    cell: str


class Vote(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="vote"):
    """What somebody said of one pair. `rater` null: whoever sat at the machine."""

    schema_version: int = VOTES_SCHEMA_VERSION
    sitting: str  # which set of pairs
    pair: str
    left: Shown
    right: Shown
    block: int
    prompt_hash: str
    chosen: Choice | Literal["undone"]
    took_ms: float | None = None  # from both pictures visible to the vote; null where the page did not say
    rater: str | None = None
    voted_at: str  # ISO 8601 with offset


@dataclass(frozen=True)
class Votes:
    """The votes that count, in the order of their pairs' first vote, and lines that could not be read."""

    cast: tuple[Vote, ...] = ()
    bad_lines: tuple[BadLine, ...] = ()


def read_votes(run_dir: Path) -> Votes:
    """The votes of a run; none when nobody voted.

    Raises:
        UsageProblem: the file is there and cannot be read.
    """
    lines, bad = read_lines(run_dir)
    latest: dict[tuple[str, str, str | None], Vote] = {}
    for vote in lines:
        latest[vote.sitting, vote.pair, vote.rater] = vote
    return Votes(tuple(vote for vote in latest.values() if vote.chosen != "undone"), tuple(bad))


def read_lines(run_dir: Path) -> tuple[list[Vote], list[BadLine]]:
    """Every line as it stands, those that others replaced included."""
    path = run_dir / VOTES_FILE
    found: list[Vote] = []
    bad: list[BadLine] = []
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [], []
    except OSError as error:
        raise UsageProblem(f"{path}: cannot be read ({error.strerror})") from None
    for number, line in enumerate(data.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            vote = msgspec.json.decode(line, type=Vote)
        except msgspec.DecodeError as error:
            bad.append(BadLine(line=number, reason=f"not a vote: {error}"))
            continue
        if vote.schema_version > VOTES_SCHEMA_VERSION:
            bad.append(BadLine(line=number, reason=f"schema version {vote.schema_version} is newer than this harness"))
        else:
            found.append(vote)
    return found, bad


def append_votes(run_dir: Path, votes: Sequence[Vote]) -> None:
    """Add votes; they are on the disk when this returns.

    Raises:
        HarnessError: they are not.
    """
    path = run_dir / VOTES_FILE
    try:
        with path.open("a+b") as lines:
            end = lines.seek(0, os.SEEK_END)
            if end:  # half a line of a process that was killed stays a line of its own
                lines.seek(end - 1)
                if lines.read(1) != b"\n":
                    lines.write(b"\n")
            lines.write(b"".join(msgspec.json.encode(vote) + b"\n" for vote in votes))
            lines.flush()
            os.fsync(lines.fileno())
    except OSError as error:
        raise HarnessError(f"{path}: the vote cannot be written ({error.strerror}); free some space") from error
