"""The journal of a run: what was sent, what came of it; appended and flushed job by job.

Two files. ``sends.jsonl`` gets a line before a job goes out and before each retry of it, ``events.jsonl`` one after it
ended. A job with a send and no event was on its way when the process died: its answer may exist and may have been
billed, so it is never sent again without being asked.

Neither a kill nor a full disk takes away what was written. A line is one write; half a line is set aside by the next
process. Before a job goes out there is room for its event (`harness.run.room`).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self

import msgspec

from harness.conditions import EVENTS_FILE
from harness.errors import HarnessError, UsageProblem
from harness.events import JobEvent, LinkCheck, to_line
from harness.journal_lines import iter_events
from harness.run.room import FULL, Room

SENDS_FILE = "sends.jsonl"
TORN_FILE = "torn.txt"
LOCK_FILE = ".lock"
UNSEEN = frozenset({"unknown", "cancelled"})


class Send(msgspec.Struct, frozen=True, kw_only=True):
    """A job is about to go out, for the first time or again."""

    job_id: str
    at: str
    client_request_id: str
    number: int = 1  # of the attempt
    orders: int = 1  # this one, and those before it of the job that may be billed


class DiskFull(HarnessError):
    """There is no room for one more job: it was not sent."""


class Journal:
    """Append-only record of a run. Use as a context manager; one writer per directory.

    Raises, when entered:
        UsageProblem: another process writes there.
        HarnessError: the directory cannot be written.
    """

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.finished: set[str] = set()
        self.unseen: set[str] = set()  # finished without anybody having seen the answer: unknown or dropped
        self.sent: dict[str, Send] = {}  # by earlier processes
        self.ever_sent: set[str] = set()  # and by this one
        self.torn_lines = 0
        self._unended: set[str] = set()  # sent by earlier processes, the last time without an end
        self._under_way: set[str] = set()  # sent by this process and not over
        self._room = Room(run_dir)

    def __enter__(self) -> Self:
        try:
            return self._open()
        except OSError as error:
            raise HarnessError(f"{self.run_dir}: cannot write here ({_why(error)}); nothing was sent") from error

    def _open(self) -> Self:
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
        self._room.close()
        self._events.close()
        self._sends.close()
        self._lock.close()

    @property
    def on_their_way(self) -> set[str]:
        """Jobs that were sent by a process that died before it saw their end: also those that it sent again."""
        return set(self._unended)

    def finished_events(self) -> Iterator[JobEvent]:
        """The events of jobs that were over before this process began."""
        for _, result in iter_events(self.run_dir / EVENTS_FILE):
            if isinstance(result, JobEvent):
                yield result

    @property
    def full(self) -> str | None:
        """Why nothing more may be sent: the disk was found full. None: all is well."""
        if not self._room.full:
            return None
        told = "what was in flight is recorded, nothing more was sent"
        return f"{self.run_dir}: the disk is full ({os.strerror(errno.ENOSPC)}); {told}"

    def send(self, send: Send) -> None:
        """Say that a job is about to go out. When this returns there is room for its event as well.

        Raises:
            DiskFull: there is no room; the job must not be sent.
            HarnessError: the journal cannot be written for another reason.
        """
        if not self._room.full:
            try:
                self._room.take(len(self._under_way | {send.job_id}))
                _append(self._sends, msgspec.json.encode(send) + b"\n")
            except OSError as error:
                if error.errno not in FULL:
                    raise self._unwritable(error) from error
                self.found_full()
        if self.full is not None:
            raise DiskFull(self.full)
        self._under_way.add(send.job_id)
        self.ever_sent.add(send.job_id)

    def finish(self, event: JobEvent) -> None:
        """Record how a job ended, in the room that was kept for it if there is no other.

        Raises:
            HarnessError: the journal cannot be written.
        """
        self._record(to_line(event))
        self._under_way.discard(event.job_id)
        self._unended.discard(event.job_id)
        self.finished.add(event.job_id)
        if self._room.full:
            self.found_full()

    def found_full(self) -> None:
        """Somebody found this disk full: nothing more is sent, and when all is over the last room serves run.json."""
        self._room.full = True
        if not self._under_way:
            self._room.use()

    def note(self, check: LinkCheck) -> None:
        """Record a later look at a link."""
        self._record(to_line(check))

    def _record(self, line: bytes) -> None:
        try:
            try:
                _append(self._events, line)
            except OSError as error:
                self._room.full = error.errno in FULL
                if not self._room.full or not self._room.use():
                    raise
                _append(self._events, line)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> HarnessError:
        return HarnessError(
            f"{self.run_dir}: cannot write the journal ({_why(error)}); "
            "nothing more is sent. Free some space and run again with the same --out to go on."
        )

    def _set_torn_line_aside(self, path: Path) -> None:
        """A writer killed in the middle of a line leaves a part of it: keep the part apart, and the journal clean.

        A line that lacks nothing but its end is whole: it gets its end.
        """
        if not path.exists():
            return
        part = _unended(path)
        if not part:
            return
        if _is_whole(part):
            with path.open("ab") as whole:
                whole.write(b"\n")
            return
        with (self.run_dir / TORN_FILE).open("ab") as aside:
            aside.write(path.name.encode() + b": " + part + b"\n")
        with path.open("r+b") as whole:
            whole.truncate(path.stat().st_size - len(part))
        self.torn_lines += 1

    def _recall(self) -> None:
        open_sends: Counter[str] = Counter()  # every event ends one sending, with all its retries
        events = self.run_dir / EVENTS_FILE
        if events.exists():
            for event in self.finished_events():
                self.finished.add(event.job_id)
                open_sends[event.job_id] -= 1
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
                open_sends[send.job_id] += send.number == 1
        self._unended = {job_id for job_id, count in open_sends.items() if count > 0}
        self.ever_sent = set(self.sent) | self.finished


def _append(target: BinaryIO, line: bytes) -> None:
    """One unbuffered write: the kernel has it when this returns, so that a kill cannot lose it.

    Raises:
        OSError: it does not fit. No part of it stays, so that the next line begins where a line begins.
    """
    before = os.fstat(target.fileno()).st_size
    try:
        written = target.write(line)
        while written < len(line):  # a full disk takes what fits, and says so at the next byte
            written += target.write(line[written:])
    except OSError:
        with contextlib.suppress(OSError):  # no file of a disk (/dev/full): nothing to take back
            os.ftruncate(target.fileno(), before)
        raise


def _unended(path: Path) -> bytes:
    """What stands behind the last line's end: nothing, when nobody was killed."""
    with path.open("rb") as file:
        at, part = file.seek(0, os.SEEK_END), b""
        while at and b"\n" not in part:
            step = min(at, 64 * 1024)
            at = file.seek(at - step)
            part = file.read(step) + part
    return part.rpartition(b"\n")[2]


def _is_whole(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except msgspec.DecodeError:
        return False
    return True


def _why(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)
