"""A file appears whole or not at all: temporary beside it, fsync, check, rename, fsync of the directory."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path

from harness.errors import HarnessError


def _temporary(out: Path) -> Path:
    return out.with_name(f".{out.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def clear_leftovers(out: Path) -> int:
    """Remove temporaries of `out` whose writers are dead. One that is still being written is left alone."""
    removed = 0
    pattern = re.compile(rf"\.{re.escape(out.name)}\.([0-9]{{1,9}})-[0-9a-f]{{8}}\.tmp")
    for path in out.parent.iterdir():
        found = pattern.fullmatch(path.name)
        if found is not None and not _alive(int(found[1])):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
                removed += 1
    return removed


def write_whole(out: Path, data: bytes, check: Callable[[bytes], object]) -> None:
    """Write `data` to `out`. `check` is given the bytes read back from disk before the rename, and may raise.

    Raises:
        HarnessError: the file system would not take it (disk full, no permission); `out` is as it was before.
    """
    fresh = _temporary(out)
    try:
        clear_leftovers(out)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        check(fresh.read_bytes())
        fresh.replace(out)
        directory = os.open(out.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise HarnessError(f"{out}: could not be written ({error.strerror}); nothing was left behind") from None
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink()
