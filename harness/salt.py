"""The salt of prompt hashes: one per user and machine, never inside a run's folder.

The same prompt has the same hash in all runs of one user, so that runs can be paired; a folder that is handed on
holds nothing by which a short prompt could be guessed.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
from pathlib import Path

from harness.errors import UsageProblem


def salt_path() -> Path:
    """``$XDG_STATE_HOME/harness/salt``, by default below ``~/.local/state``."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "harness" / "salt"


def load_salt() -> bytes:
    """Read the salt, making it at the first use (mode 0600)."""
    path = salt_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            _make(path)
        salt = path.read_bytes()
    except OSError as error:
        raise UsageProblem(
            f"{path}: cannot keep the salt for prompt hashes ({error.strerror}); set XDG_STATE_HOME to a writable place"
        ) from None
    if len(salt) < 16:
        raise UsageProblem(f"{path}: the salt is cut short; delete the file to get a new one")
    return salt


def _make(path: Path) -> None:
    """The whole salt or none: it gets its name when it is written, so that a kill leaves no half of it."""
    fresh = path.with_name(f".salt-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # somebody was faster: theirs is the one
            os.link(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


def prompt_hash(prompt: str, salt: bytes) -> str:
    """32 hex digits of HMAC-SHA256."""
    return hmac.digest(salt, prompt.encode(), "sha256").hex()[:32]
