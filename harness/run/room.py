"""Room on the disk that is kept for what is under way, so that a full disk stops the sending and not the writing.

A job that went out may be billed: its event has to find a place even when everybody else has filled the disk
meanwhile. So the place is taken before the job goes out, by a file that is there for nothing else, and given back when
the first write fails.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

RESERVE_FILE = ".reserve"
EVENT_ROOM_BYTES = 32 * 1024  # a job with a few retries and long headers takes 10 KB
OWN_ROOM_BYTES = 64 * 1024  # run.json and what a file system wants for itself
STEP_BYTES = 256 * 1024  # taken at once: a run with many jobs at once does not ask before every one

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class Room:
    """The reserve of one journal. Grows with the jobs under way; is gone when the journal is closed."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / RESERVE_FILE
        self._file: int | None = None
        self._taken_bytes = 0
        self.full = False  # the disk was found full: nothing more may be sent

    def take(self, jobs: int) -> None:
        """Hold room for the events of so many jobs under way.

        Raises:
            OSError: there is none; what was held before is still held.
        """
        wanted = OWN_ROOM_BYTES + jobs * EVENT_ROOM_BYTES
        if wanted <= self._taken_bytes:
            return
        wanted = -(-wanted // STEP_BYTES) * STEP_BYTES
        if self._file is None:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(self._file, 0, wanted)
        else:  # macOS: written, and not only promised
            while self._taken_bytes < wanted:
                self._taken_bytes += os.pwrite(self._file, bytes(STEP_BYTES), self._taken_bytes)
        self._taken_bytes = wanted

    def use(self) -> bool:
        """Give the room back, for what has to be written now; whether there was any."""
        held = self._taken_bytes > 0
        self.close()
        return held

    def close(self) -> None:
        """Give the room back; the file goes as well."""
        if self._file is not None:
            os.close(self._file)
            self._path.unlink(missing_ok=True)
        self._file, self._taken_bytes = None, 0
