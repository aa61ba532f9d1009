"""The journal of a run: what was sent, what came of it; appended and flushed job by job.

Two files. ``sends.jsonl`` gets a line before a job goes out, ``events.jsonl`` one after it ended. A job with a send
and no event was on its way when the process died: its answer may exist and may have been billed, so it is never sent
again without being asked.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self

import msgspec

from harness.conditions import EVENTS_FILE
from harness.errors import HarnessError, UsageProblem
from harness.events import JobEvent, LinkCheck, to_line
from harness.journal_lines import iter_events

SENDS_FILE = "sends.jsonl"
TORN_FILE = "torn.txt"
LOCK_FILE = ".lock"
UNSEEN = frozenset({"unknown", "cancelled"})


class Send(msgspec.Struct, frozen=True, kw_only=True):
    """A job is about to go out."""

    job_id: str
    at: str
    client_request_id: str


class Journal:
    """Append-only record of a run. Use as a context manager; one writer per directory."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.finished: set[str] = set()
        self.unseen: set[str] = set()  # finished without anybody having seen the answer: unknown or dropped
        self.sent: dict[str, Send] = {}  # by earlier processes
        self.ever_sent: set[str] = set()  # and by this one
        self.torn_lines = 0

    def __enter__(self) -> Self:
        self.run_dir.mkdir(parents=True, exist_ok=True)
        self._lock = (self.run_dir / LOCK_FILE).open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise UsageProblem(
                f"{self.run_dir}: another `harness run` is writing here; wait for it or give another --out"
            ) from None
        for name in (EVENTS_FILE, SENDS_FILE):
            self._set_torn_line_aside(self.run_dir / name)
        self._recall()
        self._events = (self.run_dir / EVENTS_FILE).open("ab", buffering=0)
        self._sends = (self.run_dir / SENDS_FILE).open("ab", buffering=0)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._events.close()
        self._sends.close()
        self._lock.close()

    @property
    def on_their_way(self) -> set[str]:
        """Jobs that were sent by a process that died before it saw their end."""
        return set(self.sent) - self.finished

    def finished_events(self) -> Iterator[JobEvent]:
        """The events of jobs that were over before this process began."""
        for _, result in iter_events(self.run_dir / EVENTS_FILE):
            if isinstance(result, JobEvent):
                yield result

    def send(self, send: Send) -> None:
        """Say that a job is about to go out."""
        self._append(self._sends, msgspec.json.encode(send) + b"\n")
        self.ever_sent.add(send.job_id)

    def finish(self, event: JobEvent) -> None:
        """Record how a job ended."""
        self._append(self._events, to_line(event))
        self.finished.add(event.job_id)

    def note(self, check: LinkCheck) -> None:
        """Record a later look at a link."""
        self._append(self._events, to_line(check))

    def _append(self, target: BinaryIO, line: bytes) -> None:
        # One unbuffered write per line: the kernel has it when this returns, so that a kill cannot lose it.
        try:
            written = target.write(line)
            if written != len(line):
                raise OSError("short write")
        except OSError as error:
            raise HarnessError(
                f"{self.run_dir}: cannot write the journal ({os.strerror(error.errno) if error.errno else error}); "
                "nothing more is sent. Free some space and run again with the same --out to go on."
            ) from error

    def _set_torn_line_aside(self, path: Path) -> None:
        """A writer killed in the middle of a line leaves half of it: keep the half apart, and the journal clean."""
        if not path.exists():
            return
        data = path.read_bytes()
        if not data or data.endswith(b"\n"):
            return
        keep = data.rfind(b"\n") + 1
        with (self.run_dir / TORN_FILE).open("ab") as aside:
            aside.write(path.name.encode() + b": " + data[keep:] + b"\n")
        with path.open("r+b") as whole:
            whole.truncate(keep)
        self.torn_lines += 1

    def _recall(self) -> None:
        events = self.run_dir / EVENTS_FILE
        if events.exists():
            for event in self.finished_events():
                self.finished.add(event.job_id)
                (self.unseen.add if event.outcome in UNSEEN else self.unseen.discard)(event.job_id)
        sends = self.run_dir / SENDS_FILE
        if sends.exists():
            decoder = msgspec.json.Decoder(Send)
            for line in sends.read_bytes().splitlines():
                try:
                    send = decoder.decode(line)
                except msgspec.MsgspecError:
                    self.torn_lines += 1
                    continue
                self.sent[send.job_id] = send
        self.ever_sent = set(self.sent) | self.finished
