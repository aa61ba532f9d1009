"""Configuration files and what they include: read whole, bounded, and named without giving away what they are called.

An included file's name often is a host's name. It is told by its number and the line that includes it.
"""

from __future__ import annotations

import glob
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import UsageProblem

MAX_BYTES = 1_000_000
MAX_FILES = 300
MAX_DEPTH = 12


@dataclass(frozen=True)
class Source:
    """One file: its path, the name that it is told by, and its text."""

    path: Path
    label: str
    text: str
    depth: int = 0

    def at(self, line: int) -> str:
        return f"{self.label}:{line}"

    def problem(self, line: int, what: str) -> UsageProblem:
        """Something in this file that cannot be used."""
        return UsageProblem(f"{self.label}:{line}: {what}")


@dataclass
class Sources:
    """A configuration file with its includes. `notes` says what was not followed."""

    main: Source
    notes: list[str] = field(default_factory=list)
    _opened: int = 1

    @classmethod
    def open(cls, path: Path) -> Sources:
        """The file that the user named.

        Raises:
            UsageProblem: it cannot be read as text, or is too large to be one.
        """
        try:
            if not path.is_file():
                raise UsageProblem(f"{path}: {'not a plain file' if path.exists() else 'there is no such file'}")
            return cls(Source(path, str(path), _text(path)))
        except (OSError, ValueError) as error:
            raise UsageProblem(f"{path}: cannot be read ({type(error).__name__})") from None

    def included(self, pattern: str, source: Source, line: int, folder: Path) -> list[Source]:
        """The files that an include means, in order. What is not here is noted, not an error: a copy is often alone."""
        here = source.at(line)
        try:
            found = sorted(glob.glob(str(folder / pattern)))  # noqa: PTH207 - patterns may be absolute
        except (OSError, ValueError):
            found = []
        if not found:
            if not glob.has_magic(pattern):
                self.notes.append(f"{here}: what it includes is not here and was not read")
            return []
        inner: list[Source] = []
        for number, name in enumerate(found, start=1):
            label = f"{here} → include" + (f" {number}" if len(found) > 1 else "")
            self._opened += 1
            if source.depth >= MAX_DEPTH or self._opened > MAX_FILES:
                raise source.problem(line, f"includes more than {MAX_FILES} files, or deeper than {MAX_DEPTH}")
            try:
                if Path(name).is_file():
                    inner.append(Source(Path(name), label, _text(Path(name)), source.depth + 1))
            except (OSError, ValueError) as error:
                self.notes.append(f"{label}: cannot be read ({type(error).__name__})")
        return inner


def _text(path: Path) -> str:
    if path.stat().st_size > MAX_BYTES:
        raise UsageProblem(f"{path}: larger than {MAX_BYTES} bytes; give the configuration itself")
    return path.read_bytes().decode("utf-8-sig", "replace").replace("\r\n", "\n")
