"""Votes that come back from a page that was sent out.

The page's file knows pairs by name only. What each name stands for is in the run's key, so a file of another run, or
one that somebody edited, cannot vote for what was not shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from harness.errors import UsageProblem
from harness.rating.sitting import read_sitting
from harness.rating.votes import Choice, Vote, append_votes, read_lines

RATER = re.compile(r"[A-Za-z0-9_.-]{1,32}")
_SITTING = re.compile(r"[0-9a-f]{10}")
MAX_FILE_BYTES = 10_000_000


class _File(msgspec.Struct, kw_only=True, tag_field="record", tag="rating_votes"):
    schema_version: int
    sitting: str
    rater: str
    votes: list[msgspec.Raw]


class _Line(msgspec.Struct, kw_only=True):
    pair: str
    chosen: Choice
    voted_at: str
    took_ms: float | None = None


@dataclass(frozen=True)
class Imported:
    """What came of a file. `bad` says for each vote that was not taken why."""

    added: int
    known_already: int
    bad: tuple[str, ...]


def import_votes(run_dir: Path, path: Path) -> Imported:
    """Add the votes of a page's file to the run. Votes that are there already are passed over.

    Raises:
        UsageProblem: it is not such a file, or belongs to another run.
    """
    content = _read(path)
    sitting = read_sitting(run_dir, content.sitting)
    pairs = {pair.name: pair for pair in sitting.pairs}
    latest: dict[str, Vote] = {
        vote.pair: vote for vote in read_lines(run_dir)[0] if vote.sitting == sitting.id and vote.rater == content.rater
    }
    added: list[Vote] = []
    bad: list[str] = []
    known = 0
    for number, raw in enumerate(content.votes, start=1):
        try:
            line = msgspec.json.decode(raw, type=_Line)
            at = datetime.fromisoformat(line.voted_at)
            if at.tzinfo is None:
                raise ValueError("voted_at has no offset")
        except (msgspec.DecodeError, ValueError) as error:
            bad.append(f"{path}: vote {number}: {error}")
            continue
        pair = pairs.get(line.pair)
        if pair is None:
            bad.append(f"{path}: vote {number}: this rating has no pair {line.pair[:20]!r}")
            continue
        before = latest.get(pair.name)
        if before is not None and datetime.fromisoformat(before.voted_at) >= at:
            known += 1
            continue
        latest[pair.name] = vote = sitting.vote(pair, line.chosen, line.took_ms, content.rater, at)
        added.append(vote)
    if added:
        append_votes(run_dir, added)
    return Imported(len(added), known, tuple(bad))


def _read(path: Path) -> _File:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise UsageProblem(f"{path}: larger than any file of votes")
        content = msgspec.json.decode(path.read_bytes(), type=_File)
    except OSError as error:
        raise UsageProblem(f"{path}: cannot be read ({error.strerror})") from None
    except msgspec.DecodeError as error:
        raise UsageProblem(f"{path}: not a file that a rating page saved ({error})") from None
    if content.schema_version != 1:
        raise UsageProblem(f"{path}: schema version {content.schema_version}, this harness reads 1")
    if not _SITTING.fullmatch(content.sitting):
        raise UsageProblem(f"{path}: not the name of a rating: {content.sitting[:20]!r}")
    if not RATER.fullmatch(content.rater):
        raise UsageProblem(f"{path}: rater: up to 32 letters, digits and _ . - are allowed")
    return content
