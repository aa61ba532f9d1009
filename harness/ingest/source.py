"""Somebody's file as clean text: unpacked, in UTF-8, with line numbers that still hold.

Readers get a `Source` and need not know whether the file was compressed, came on standard input, or had a line in it
that is no text. A line that cannot be text, or is longer than `MAX_LINE`, is left empty and told as a setback, so that
every other line keeps its number.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import shutil
import sys
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from harness.errors import UsageProblem
from harness.ingest.sightings import Setback

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

HEAD_CHARS = 65_536
MAX_LINE = 16 * 2**20  # nothing that is one record of a log is longer
MAX_DOCUMENT = 512 * 2**20  # a file that is one document (HAR, a trace) may be one line, or have images in its lines
MAX_BYTES = 8 * 2**30  # unpacked

_DOCUMENT = re.compile(rb'[\xef\xbb\xbf\s]*\{\s*"(log|resourceSpans|resource_spans)"\s*:')

# First bytes → what unpacks such a file, given its path.
_PACKED: tuple[tuple[bytes, Callable[[Path], Any]], ...] = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ", lzma.open),
    (b"\x28\xb5\x2f\xfd", zstd.open),
)
_WIDE = ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


@dataclass(frozen=True)
class Source:
    """`name` for people, `path` of clean UTF-8 text (not always the file that was given), `head` its beginning."""

    name: str
    path: Path
    head: str
    bad: tuple[Setback, ...] = ()


def open_source(path: Path, scratch: Path) -> Source:
    """Make a file readable. `-` is standard input; copies go to `scratch`, which the caller owns.

    Raises:
        UsageProblem: it cannot be read, or it is packed in a way that is not known or unpacks to too much.
    """
    name = "standard input" if str(path) == "-" else path.name
    plain = scratch / f"{len(list(scratch.iterdir()))}.txt"
    try:
        if str(path) == "-":
            plain.write_bytes(b"")
            with plain.open("wb") as copy:
                shutil.copyfileobj(sys.stdin.buffer, copy)
            path, plain = plain, plain.with_suffix(".clean")
        with path.open("rb") as raw:
            start = raw.read(8)
        if start.startswith(b"PK\x03\x04"):
            return _clean(name, _only_member(path, scratch), plain)
        for magic, unpack in _PACKED:
            if start.startswith(magic):
                unpacked = plain.with_suffix(".unpacked")
                with unpack(path) as packed, unpacked.open("wb") as copy:
                    _copy(packed, copy, name)
                return _clean(name, unpacked, plain)
        return _clean(name, path, plain)
    except (OSError, EOFError, lzma.LZMAError, zlib.error, zstd.ZstdError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or "it is cut short or damaged"
        raise UsageProblem(f"{name}: cannot be read ({reason})") from None


def _only_member(path: Path, scratch: Path) -> Path:
    with zipfile.ZipFile(path) as archive:
        names = [member for member in archive.infolist() if not member.is_dir()]
        if len(names) != 1:
            raise UsageProblem(f"{path.name}: holds {len(names)} files; unpack it and give those that matter")
        out = scratch / f"{len(list(scratch.iterdir()))}.member"
        with archive.open(names[0]) as packed, out.open("wb") as copy:
            _copy(packed, copy, path.name)  # type: ignore[arg-type]
    return out


def _copy(packed: BinaryIO, copy: BinaryIO, name: str) -> None:
    left = MAX_BYTES
    while chunk := packed.read(1 << 20):
        left -= len(chunk)
        if left < 0:
            raise UsageProblem(f"{name}: unpacks to more than {MAX_BYTES >> 30} GiB; cut out the hours that matter")
        copy.write(chunk)


def _clean(name: str, path: Path, copy: Path) -> Source:
    """The file as it is where it is clean text already; else a clean copy."""
    if _is_clean(path):
        return Source(name, path, _head(path))
    with path.open("rb") as raw:
        wide = next((encoding for mark, encoding in _WIDE if raw.read(2) == mark or raw.seek(0) is None), None)
    bad: list[Setback] = []
    if wide is not None:
        narrow = copy.with_suffix(".narrow")
        with path.open(encoding=wide, errors="replace", newline="") as text, narrow.open("w", encoding="utf-8") as out:
            shutil.copyfileobj(text, out)
        path = narrow
    limit = _limit(path)
    with path.open("rb") as raw, copy.open("wb") as out:
        for number, line in enumerate(raw, start=1):
            reason = _flaw(line, limit)
            if reason is not None:
                bad.append(Setback(number, reason))
            out.write(b"\n" if reason is not None else line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line)
    return Source(name, copy, _head(copy), tuple(bad))


def _limit(path: Path) -> int:
    """How long a line may be: most of one document may stand in a single one."""
    with path.open("rb") as raw:
        return MAX_DOCUMENT if _DOCUMENT.match(raw.read(4096)) else MAX_LINE


def _flaw(line: bytes, limit: int) -> str | None:
    if len(line) > limit:
        return f"longer than {limit >> 20} MiB"
    if b"\0" in line:
        return "holds NUL bytes"
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"is no UTF-8 at byte {error.start}"
    return None


def _is_clean(path: Path) -> bool:
    """Whether every byte is UTF-8 text without NUL, and no line too long; without holding the file in memory."""
    import codecs

    decoder = codecs.getincrementaldecoder("utf-8")()
    length, limit = 0, _limit(path)
    with path.open("rb") as raw:
        first = True
        while chunk := raw.read(1 << 22):
            if b"\0" in chunk or (first and chunk.startswith(b"\xef\xbb\xbf")):
                return False
            first = False
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError:
                return False
            cut = chunk.rfind(b"\n")
            length = length + len(chunk) if cut < 0 else len(chunk) - cut - 1
            if length > limit:
                return False
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _head(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as text:
        return text.read(HEAD_CHARS)
