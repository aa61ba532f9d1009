"""Links of results that are to be fetched again later: kept in the user's state directory, never in a run's folder.

A result link is its own permission, so it is a secret: the book is mode 0600, holds only what a scenario's
`link_check` asked for, and an entry is torn out when its last check is done.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness.errors import HarnessError
from harness.salt import salt_path


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One link and what it led to when it was new."""

    run_id: str
    job_id: str
    route: str
    link: int
    url: str
    fetched_at_s: float  # Unix time
    sha256: str | None  # of the file; None when it could not be fetched even then
    due_s: tuple[float, ...]  # ages, in seconds of the measured world, that are still to be looked at
    time_scale: float = 1.0
    ca_file: str | None = None

    def age_s(self, now_s: float) -> float:
        """How old the link is in the measured world."""
        return (now_s - self.fetched_at_s) * self.time_scale


class LinkBook:
    """The links of one run."""

    def __init__(self, run_id: str) -> None:
        self.path: Path = salt_path().parent / "links" / f"{run_id}.jsonl"

    def add(self, links: Sequence[Kept]) -> None:
        """Remember links.

        Raises:
            HarnessError: the state directory cannot be written.
        """
        if not links:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(handle, "ab") as book:
                book.write(b"".join(msgspec.json.encode(one) + b"\n" for one in links))
        except OSError as error:
            raise HarnessError(f"{self.path}: links cannot be kept ({error.strerror}); set XDG_STATE_HOME") from None

    def read(self) -> list[Kept]:
        """What is kept; a torn last line is a link that was never promised."""
        if not self.path.exists():
            return []
        kept = []
        for line in self.path.read_bytes().splitlines():
            try:
                kept.append(msgspec.json.decode(line, type=Kept))
            except msgspec.MsgspecError:
                continue
        return kept

    def replace(self, links: Sequence[Kept]) -> None:
        """Keep these and no others; nothing left means no file."""
        if not links:
            self.path.unlink(missing_ok=True)
            return
        fresh = self.path.with_suffix(".tmp")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as book:
            book.write(b"".join(msgspec.json.encode(one) + b"\n" for one in links))
        fresh.replace(self.path)
