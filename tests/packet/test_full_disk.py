"""The disk fills up at every call in turn, and for real: there is a whole packet or none, and nothing beside it."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.packet import atomic, verify_packet, write_packet


class Filling:
    """`os` for the writer of packets, on a disk that is full from the n-th call on that touches it."""

    def __init__(self, fails_at: int) -> None:
        self.left = fails_at
        self.failed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def spend(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.failed = True
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def open(self, *args: Any) -> int:
        self.spend()
        return os.open(*args)

    def fsync(self, handle: int) -> None:
        self.spend()
        os.fsync(handle)

    def fdopen(self, handle: int, mode: str) -> Any:
        file, filling = os.fdopen(handle, mode), self

        class Slow:
            """A file that is written in four parts, any of which may be the one that does not fit."""

            def __enter__(self) -> Slow:
                return self

            def __exit__(self, *_: object) -> None:
                file.close()

            def write(self, data: bytes) -> int:
                step = len(data) // 4 + 1
                for at in range(0, len(data), step):
                    filling.spend()
                    file.write(data[at : at + step])
                return len(data)

            def flush(self) -> None:
                filling.spend()
                file.flush()

            def fileno(self) -> int:
                return file.fileno()

        return Slow()


def _outcome(run_dir: Path) -> str:
    try:
        write_packet(run_dir)
    except HarnessError as error:
        return str(error)
    return "written"


@pytest.mark.parametrize("older", [False, True], ids=["no packet before", "a packet before"])
def test_full_at_every_call_in_turn(run_dir: Path, monkeypatch: pytest.MonkeyPatch, older: bool) -> None:
    target = run_dir / "packet.zip"
    before = write_packet(run_dir, job_id="j6").read_bytes() if older else None
    there = sorted(path.name for path in run_dir.iterdir())
    refused = 0
    for fails_at in range(1, 30):
        filling = Filling(fails_at)
        monkeypatch.setattr(atomic, "os", filling)
        said = _outcome(run_dir)
        assert ("No space left" in said) == filling.failed, said
        refused += filling.failed
        if not filling.failed:
            break
        now = target.read_bytes() if target.exists() else None
        if now != before:  # the name stood already when the folder itself could not be flushed
            verify_packet(target)
            before = now
            there = sorted({*there, "packet.zip"})
        assert sorted(path.name for path in run_dir.iterdir()) == there
    assert refused >= 7
    assert not filling.failed
    verify_packet(target)


def test_a_disk_that_is_really_full(run_dir: Path, tmp_path: Path) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("no unshare here")
    place = tmp_path / "small"
    place.mkdir()
    script = f"""
import pathlib
from harness.errors import HarnessError
from harness.packet import write_packet
place = pathlib.Path({str(place)!r})
try:
    write_packet(pathlib.Path({str(run_dir)!r}), place / "packet.zip")
except HarnessError as error:
    print("refused:", "No space left" in str(error), sorted(path.name for path in place.iterdir()))
"""
    mount = f'mount -t tmpfs -o size=12k none {place} && exec {sys.executable} -c "$SCRIPT"'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", mount], env={**os.environ, "SCRIPT": script}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode and "refused" not in done.stdout and ("unshare" in done.stderr or "mount" in done.stderr):
        pytest.skip(f"no file system of our own can be mounted here: {done.stderr.strip()}")
    assert done.stdout.strip() == "refused: True []", done.stderr
